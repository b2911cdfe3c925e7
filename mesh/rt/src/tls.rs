//! TLS in one place: who we are, whom we believe, how we listen and how we dial.
//!
//! TLS 1.3 only, aws-lc-rs only, a certificate on both sides always. Nothing is resumed: a resumed
//! session skips the verifier, so that a revoked peer would come back. No early data either.

mod acceptor;
mod connector;
mod explain;
mod identity;
mod listener;
mod peer;
pub(crate) mod rules;
mod stream;
mod verify;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use self::acceptor::{Acceptor, AdmitKey};
pub use self::connector::{Connector, TcpDialer};
pub use self::explain::explain;
pub use self::identity::{Identity, TlsError, Trust};
pub use self::listener::{CONNECTIONS_MAX, HANDSHAKES_MAX, serve};
pub use self::peer::PeerIdentity;
pub use self::rules::{LEAF_LIFE_MAX, Rule};
pub use self::stream::{Accepted, Dialled, Secured, UntilCut};
pub use self::verify::Admit;

/// The one protocol that a link speaks.
const ALPN_HTTP2: &[u8] = b"h2";

/// A connection that came to nothing before it carried a byte. [`explain`] says what to check.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("{addr} cannot be reached")]
    Dial { addr: SocketAddr, source: io::Error },
    #[error("no TLS handshake came about within {} ms", limit.as_millis())]
    Timeout { limit: Duration },
    #[error("the connection broke during the TLS handshake")]
    Io(#[source] io::Error),
    #[error("the TLS handshake failed")]
    Tls(#[source] rustls::Error),
    #[error("the peer did not agree to speak HTTP/2")]
    NoHttp2,
    #[error("the certificate of the peer breaks a rule")]
    Peer(#[source] Rule),
}

impl HandshakeError {
    /// The rule of the mesh by which this side refused the peer, where it was one.
    pub fn rule(&self) -> Option<&Rule> {
        match self {
            Self::Peer(rule) => Some(rule),
            Self::Tls(error) => explain::broken_rule(error),
            _ => None,
        }
    }

    /// Finds rustls's own error again, which tokio-rustls wraps.
    fn from_io(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::Tls(error),
            Err(error) => Self::Io(error),
        }
    }
}

/// The cryptography of every link. Key exchange prefers the hybrid with ML-KEM, so that what is
/// recorded today stays sealed when X25519 falls.
fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}
