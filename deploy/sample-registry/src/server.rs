//! The service over TCP: build it, read its address, run it until someone asks it to stop.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::api::Api;
use crate::database::{Database, DatabaseError};
use crate::kind::Kind;

/// How long requests in flight may take once the service is asked to stop.
pub const GRACE: Duration = Duration::from_secs(5);

/// Open connections at once; further ones wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 1024;

/// How long a connection may stay silent, or take to send the head of a request.
const HEAD_WAIT: Duration = Duration::from_secs(60);

/// How long to wait after the system had no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a register needs to know to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Should be loopback, as callers are not asked who they are; port 0 lets the system choose.
    pub listen: SocketAddr,
    pub database: PathBuf,
    pub kind: Kind,
    pub seed: u64,
    /// At most [`PERSONS_MAX`](crate::PERSONS_MAX).
    pub persons: u32,
}

/// A register that is filled and holds its address, but does not answer yet.
pub struct Bound {
    address: SocketAddr,
    listener: TcpListener,
    api: Arc<Api>,
}

/// How a register ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drained {
    Finished,
    BrokeOff { connections: usize },
}

/// Why a register did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the database {} cannot be used", file.display())]
    Database { file: PathBuf, source: DatabaseError },
    #[error("cannot listen on {listen}")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error("the database was not opened to the end")]
    Opening(#[source] JoinError),
}

impl Bound {
    /// Opens the database, fills it if it is empty, and only then binds.
    pub async fn build(config: Config) -> Result<Self, StartError> {
        let Config { listen, database: file, kind, seed, persons } = config;
        let register = kind.register();
        let opening = spawn_blocking(move || {
            let opened = Database::open(&file, &kind, seed, persons);
            opened.map_err(|source| StartError::Database { file, source })
        });
        let database = opening.await.map_err(StartError::Opening)??;
        let failed = |source| StartError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { address, listener, api: Arc::new(Api::new(register, database)) })
    }

    /// The address that was bound, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` completes. Then it accepts no more, waits at most `grace` for requests
    /// in flight, and breaks off the rest.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) -> Drained {
        let Self { listener, api, .. } = self;
        let mut stop = pin!(stop);
        let (drain, draining) = watch::channel(());
        // A connection that fails or panics concerns its peer alone, so its end is only counted.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(serve(stream, Arc::clone(&api), draining.clone()));
                        }
                        // Not ours to mend: out of file descriptors, or the peer left already.
                        Err(_) => sleep(ACCEPT_PAUSE).await,
                    }
                }
            }
        }
        drop(listener);
        drain.send_replace(());
        let finish = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, finish).await.is_ok() {
            return Drained::Finished;
        }
        let left = connections.len();
        connections.shutdown().await;
        Drained::BrokeOff { connections: left }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Serves one connection. When draining begins, it ends after the request in flight, if any.
async fn serve(stream: TcpStream, api: Arc<Api>, mut draining: watch::Receiver<()>) {
    // Answers are small and whole: waiting to fill a packet would only delay them. A stream that
    // refuses the option still serves.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // An error here is a peer that broke off or does not speak HTTP.
        _ = &mut connection => return,
        _ = draining.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
