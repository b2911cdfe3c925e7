//! The dialling side of a handshake, and the connector that tonic's channels take.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use mesh_core::limits::HANDSHAKE_MAX;
use mesh_core::node::{MeshDomain, NodeName};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::Service;

use super::acceptor::AdmitKey;
use super::identity::{Identity, TlsError, Trust};
use super::peer::PeerIdentity;
use super::stream::{Dialled, Secured, UntilCut};
use super::verify::{ChainVerifier, ServerVerifier};
use super::{ALPN_HTTP2, HandshakeError, provider};

/// Turns connections that we opened into links to one expected node.
#[derive(Clone)]
pub struct Connector {
    verifier: ServerVerifier,
    server_name: ServerName<'static>,
    handshake_max: Duration,
    tls: TlsConnector,
}

/// Dials one TCP address, and speaks TLS there. For `Endpoint::connect_with_connector`.
#[derive(Clone, Debug)]
pub struct TcpDialer {
    addr: SocketAddr,
    connector: Connector,
    until_cut: Option<UntilCut>,
    last_peer: Arc<Mutex<Option<PeerIdentity>>>,
}

impl Connector {
    /// Shows `identity`, believes `trust`, and takes no other node than `expect` for an answer.
    pub fn new(
        identity: &Identity,
        trust: Trust,
        expect: NodeName,
        mesh: MeshDomain,
    ) -> Result<Self, TlsError> {
        if !expect.listens() {
            return Err(TlsError::NoListener { node: expect });
        }
        let server_name = mesh.dns_name(&expect).try_into().expect("a hub's name is a DNS name");
        let verifier =
            ServerVerifier { chain: ChainVerifier { mesh, trust }, expect, admit_key: None };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("aws-lc-rs has suites for TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.clone()))
            .with_client_cert_resolver(Arc::new(identity.clone()));
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        let tls = Arc::new(config).into();
        Ok(Self { verifier, server_name, handshake_max: HANDSHAKE_MAX, tls })
    }

    /// Asks `admit_key` too, during the handshake, so that a refused peer gets no byte from us.
    pub fn with_admit_key(mut self, admit_key: AdmitKey) -> Self {
        self.verifier.admit_key = Some(admit_key);
        let mut config = ClientConfig::clone(self.tls.config());
        config.dangerous().set_certificate_verifier(Arc::new(self.verifier.clone()));
        self.tls = Arc::new(config).into();
        self
    }

    /// Judges certificates by another clock than the system's.
    pub fn with_time(mut self, time: Arc<dyn TimeProvider>) -> Self {
        let mut config = ClientConfig::clone(self.tls.config());
        config.time_provider = time;
        self.tls = Arc::new(config).into();
        self
    }

    /// Gives a handshake so long instead of [`HANDSHAKE_MAX`].
    pub fn with_handshake_max(self, handshake_max: Duration) -> Self {
        Self { handshake_max, ..self }
    }

    /// The one node that this connector takes for an answer.
    pub fn expected(&self) -> &NodeName {
        &self.verifier.expect
    }

    /// One handshake. In TLS 1.3 it ends here before the peer has judged our certificate: a refusal
    /// shows on the first read, where [`super::explain`] finds it.
    pub async fn connect<IO>(&self, io: IO) -> Result<Dialled<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let limit = self.handshake_max;
        let handshake = Box::pin(self.tls.connect(self.server_name.clone(), io));
        let Ok(outcome) = timeout(limit, handshake).await else {
            return Err(HandshakeError::Timeout { limit });
        };
        let stream = outcome.map_err(HandshakeError::from_io)?;
        let (_, connection) = stream.get_ref();
        if connection.alpn_protocol() != Some(ALPN_HTTP2) {
            return Err(HandshakeError::NoHttp2);
        }
        let chain = connection.peer_certificates().unwrap_or_default();
        let ChainVerifier { mesh, trust } = &self.verifier.chain;
        let peer = PeerIdentity::from_chain(mesh, chain)
            .map_err(HandshakeError::Peer)?
            .below(trust, chain);
        Ok(Secured::new(stream, peer))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl TcpDialer {
    pub fn new(addr: SocketAddr, connector: Connector) -> Self {
        Self { addr, connector, until_cut: None, last_peer: Arc::default() }
    }

    /// Breaks connections off when `until_cut` says.
    pub fn with_cut(self, until_cut: UntilCut) -> Self {
        Self { until_cut: Some(until_cut), ..self }
    }

    /// Who answered the latest dial of this dialer or a clone of it.
    pub fn last_peer(&self) -> Option<PeerIdentity> {
        self.last_peer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Dials, without tonic. A refusal of our certificate shows on the first read.
    pub async fn dial(&self) -> Result<Dialled<TcpStream>, HandshakeError> {
        let addr = self.addr;
        let limit = self.connector.handshake_max;
        let Ok(socket) = timeout(limit, TcpStream::connect(addr)).await else {
            return Err(HandshakeError::Timeout { limit });
        };
        let socket = socket.map_err(|source| HandshakeError::Dial { addr, source })?;
        // Batches are made by the link; the kernel must not wait for more.
        socket.set_nodelay(true).map_err(HandshakeError::Io)?;
        let mut link = self.connector.connect(socket).await?;
        if let Some(until_cut) = &self.until_cut {
            link = link.until_cut(until_cut);
        }
        let peer = Some(link.peer().clone());
        *self.last_peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
        Ok(link)
    }
}

impl Service<Uri> for TcpDialer {
    type Response = TokioIo<Dialled<TcpStream>>;
    type Error = HandshakeError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    /// The URI only names the host in HTTP/2; where to dial, and whom to expect, is known.
    fn call(&mut self, _uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let link = dialer.dial().await?;
            // A refusal is an error here, and not a connection that closes under the first request.
            let limit = dialer.connector.handshake_max;
            let Ok(link) = timeout(limit, link.let_in()).await else {
                return Err(HandshakeError::Timeout { limit });
            };
            link.map(TokioIo::new).map_err(HandshakeError::from_io)
        })
    }
}
