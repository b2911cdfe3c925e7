//! A raw dialler: speaks TLS to any port, believes any server, and tells what came back.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long to wait for the other side. Who was let in hears nothing, so that this is no failure.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What a dial came to.
#[derive(Debug, Eq, PartialEq)]
pub enum Dialled {
    /// The server ended it with this fatal alert, and sent no application byte.
    Alert(String),
    /// The server let us in: it kept the connection, or sent something.
    LetIn,
    /// Anything else, in words.
    Broken(String),
}

/// Dials `address` with the certificate in `chain` and `key`, if there is one.
pub async fn dial(address: SocketAddr, identity: Option<(&Path, &Path)>) -> Dialled {
    let config = match config(identity) {
        Ok(config) => config,
        Err(why) => return Dialled::Broken(why),
    };
    let socket = match TcpStream::connect(address).await {
        Ok(socket) => socket,
        Err(why) => return Dialled::Broken(why.to_string()),
    };
    let name = ServerName::try_from("any.mesh.test").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket);
    let mut stream = match timeout(ANSWER_MAX, stream).await {
        Err(_) => return Dialled::Broken("no answer to the handshake".into()),
        Ok(Err(why)) => return told(&why),
        Ok(Ok(stream)) => stream,
    };
    // In TLS 1.3 the client is done first: a refusal shows on the first read.
    let mut first = [0; 64];
    match timeout(ANSWER_MAX, stream.read(&mut first)).await {
        Err(_) => Dialled::LetIn,
        Ok(Ok(0)) => Dialled::Broken("closed without an alert".into()),
        Ok(Ok(_)) => Dialled::LetIn,
        Ok(Err(why)) => told(&why),
    }
}

fn config(identity: Option<(&Path, &Path)>) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let unread = |path: &Path, why| format!("{}: {why}", path.display());
            let pem = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect);
            let certificates: Vec<_> = pem.map_err(|why| unread(chain, why))?;
            let own = PrivateKeyDer::from_pem_file(key).map_err(|why| unread(key, why))?;
            let fits = config.with_client_auth_cert(certificates, own);
            fits.map_err(|why| format!("{}: {why}", key.display()))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn told(why: &std::io::Error) -> Dialled {
    match why.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => Dialled::Alert(format!("{alert:?}")),
        _ => Dialled::Broken(why.to_string()),
    }
}

/// Believes any certificate: what an attacker's own dialler would do.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
