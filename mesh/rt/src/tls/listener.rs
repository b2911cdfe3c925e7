//! The accept loop: sockets in, links out, and no handshake can hold up another.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use super::HandshakeError;
use super::acceptor::Acceptor;
use super::explain::explain;
use super::stream::Accepted;

/// Connections of one listener, handshakes included. What comes beyond is closed at once, so that a
/// client backs off instead of waiting.
pub const CONNECTIONS_MAX: usize = 4096;

/// Handshakes that compute at the same time. A client that sends nothing does not count here.
pub const HANDSHAKES_MAX: usize = 256;

/// Pause after the system refused us a socket, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The links that peers open on `listener`, until `stop` resolves. For tonic's
/// `serve_with_incoming_shutdown`.
///
/// The stream owns all that is under way: when it ends or is dropped, open handshakes end too.
/// It never gives an error; failures are counted by the acceptor and logged.
pub fn serve<F>(
    listener: TcpListener,
    acceptor: Acceptor,
    connections_max: usize,
    stop: F,
) -> impl Stream<Item = io::Result<Accepted<TcpStream>>> + Send + use<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    let incoming = Incoming {
        listener,
        acceptor,
        connections: Arc::new(Semaphore::new(connections_max)),
        handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        under_way: JoinSet::new(),
        paused_until: None,
        is_full: false,
        stop: Box::pin(stop),
    };
    unfold(incoming, |mut incoming| async {
        let link = incoming.next().await?;
        Some((Ok(link), incoming))
    })
}

struct Incoming {
    listener: TcpListener,
    acceptor: Acceptor,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    /// Handshakes, each in a task of its own. One that fails or panics harms no other.
    under_way: JoinSet<Option<Accepted<TcpStream>>>,
    paused_until: Option<Instant>,
    /// The last connection found no room; said once in the log, not once per connection.
    is_full: bool,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Incoming {
    async fn next(&mut self) -> Option<Accepted<TcpStream>> {
        loop {
            let pause = self.paused_until;
            tokio::select! {
                biased;
                () = &mut self.stop => return None,
                Some(done) = self.under_way.join_next() => match done {
                    Ok(Some(link)) => return Some(link),
                    Ok(None) => {}
                    Err(error) => error!(%error, "a handshake panicked"),
                },
                () = sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {
                    self.paused_until = None;
                }
                accepted = self.listener.accept(), if pause.is_none() => match accepted {
                    Ok((socket, addr)) => self.start(socket, addr),
                    Err(error) => self.pause(&error),
                },
            }
        }
    }

    fn start(&mut self, socket: TcpStream, addr: SocketAddr) {
        let Ok(connection) = Arc::clone(&self.connections).try_acquire_owned() else {
            if !self.is_full {
                warn!(peer = %addr, "no room for more connections, closing new ones");
            }
            self.is_full = true;
            self.acceptor.count_failed();
            return;
        };
        self.is_full = false;
        let acceptor = self.acceptor.clone();
        let handshakes = Arc::clone(&self.handshakes);
        self.under_way.spawn(async move {
            match handshake(socket, &acceptor, &handshakes).await {
                Ok(link) => Some(counted(link, connection)),
                Err(error) => {
                    log_failure(addr, &error);
                    None
                }
            }
        });
    }

    fn pause(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        warn!(%error, "cannot accept connections, trying again");
        self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
    }
}

async fn handshake(
    socket: TcpStream,
    acceptor: &Acceptor,
    handshakes: &Semaphore,
) -> Result<Accepted<TcpStream>, HandshakeError> {
    let limit = acceptor.handshake_max();
    let ready = async {
        socket.set_nodelay(true)?;
        // Not `readable`, which may wake for nothing.
        socket.peek(&mut [0]).await
    };
    // Only who has sent something takes one of the places, or silent clients would take them all.
    match timeout(limit, ready).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            acceptor.count_failed();
            return Err(HandshakeError::Io(error));
        }
        Err(_) => {
            acceptor.count_failed();
            return Err(HandshakeError::Timeout { limit });
        }
    }
    let _place = handshakes.acquire().await;
    acceptor.accept(socket).await
}

fn counted(link: Accepted<TcpStream>, connection: OwnedSemaphorePermit) -> Accepted<TcpStream> {
    debug!(node = %link.peer().node, "accepted a connection");
    link.counted(connection)
}

fn log_failure(addr: SocketAddr, error: &HandshakeError) {
    let reason = explain(error).unwrap_or_default();
    match error {
        // Port scans, health checks of balancers, clients that went away.
        HandshakeError::Io(_) | HandshakeError::Timeout { .. } => {
            debug!(peer = %addr, %error, "no handshake");
        }
        _ => info!(peer = %addr, %error, reason, "refused a connection"),
    }
}
