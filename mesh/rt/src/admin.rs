//! The admin port of a node: health, reflection, and what operators ask of it.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use mesh_core::reason::HopName;
use mesh_proto::wire::admin::v1::{StatusResponse, TopologyResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::layer::util::Stack;
use tracing::warn;

use crate::admission::AdmissionLayer;
use crate::readiness::Readiness;
use crate::server::HEADER_LIST_BYTES_MAX;
use crate::tls::AdmitKey;
pub use catalogue::CatalogueDesk;
use connection::Connection;
use gate::GateLayer;
pub use registry::RegistryDesk;

mod catalogue;
mod connection;
mod gate;
mod registry;
mod services;

/// Requests in hand over all connections, streams among them.
const REQUESTS_MAX: usize = 64;

/// Connections at once; one more waits until another ends.
const CONNECTIONS_MAX: usize = 64;

/// Time to answer one request; a stream may go on for longer.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// One message of a request.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// An operator's connection that does not answer for interval and timeout is dead.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests in hand may take to end when the port closes.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// Before the next try to accept, after one failed: mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a node tells of itself. Asked anew for each request, so it must answer at once.
pub trait NodeView: Send + Sync + 'static {
    fn status(&self) -> StatusResponse;

    fn topology(&self) -> TopologyResponse;
}

/// The admin port, bound and not yet served.
#[derive(Debug)]
pub struct AdminBound {
    listener: TcpListener,
    local_addr: SocketAddr,
}

/// What the admin port serves.
#[derive(Clone)]
pub struct AdminPort {
    /// The node's name in refusals.
    pub hop: HopName,
    pub view: Arc<dyn NodeView>,
    /// What health follows.
    pub readiness: Readiness,
    /// Full names of the services that health knows beside the node itself (`""`).
    pub services: Vec<String>,
    /// Asked at each request whether the key of whoever asks is active still; `None` for a port
    /// that loopback alone protects.
    pub admits: Option<AdmitKey>,
    /// What is known of services.
    pub catalogue: Option<Arc<dyn CatalogueDesk>>,
    /// Only the centre has one.
    pub registry: Option<Arc<dyn RegistryDesk>>,
}

/// The admin port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("reflection cannot be served")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("the admin port cannot be served")]
    Serve(#[from] tonic::transport::Error),
}

impl AdminBound {
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr })
    }

    /// Where it listens; a port that was asked as 0 has its number here.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The listener, for those who take TLS connections of operators from it.
    pub fn into_listener(self) -> TcpListener {
        self.listener
    }

    /// Plain connections, for a port that loopback alone protects.
    pub fn into_incoming(self) -> impl Stream<Item = io::Result<TcpStream>> + Send {
        stream::unfold(self.listener, |listener| async {
            let accepted = listener.accept().await.and_then(|(stream, _)| {
                stream.set_nodelay(true)?;
                Ok(stream)
            });
            if let Err(error) = &accepted {
                warn!(%error, "admin port accepted no connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Some((accepted, listener))
        })
    }
}

impl AdminPort {
    /// Serves the connections of `incoming` until `until` completes, which is best the end of the
    /// drain: operators want to watch it. No connection outlives this call.
    pub async fn serve<IO>(
        self,
        incoming: impl Stream<Item = io::Result<IO>> + Send,
        until: impl Future<Output = ()> + Send,
    ) -> Result<(), AdminError>
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let health = HealthReporter::new();
        self.publish(&health).await;
        let routes = services::routes(&self, health.clone())?;

        let closing = CancellationToken::new();
        let broken_off = CancellationToken::new();
        let incoming = bounded(incoming, broken_off.clone());
        let server = self.server(routes);
        let mut server = pin!(server.serve_with_incoming_shutdown(incoming, closing.cancelled()));
        tokio::select! {
            served = &mut server => return Ok(served?),
            never = self.follow(health) => match never {},
            () = until => {}
        }
        closing.cancel();
        if let Ok(served) = tokio::time::timeout(CLOSE_TIME_MAX, &mut server).await {
            return Ok(served?);
        }
        // Whoever watches health holds a stream that never ends by itself.
        broken_off.cancel();
        Ok(server.await?)
    }

    /// The stack, from the connection down to the services.
    fn server(&self, routes: Routes) -> Router {
        Server::builder()
            // Operators' tools speak gRPC; there is no HTTP/1 here.
            .accept_http1(false)
            // One operator cannot hold more streams than the node takes requests.
            .max_concurrent_streams(REQUESTS_MAX as u32)
            // A header list larger than this is no operator's.
            .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
            // A tool that went away without a word frees its place.
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            // Answers late are no answers; applies to the head of an answer, not to streams.
            .timeout(REQUEST_TIME_MAX)
            // Who asks is still let in, and does not ask too often.
            .layer(GateLayer::new(self.hop.clone(), self.admits.clone()))
            // Over all connections, counted until the answer's body ends.
            .layer(AdmissionLayer::new(self.hop.clone(), REQUESTS_MAX))
            // The services; any other name gets UNIMPLEMENTED. Each bounds its messages.
            .add_routes(routes)
    }

    async fn follow(&self, health: HealthReporter) -> Infallible {
        let mut readiness = self.readiness.clone();
        loop {
            self.publish(&health).await;
            readiness.changed().await;
        }
    }

    async fn publish(&self, health: &HealthReporter) {
        let ready = self.readiness.ready();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in std::iter::once("").chain(self.services.iter().map(String::as_str)) {
            health.set_service_status(service, status).await;
        }
    }
}

impl fmt::Debug for AdminPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hop, view: _, readiness, services, .. } = self;
        let mut shown = f.debug_struct("AdminPort");
        shown.field("hop", hop).field("readiness", readiness).field("services", services);
        shown.finish_non_exhaustive()
    }
}

type Router = tonic::transport::server::Router<
    Stack<AdmissionLayer, Stack<GateLayer, tower::layer::util::Identity>>,
>;

/// Lets at most [`CONNECTIONS_MAX`] of `incoming` live at once, and none beyond `broken_off`.
fn bounded<IO>(
    incoming: impl Stream<Item = io::Result<IO>> + Send,
    broken_off: CancellationToken,
) -> impl Stream<Item = io::Result<Connection<IO>>> + Send
where
    IO: Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    incoming.then(move |accepted| {
        let (places, broken_off) = (places.clone(), broken_off.clone());
        async move {
            let io = accepted?;
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            Ok(Connection::new(io, place, broken_off))
        }
    })
}

#[cfg(test)]
mod tests;
