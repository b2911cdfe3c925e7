//! The civil register of the sample nation: a small provider's own system, as an agent fronts it.
//!
//! It knows nothing of the mesh. It answers plain HTTP/1.1 on loopback from an SQLite file whose
//! persons are all invented, and the same seed always invents the same persons.

mod answer;
mod api;
mod cli;
mod person;
mod random;
mod readers;
mod register;
mod server;

pub use cli::run_command;
pub use person::{Nation, PERSONS_MAX, Person, first_national_id};
pub use register::RegisterError;
pub use server::{Bound, Config, Drained, GRACE, StartError};

/// The seed of the sample nation, which the documents cite.
pub const SEED_DEFAULT: u64 = 1405;

/// How many persons the sample nation has unless someone asks for another number.
pub const PERSONS_DEFAULT: u32 = 2000;
