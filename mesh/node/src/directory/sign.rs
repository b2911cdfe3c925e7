//! Who may say what the directory is: the centre's key, and the keys that a node believes.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use mesh_core::directory::Ed25519Key;
use mesh_core::exchange::Digest;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::{Signature, read_signature, write_signature};
use mesh_proto::wire::directory::v1 as wire;
use mesh_rt::directory_keys::{KeyFileError, load_public_keys, load_signing_key};

use super::NotTaken;

/// What is signed. What was signed as one of them is nothing as another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signed {
    Entry,
    Snapshot,
    Heartbeat,
}

/// The centre's private key. Whoever has it can tell the mesh anything.
#[derive(Clone)]
pub struct DirectorySigner {
    pair: Arc<Ed25519KeyPair>,
    key: Ed25519Key,
}

/// The public keys that a node was set up with. It believes those as well that the directory, once
/// it is believed, names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DirectoryKeys(BTreeSet<Ed25519Key>);

impl DirectorySigner {
    /// Reads a private key, PKCS#8 in PEM.
    pub fn load(file: &Path) -> Result<Self, KeyFileError> {
        let der = load_signing_key(file)?;
        let signer = Self::from_pkcs8(der.secret_pkcs8_der());
        signer.ok_or_else(|| KeyFileError::NoPrivateKey { file: file.into() })
    }

    /// The key in a PKCS#8 document.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
        let key = Ed25519Key::new(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair: Arc::new(pair), key })
    }

    /// The public half.
    pub fn key(&self) -> Ed25519Key {
        self.key
    }

    pub(crate) fn sign(
        &self,
        what: Signed,
        mesh: &MeshDomain,
        body: &[u8],
    ) -> wire::DirectorySignature {
        let signature = self.pair.sign(&what.message(mesh, body));
        let bytes = signature.as_ref().try_into().expect("a signature of Ed25519 has 64 bytes");
        write_signature(&Signature { key: self.key, bytes })
    }
}

impl DirectoryKeys {
    /// Reads one or more public keys, SubjectPublicKeyInfo in PEM.
    pub fn load(file: &Path) -> Result<Self, KeyFileError> {
        Ok(load_public_keys(file)?.into_iter().map(Ed25519Key::new).collect())
    }

    pub fn contains(&self, key: &Ed25519Key) -> bool {
        self.0.contains(key)
    }

    /// These and others.
    pub(crate) fn with<'k>(&self, others: impl Iterator<Item = &'k Ed25519Key>) -> Self {
        Self(self.0.iter().copied().chain(others.copied()).collect())
    }

    pub(crate) fn insert(&mut self, key: Ed25519Key) {
        self.0.insert(key);
    }

    /// Is `body` signed by one of them, as what it is to be?
    pub(crate) fn verify(
        &self,
        what: Signed,
        mesh: &MeshDomain,
        body: &[u8],
        signature: Option<&wire::DirectorySignature>,
    ) -> Result<(), NotTaken> {
        let Signature { key, bytes } = read_signature(signature)?;
        if !self.0.contains(&key) {
            return Err(NotTaken::UnknownSigner { key });
        }
        UnparsedPublicKey::new(&ED25519, key.as_bytes())
            .verify(&what.message(mesh, body), &bytes)
            .map_err(|_| NotTaken::BadSignature { key })
    }
}

impl FromIterator<Ed25519Key> for DirectoryKeys {
    fn from_iter<I: IntoIterator<Item = Ed25519Key>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl Signed {
    /// The bytes that are signed; see `directory.proto`.
    fn message(self, mesh: &MeshDomain, body: &[u8]) -> Vec<u8> {
        let kind = match self {
            Self::Entry => "entry",
            Self::Snapshot => "snapshot",
            Self::Heartbeat => "heartbeat",
        };
        let context = format!("mesh-directory-v1 {kind} {} {}\n", mesh.mesh, mesh.domain());
        [context.as_bytes(), body].concat()
    }
}

impl fmt::Debug for DirectorySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectorySigner").field("key", &self.key).finish_non_exhaustive()
    }
}

/// SHA-256 over the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    Digest(context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
pub(crate) mod tests;
