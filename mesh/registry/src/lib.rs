//! What the registry keeps in its store, and what can be done with that besides changing it: laying
//! it out, reading it whole, checking it, and carrying it from one store to another.
//!
//! The centre changes it, `hubctl` does the rest, and both know the keys and values from here;
//! docs/protocol/registry-store.md describes them.

pub mod backup;
pub mod check;
pub mod digest;
pub mod held;
pub mod lay;
pub mod layout;
pub mod log;
pub mod moved;
pub mod place;
pub mod signed;
