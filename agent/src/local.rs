//! The local port: where the system's own programs ask, by HTTP/1.1 on loopback.

mod own;
mod socket;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use mesh_core::limits::HEAD_BYTES_MAX;
use mesh_rt::drain::Drain;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;
use tracing::{debug, warn};

use self::own::OwnAnswer;
use self::socket::Socket;
use crate::ask::Consumer;

/// Connections at once; one more waits until another ends.
const CONNECTIONS_MAX: u32 = 1024;

/// From a connection, or the end of an exchange on it, to the head of the next request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// What is read of a connection at once. Twice what a head may be, so that of one that is too large
/// it can be said by how much; beyond it hyper answers, and says nothing but that.
const READ_BYTES_MAX: usize = 2 * HEAD_BYTES_MAX;

/// Before the next try to accept, after one failed: mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The port, bound and not yet served.
#[derive(Debug)]
pub struct Local {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl Local {
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr })
    }

    /// Where it listens; a port that was asked as 0 has its number here.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves applications until `drain` begins, and completes when the last has its answer.
    pub async fn serve(self, consumer: Arc<Consumer>, drain: Drain) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place.expect("nobody closes it"), self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = drain.begun() => break,
                next = next => next,
            };
            match accepted {
                Ok((stream, _)) => {
                    let served = connection(stream, Arc::clone(&consumer), drain.clone());
                    drain.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "local port accepted no connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        // Every connection holds a place, so all of them are over when all places are free.
        let _ = places.acquire_many(CONNECTIONS_MAX).await;
    }
}

/// Ends one connection, whatever is under way on it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<Notify>);

impl Cut {
    pub(crate) fn now(&self) {
        self.0.notify_one();
    }
}

async fn connection(stream: TcpStream, consumer: Arc<Consumer>, drain: Drain) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "local connection was gone at once");
        return;
    }
    let cut = Cut::default();
    let cuts = cut.clone();
    let asked = Arc::clone(&consumer);
    let explain = move |own: &OwnAnswer| {
        let (headers, body) = asked.unreadable(own.status);
        own.with(&headers, &body)
    };
    let (socket, ending) = Socket::new(stream, Arc::new(explain));
    // Does the application speak HTTP/1.0?
    let old = Arc::new(AtomicBool::new(false));
    let speaks = Arc::clone(&old);
    let service = service_fn(move |request: Request<Incoming>| {
        speaks.store(request.version() < Version::HTTP_11, Ordering::Relaxed);
        let (consumer, cut) = (Arc::clone(&consumer), cuts.clone());
        async move { Ok::<_, Infallible>(consumer.carry(request, cut).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Whoever sends nothing, or sends it slowly, frees its place.
        .header_read_timeout(HEAD_TIME_MAX)
        // Bounds the head and what one connection holds of a body; hyper takes 100 fields at most.
        .max_buf_size(READ_BYTES_MAX)
        .serve_connection(socket, service);
    let mut connection = pin!(connection);
    let serve = async {
        tokio::select! {
            served = connection.as_mut() => served,
            () = drain.begun() => {
                // What is under way finishes; nothing new is read.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    let broke = tokio::select! {
        served = serve => match served {
            Ok(()) => false,
            Err(error) => {
                debug!(%error, "local connection broke");
                error.is_user()
            }
        },
        () = cut.0.notified() => {
            debug!("local connection cut, its answer was not taken in time");
            true
        }
    };
    if broke && old.load(Ordering::Relaxed) {
        ending.reset();
    }
}
