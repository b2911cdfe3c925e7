//! Our own way to a member: TCP, then TLS 1.3 with a certificate on both sides.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::config::{EtcdConfig, EtcdEndpoint};

/// From the first packet until the member has let us in.
pub(super) const DIAL_MAX: Duration = Duration::from_secs(3);

/// A chain or a list of authorities is some kilobytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Dials one member, for `Endpoint::connect_with_connector_lazy`.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    endpoint: EtcdEndpoint,
    files: Arc<Files>,
}

/// What is read for each connection anew.
#[derive(Debug)]
pub(super) struct Files {
    chain: PathBuf,
    key: PathBuf,
    trust: PathBuf,
}

/// The files that the configuration names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EtcdTlsError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: is larger than {FILE_BYTES_MAX} bytes", file.display())]
    Size { file: PathBuf },
    #[error("{}: others may read the private key, its mode is {mode:o}, want 600", file.display())]
    KeyReadable { file: PathBuf, mode: u32 },
    #[error("{}: has no certificate in PEM form", file.display())]
    NoCertificate { file: PathBuf },
    #[error("{}: has no private key in PEM form", file.display())]
    NoKey { file: PathBuf },
    #[error("{}: a certificate in it is of no authority", file.display())]
    Trust { file: PathBuf, source: rustls::Error },
    #[error(
        "{} and {}: are no pair of certificate and key",
        chain_file.display(),
        key_file.display()
    )]
    Pair { chain_file: PathBuf, key_file: PathBuf, source: rustls::Error },
}

/// A connection that came to nothing, so that no request went over it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("{endpoint} cannot be reached")]
    Unreached { endpoint: EtcdEndpoint, source: io::Error },
    #[error("{endpoint} did not let us in within {} ms", DIAL_MAX.as_millis())]
    Late { endpoint: EtcdEndpoint },
    #[error("{endpoint} and we do not agree on TLS; check certificates on both sides")]
    Tls { endpoint: EtcdEndpoint, source: io::Error },
    #[error("{endpoint} closed the connection before it said anything")]
    Closed { endpoint: EtcdEndpoint },
    #[error("the files for TLS cannot be used")]
    Files(#[from] EtcdTlsError),
}

/// Buffered so that the member's first byte can be waited for, and still be there.
type Dialled = BufReader<TlsStream<TcpStream>>;

impl Files {
    /// Fails where what is there now cannot be used, before anything is dialled.
    pub(super) fn of(config: &EtcdConfig) -> Result<Self, EtcdTlsError> {
        let EtcdConfig { chain_file, key_file, trust_file, .. } = config.clone();
        let files = Self { chain: chain_file, key: key_file, trust: trust_file };
        files.client_config()?;
        Ok(files)
    }

    fn client_config(&self) -> Result<ClientConfig, EtcdTlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = self.verifier(&provider)?;
        let chain = certificates(&self.chain)?;
        let key = private_key(&self.key)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("aws-lc-rs has suites for TLS 1.3")
            .with_webpki_verifier(verifier)
            .with_client_auth_cert(chain, key)
            .map_err(|source| EtcdTlsError::Pair {
                chain_file: self.chain.clone(),
                key_file: self.key.clone(),
                source,
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session skips the verifiers of both sides.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<WebPkiServerVerifier>, EtcdTlsError> {
        let refuse = |source| EtcdTlsError::Trust { file: self.trust.clone(), source };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.trust)? {
            roots.add(certificate).map_err(refuse)?;
        }
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        builder.build().map_err(|why| refuse(rustls::Error::General(why.to_string())))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, EtcdTlsError> {
    let text = read(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(EtcdTlsError::NoCertificate { file: file.into() }),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, EtcdTlsError> {
    let text = read(file)?;
    let metadata = file.metadata();
    let metadata = metadata.map_err(|source| EtcdTlsError::Read { file: file.into(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(EtcdTlsError::KeyReadable { file: file.into(), mode });
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| EtcdTlsError::NoKey { file: file.into() })
}

fn read(file: &Path) -> Result<Vec<u8>, EtcdTlsError> {
    let mut content = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut content))
        .map_err(|source| EtcdTlsError::Read { file: file.into(), source })?;
    if FILE_BYTES_MAX < content.len() as u64 {
        return Err(EtcdTlsError::Size { file: file.into() });
    }
    Ok(content)
}

impl Dialer {
    pub(super) fn new(endpoint: EtcdEndpoint, files: Arc<Files>) -> Self {
        Self { endpoint, files }
    }

    async fn dial(&self) -> Result<Dialled, DialError> {
        let endpoint = || self.endpoint.clone();
        let tls = TlsConnector::from(Arc::new(self.files.client_config()?));
        let host = self.endpoint.host().to_owned();
        let name = ServerName::try_from(host).map_err(|why| DialError::Unreached {
            endpoint: endpoint(),
            source: io::Error::new(io::ErrorKind::InvalidInput, why),
        })?;
        let socket = TcpStream::connect(self.endpoint.as_str())
            .await
            .and_then(|socket| socket.set_nodelay(true).map(|()| socket))
            .map_err(|source| DialError::Unreached { endpoint: endpoint(), source })?;
        let broken = |source| DialError::Tls { endpoint: endpoint(), source };
        let stream = Box::pin(tls.connect(name, socket)).await.map_err(broken)?;
        let mut stream = BufReader::new(stream);
        // In TLS 1.3 a member refuses our certificate after its own handshake has ended, and an
        // HTTP/2 server that takes it speaks first: so a refusal is an error here, and not a
        // connection that breaks under the first request.
        if stream.fill_buf().await.map_err(broken)?.is_empty() {
            return Err(DialError::Closed { endpoint: endpoint() });
        }
        Ok(stream)
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Dialled>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    /// The URI only names the host in HTTP/2; where to dial, and whom to expect, is known.
    fn call(&mut self, _uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            match timeout(DIAL_MAX, dialer.dial()).await {
                Ok(dialled) => dialled.map(TokioIo::new),
                Err(_) => Err(DialError::Late { endpoint: dialer.endpoint }),
            }
        })
    }
}
