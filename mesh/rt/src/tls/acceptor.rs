//! The listening side of a handshake.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh_core::limits::HANDSHAKE_MAX;
use mesh_core::node::MeshDomain;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::identity::{Identity, Trust};
use super::peer::PeerIdentity;
use super::stream::{Accepted, Secured};
use super::verify::{Admit, ChainVerifier, ClientVerifier};
use super::{ALPN_HTTP2, HandshakeError, provider};

/// After a refusal we go on reading for so long. A socket that is closed with unread bytes sends a
/// reset, which can overtake the alert, and then the peer would not learn why.
const LINGER_MAX: Duration = Duration::from_millis(500);

/// Reads of a refused peer's bytes, 1 KiB each.
const LINGER_READS_MAX: usize = 64;

/// Decides whether a verified peer's key may be used now. The directory knows the active keys.
#[derive(Clone)]
pub struct AdmitKey(pub Arc<dyn Fn(&PeerIdentity) -> bool + Send + Sync>);

/// Turns accepted connections into links whose peer is known. Clones share their counts.
#[derive(Clone)]
pub struct Acceptor {
    identity: Identity,
    verifier: ClientVerifier,
    time: Option<Arc<dyn TimeProvider>>,
    handshake_max: Duration,
    tls: TlsAcceptor,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    handshakes_ok: AtomicU64,
    handshakes_failed: AtomicU64,
}

impl Acceptor {
    /// Shows `identity`, believes `trust`, and lets in whom `admit` names.
    pub fn new(identity: &Identity, trust: Trust, admit: Admit, mesh: MeshDomain) -> Self {
        let verifier =
            ClientVerifier { chain: ChainVerifier { mesh, trust }, admit, admit_key: None };
        Self {
            tls: configure(identity, &verifier, None),
            identity: identity.clone(),
            verifier,
            time: None,
            handshake_max: HANDSHAKE_MAX,
            counts: Arc::default(),
        }
    }

    /// Asks `admit_key` too, during the handshake, so that a refused peer is told by an alert.
    pub fn with_admit_key(mut self, admit_key: AdmitKey) -> Self {
        self.verifier.admit_key = Some(admit_key);
        self.configured()
    }

    /// Judges certificates by another clock than the system's.
    pub fn with_time(mut self, time: Arc<dyn TimeProvider>) -> Self {
        self.time = Some(time);
        self.configured()
    }

    /// Gives a handshake so long instead of [`HANDSHAKE_MAX`].
    pub fn with_handshake_max(self, handshake_max: Duration) -> Self {
        Self { handshake_max, ..self }
    }

    pub fn handshake_max(&self) -> Duration {
        self.handshake_max
    }

    /// Handshakes that gave a link.
    pub fn handshakes_ok(&self) -> u64 {
        self.counts.handshakes_ok.load(Ordering::Relaxed)
    }

    /// Connections that ended before they were a link, for whatever reason.
    pub fn handshakes_failed(&self) -> u64 {
        self.counts.handshakes_failed.load(Ordering::Relaxed)
    }

    /// One handshake. No byte of the application is read before the peer is verified.
    pub async fn accept<IO>(&self, io: IO) -> Result<Accepted<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let outcome = self.handshake(io).await;
        match outcome {
            Ok(_) => self.counts.handshakes_ok.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.count_failed(),
        };
        outcome
    }

    /// Counts a connection that was given up before its handshake began.
    pub(super) fn count_failed(&self) -> u64 {
        self.counts.handshakes_failed.fetch_add(1, Ordering::Relaxed)
    }

    async fn handshake<IO>(&self, io: IO) -> Result<Accepted<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let limit = self.handshake_max;
        let handshake = Box::pin(self.tls.accept(io).into_fallible());
        let Ok(outcome) = timeout(limit, handshake).await else {
            return Err(HandshakeError::Timeout { limit });
        };
        let stream = match outcome {
            Ok(stream) => stream,
            Err((error, io)) => {
                let error = HandshakeError::from_io(error);
                if matches!(error, HandshakeError::Tls(_)) {
                    linger(io).await;
                }
                return Err(error);
            }
        };
        let (_, connection) = stream.get_ref();
        // A client that offers no protocol at all passes rustls's own check.
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

    fn configured(mut self) -> Self {
        self.tls = configure(&self.identity, &self.verifier, self.time.clone());
        self
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("identity", &self.identity)
            .field("verifier", &self.verifier)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AdmitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdmitKey")
    }
}

fn configure(
    identity: &Identity,
    verifier: &ClientVerifier,
    time: Option<Arc<dyn TimeProvider>>,
) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("aws-lc-rs has suites for TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier.clone()))
        .with_cert_resolver(Arc::new(identity.clone()));
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    // A resumed session skips the verifier, so there must be nothing to resume.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    if let Some(time) = time {
        config.time_provider = time;
    }
    Arc::new(config).into()
}

/// Gives a refused peer the time to read its alert.
async fn linger<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO) {
    let drained = async {
        io.shutdown().await?;
        let mut discarded = [0; 1024];
        for _ in 0..LINGER_READS_MAX {
            if io.read(&mut discarded).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(())
    };
    // Whether it came to an end does not matter: the connection is dropped either way.
    let _ = timeout(LINGER_MAX, drained).await;
}
