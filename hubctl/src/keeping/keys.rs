//! Keys of the directory as files: public ones to verify with, a private one to sign with.

use std::path::{Path, PathBuf};

use aws_lc_rs::signature::Ed25519KeyPair;
use mesh_rt::file;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How a SubjectPublicKeyInfo of Ed25519 begins (RFC 8410 §10.1); the key's 32 bytes follow.
const SPKI_BEGIN: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// A file that holds no such key.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub(super) struct KeyError {
    file: PathBuf,
    why: String,
}

/// The public keys of `file`, in PEM.
pub(super) fn public(file: &Path) -> Result<Vec<[u8; 32]>, KeyError> {
    let wrong = |why: &str| KeyError { file: file.into(), why: why.into() };
    let pem = file::read(file, KEY_FILE_BYTES_MAX).map_err(|why| wrong(&why.to_string()))?;
    let keys = SubjectPublicKeyInfoDer::pem_slice_iter(&pem).map(|der| {
        let der = der.ok()?;
        let key = der.strip_prefix(&SPKI_BEGIN)?;
        key.try_into().ok()
    });
    let keys: Option<Vec<[u8; 32]>> = keys.collect();
    keys.filter(|keys| !keys.is_empty())
        .ok_or_else(|| wrong("holds no public key of Ed25519 in PEM"))
}

/// The private key of `file`, PKCS#8 in PEM.
pub(super) fn private(file: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let wrong = |why: &str| KeyError { file: file.into(), why: why.into() };
    let pem = file::read(file, KEY_FILE_BYTES_MAX).map_err(|why| wrong(&why.to_string()))?;
    let unfit = || wrong("holds no private key of Ed25519 in PEM");
    let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| unfit())?;
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| unfit())
}
