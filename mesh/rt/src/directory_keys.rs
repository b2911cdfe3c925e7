//! The keys of the directory, as their files hold them.

use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{self, PemObject as _, SectionKind};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::file;

/// Keys in one file: one that is in use, one that comes next, and some to spare.
pub const KEYS_MAX: usize = 8;

/// Largest file of keys, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410 §4).
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A public key of the directory: Ed25519.
pub type PublicKey = [u8; 32];

/// A file that gives no key. Names the file, and what should be in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: has no public key in PEM form", file.display())]
    NoPublicKey { file: PathBuf },
    #[error("{}: key {number} is no Ed25519 key", file.display())]
    OtherKind { file: PathBuf, number: usize },
    #[error("{}: has {found} keys, at most {KEYS_MAX} are read", file.display())]
    TooMany { file: PathBuf, found: usize },
    #[error(
        "{}: holds a private key, which is for the centre alone: name the file of the public one",
        file.display()
    )]
    Private { file: PathBuf },
    #[error("{}: has no private key in PKCS#8 PEM form", file.display())]
    NoPrivateKey { file: PathBuf },
}

/// The public keys in `file`, in its order.
pub fn load_public_keys(file: &Path) -> Result<Vec<PublicKey>, KeyFileError> {
    let content = read(file)?;
    let is_private = sections(&content).any(|kind| kind == SectionKind::PrivateKey);
    if is_private {
        return Err(KeyFileError::Private { file: file.into() });
    }
    let ders = SubjectPublicKeyInfoDer::pem_slice_iter(&content);
    let ders = ders.collect::<Result<Vec<_>, _>>();
    let ders = ders.ok().filter(|ders| !ders.is_empty());
    let ders = ders.ok_or_else(|| KeyFileError::NoPublicKey { file: file.into() })?;
    if KEYS_MAX < ders.len() {
        return Err(KeyFileError::TooMany { file: file.into(), found: ders.len() });
    }
    let keys = ders.iter().zip(1..).map(|(der, number)| {
        let key = der.strip_prefix(&ED25519_PREFIX).and_then(|key| key.try_into().ok());
        key.ok_or_else(|| KeyFileError::OtherKind { file: file.into(), number })
    });
    keys.collect()
}

/// The private key in `file`, as DER of PKCS#8.
pub fn load_signing_key(file: &Path) -> Result<PrivatePkcs8KeyDer<'static>, KeyFileError> {
    let content = read(file)?;
    PrivatePkcs8KeyDer::from_pem_slice(&content)
        .map_err(|_| KeyFileError::NoPrivateKey { file: file.into() })
}

fn read(file: &Path) -> Result<Vec<u8>, KeyFileError> {
    file::read(file, FILE_BYTES_MAX)
        .map_err(|source| KeyFileError::Read { file: file.into(), source })
}

fn sections(content: &[u8]) -> impl Iterator<Item = SectionKind> + '_ {
    let mut rest = content;
    std::iter::from_fn(move || {
        let read = pem::from_buf(&mut rest).ok().flatten();
        read.map(|(kind, _)| kind)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mesh_certs::DirectoryKey;

    use super::*;

    #[test]
    fn both_halves_of_a_key_are_read_as_they_were_made() {
        let folder = tempfile::tempdir().unwrap();
        let first = DirectoryKey::create(&folder.path().join("first")).unwrap();
        let next = DirectoryKey::create(&folder.path().join("next")).unwrap();
        let [key] = load_public_keys(&first.key_file).unwrap()[..] else { panic!("one key") };
        let both = folder.path().join("both.pem");
        fs::write(&both, format!("# ours\n{}{}", first.public_pem, next.public_pem)).unwrap();
        let keys = load_public_keys(&both).unwrap();
        assert_eq!((keys.len(), keys[0]), (2, key));

        let signing = load_signing_key(&first.signing_key_file).unwrap();
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(
            signing.secret_pkcs8_der(),
        );
        use aws_lc_rs::signature::KeyPair as _;
        assert_eq!(pair.unwrap().public_key().as_ref(), key);
    }

    #[test]
    fn a_file_that_gives_no_key_says_what_should_be_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = DirectoryKey::create(&folder.path().join("key")).unwrap();
        let file = folder.path().join("file");
        let said = |content: &str, load: fn(&Path) -> Option<KeyFileError>| {
            fs::write(&file, content).unwrap();
            let error = load(&file).expect(content).to_string();
            error.strip_prefix(&format!("{}: ", file.display())).unwrap().to_owned()
        };
        let public = |file: &Path| load_public_keys(file).err();
        let signing = |file: &Path| load_signing_key(file).err();
        let private_pem = fs::read_to_string(&key.signing_key_file).unwrap();
        assert_eq!(said("", public), "has no public key in PEM form");
        assert_eq!(said("mesh", public), "has no public key in PEM form");
        let private = "holds a private key, which is for the centre alone: name the file of the \
                       public one";
        assert_eq!(said(&private_pem, public), private);
        let many = key.public_pem.repeat(KEYS_MAX + 1);
        assert_eq!(said(&many, public), "has 9 keys, at most 8 are read");
        // The last byte but one of the algorithm: X25519.
        let other = key.public_pem.replacen("MCowBQYDK2Vw", "MCowBQYDK2Vu", 1);
        let second = format!("{}{other}", key.public_pem);
        assert_eq!(said(&second, public), "key 2 is no Ed25519 key");
        assert_eq!(said(&key.public_pem, signing), "has no private key in PKCS#8 PEM form");
        let absent = load_public_keys(&folder.path().join("none")).unwrap_err();
        assert!(matches!(absent, KeyFileError::Read { .. }), "{absent}");
    }
}
