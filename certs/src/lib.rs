//! Link and member certificates: what each kind says, who signs it, and a local PKI on disk; and
//! the key of the directory.
//!
//! Nothing here opens a connection. The rules by which a peer's certificate is believed are in the
//! TLS part of the runtime, which must not depend on this crate: it would then be able to issue.

pub mod authority;
pub mod directory_key;
mod file;
pub mod local;
pub mod officer;
pub mod profile;

pub use authority::{AuthorityError, Intermediate, Leaf, Root, members_domain, spki_sha256};
pub use directory_key::DirectoryKey;
pub use local::{Issued, LocalPki, PkiError};
pub use officer::{OfficerError, OfficerKey, Offices};
