//! The key with which the centre signs the directory: made once, and again when it is rotated.
//!
//! ```text
//! signing.key     the private half, PKCS#8: for the centre alone (mode 0600)
//! directory.pem   the public half, SubjectPublicKeyInfo: for every node
//! ```
//!
//! No authority certifies it. Whoever sets a node up gives it the public half, and the directory
//! itself names the keys that come after.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _};

use crate::authority::AuthorityError;
use crate::file::{Readers, make_directory, write_new};
use crate::local::PkiError;

/// A directory key that was just made, and where its halves are.
#[derive(Clone, Debug)]
pub struct DirectoryKey {
    /// Whoever has this file can tell the mesh anything.
    pub signing_key_file: PathBuf,
    pub key_file: PathBuf,
    /// The public half, as it stands in `key_file`.
    pub public_pem: String,
    /// The same as 32 bytes: the key's name in the directory.
    pub public_key: [u8; 32],
}

impl DirectoryKey {
    /// Makes a new Ed25519 key in `dir`, which may hold other files but no such key yet.
    pub fn create(dir: &Path) -> Result<Self, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(AuthorityError::Sign)?;
        make_directory(dir)?;
        let (signing_key_file, key_file) = (dir.join("signing.key"), dir.join("directory.pem"));
        let public_pem = key.public_key_pem();
        write_new(&signing_key_file, &key.serialize_pem(), Readers::Owner)?;
        write_new(&key_file, &public_pem, Readers::Everyone)?;
        let public_key = key.der_bytes().try_into().expect("a key of Ed25519 has 32 bytes");
        Ok(Self { signing_key_file, key_file, public_pem, public_key })
    }
}
