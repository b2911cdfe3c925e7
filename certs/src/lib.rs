//! Link and member certificates: what each kind says, who signs it, and a local PKI on disk.
//!
//! Nothing here opens a connection. The rules by which a peer's certificate is believed are in the
//! TLS part of the runtime, which must not depend on this crate: it would then be able to issue.

pub mod authority;
mod file;
pub mod local;
pub mod profile;

pub use authority::{AuthorityError, Intermediate, Leaf, Root, spki_sha256};
pub use local::{Issued, LocalPki, PkiError};
