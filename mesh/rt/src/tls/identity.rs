//! Who we are and whom we believe, read from files and checked before anything listens or dials.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use mesh_core::node::{MeshDomain, NodeName};
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor};

use super::peer::PeerIdentity;
use super::provider;
use super::rules::Rule;

/// A certificate chain and its private key. Clones share them, so that [`Identity::reload`] renews
/// every acceptor and connector that was made of one.
#[derive(Clone)]
pub struct Identity {
    chain_file: PathBuf,
    key_file: PathBuf,
    current: Arc<RwLock<Arc<CertifiedKey>>>,
}

/// The authorities that are believed. Which one is asked of which peer, the listener knows.
#[derive(Clone, Debug)]
pub struct Trust {
    pub(crate) anchors: Arc<[TrustAnchor<'static>]>,
    /// The certificates of the anchors, in the same order.
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
}

/// What is wrong with our own files or settings, before any peer is met.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: has no certificate in PEM form", file.display())]
    NoCertificate { file: PathBuf },
    #[error("{}: certificate {position} is not readable", file.display())]
    Certificate { file: PathBuf, position: usize },
    #[error("{}: has no private key in PEM form", file.display())]
    NoKey { file: PathBuf },
    #[error("{}: the private key is of a kind that is not supported", file.display())]
    Key { file: PathBuf, source: rustls::Error },
    #[error(
        "{}: others may read the private key, its mode is {mode:o}, want 600",
        file.display()
    )]
    KeyReadable { file: PathBuf, mode: u32 },
    #[error(
        "{}: is not the private key of the first certificate in {}",
        key_file.display(),
        chain_file.display()
    )]
    KeyMismatch { key_file: PathBuf, chain_file: PathBuf },
    #[error("{}: certificate {position} is of no authority", file.display())]
    NoAuthority { file: PathBuf, position: usize },
    #[error("{node} does not listen, so it cannot be dialled")]
    NoListener { node: NodeName },
}

impl Identity {
    /// Reads a chain (leaf first) and the key of its leaf.
    pub fn load(chain_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let certified = read_identity(chain_file, key_file)?;
        Ok(Self {
            chain_file: chain_file.into(),
            key_file: key_file.into(),
            current: Arc::new(RwLock::new(Arc::new(certified))),
        })
    }

    /// Reads the same files again. New handshakes show what is in them; when they cannot be used,
    /// the old chain and key stay. Open connections keep theirs.
    pub fn reload(&self) -> Result<(), TlsError> {
        let certified = Arc::new(read_identity(&self.chain_file, &self.key_file)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(())
    }

    /// What a peer will read from our certificate. An error is what every peer would refuse.
    pub fn describe(&self, mesh: &MeshDomain) -> Result<PeerIdentity, Rule> {
        PeerIdentity::from_chain(mesh, &self.certified().cert)
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("chain_file", &self.chain_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A node has one name, so it shows one certificate, whatever name the client asks for.
        Some(self.certified())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Trust {
    /// Reads one or more certificates of authorities.
    pub fn load(file: &Path) -> Result<Self, TlsError> {
        let certificates = read_certificates(file)?;
        let anchors = certificates
            .iter()
            .enumerate()
            .map(|(index, certificate)| {
                let position = index + 1;
                let unreadable = || TlsError::Certificate { file: file.into(), position };
                let (_, parsed) =
                    x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
                if !parsed.is_ca() {
                    return Err(TlsError::NoAuthority { file: file.into(), position });
                }
                let anchor =
                    webpki::anchor_from_trusted_cert(certificate).map_err(|_| unreadable())?;
                Ok(anchor.to_owned())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { anchors, certificates: certificates.into() })
    }

    /// The certificate of the anchor at the end of a verified path.
    pub(crate) fn certificate(&self, anchor: &TrustAnchor<'_>) -> Option<&CertificateDer<'static>> {
        let index = self.anchors.iter().position(|known| known == anchor)?;
        self.certificates.get(index)
    }
}

fn read_identity(chain_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(chain_file)?;
    refuse_other_readers(key_file)?;
    let key_pem =
        fs::read(key_file).map_err(|source| TlsError::Read { file: key_file.into(), source })?;
    let key = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|_| TlsError::NoKey { file: key_file.into() })?;
    let key = provider()
        .key_provider
        .load_private_key(key)
        .map_err(|source| TlsError::Key { file: key_file.into(), source })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::KeyMismatch { key_file: key_file.into(), chain_file: chain_file.into() })
        }
        Err(_) => Err(TlsError::Certificate { file: chain_file.into(), position: 1 }),
    }
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(file).map_err(|source| TlsError::Read { file: file.into(), source })?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .enumerate()
        .map(|(index, certificate)| {
            let unreadable = |_| TlsError::Certificate { file: file.into(), position: index + 1 };
            certificate.map_err(unreadable)
        })
        .collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { file: file.into() });
    }
    Ok(certificates)
}

#[cfg(unix)]
fn refuse_other_readers(key_file: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(key_file)
        .map_err(|source| TlsError::Read { file: key_file.into(), source })?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(TlsError::KeyReadable { file: key_file.into(), mode: mode & 0o777 });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_other_readers(_key_file: &Path) -> Result<(), TlsError> {
    Ok(())
}
