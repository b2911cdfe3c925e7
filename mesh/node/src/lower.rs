//! The listener for links from below: who may dial is decided in the TLS handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use mesh_core::node::NodeName;
use mesh_core::reason::{Problem, Reason};
use mesh_link::exchange::Incoming;
use mesh_link::lane::{Accept, Lane};
use mesh_link::peers::Peers;
use mesh_link::serve;
use mesh_rt::metrics::Handshakes;
use mesh_rt::server::mesh_server;
use mesh_rt::tls::{self, Acceptor, Admit, CONNECTIONS_MAX, PeerIdentity, Trust};
use tokio::net::TcpListener;
use tracing::warn;

use crate::catalogue;
use crate::feed;
use crate::node::{Node, NodeError};

/// The mesh port, bound and not yet served.
#[derive(Debug)]
pub struct Lower {
    listener: TcpListener,
    local_addr: SocketAddr,
    acceptor: Acceptor,
    peers: Arc<Peers>,
}

/// The handshakes of a mesh port, for its node's counters.
#[derive(Clone, Debug)]
pub struct HandshakeCounts(Acceptor);

impl HandshakeCounts {
    pub fn read(&self) -> Handshakes {
        let Self(acceptor) = self;
        Handshakes { accepted: acceptor.handshakes_ok(), refused: acceptor.handshakes_failed() }
    }
}

impl Lower {
    /// Binds `address`, for whom `admit` names and the directory knows.
    pub async fn bind(
        node: &Node,
        address: SocketAddr,
        trust: Trust,
        admit: Admit,
    ) -> Result<Self, NodeError> {
        let refused = |source| NodeError::Listen {
            field: "listen.mesh",
            address: address.to_string(),
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let mesh = node.me.mesh.clone();
        let acceptor =
            Acceptor::new(&node.identity, trust, admit, mesh).with_admit_key(node.admit_key());
        Ok(Self { listener, local_addr, acceptor, peers: Arc::default() })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The neighbours that have dialled.
    pub fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.peers)
    }

    pub fn handshakes(&self) -> HandshakeCounts {
        HandshakeCounts(self.acceptor.clone())
    }

    /// Serves links and the directory until the node drains; `accept` takes exchanges.
    pub fn serve(self, node: &Node, accept: Arc<dyn Accept>, grace: Duration) {
        let Self { listener, acceptor, peers, .. } = self;
        let door = Door { node: node.clone(), accept, peers: Arc::clone(&peers) };
        let links = serve::service(node.me.clone(), Arc::new(door), node.spawn());
        let feed = feed::service(node.hop(), node.directory.clone(), node.drain.clone());
        let texts = catalogue::service(node.clone());
        let (begun, stopping) = (node.drain.clone(), node.drain.clone());
        let incoming =
            tls::serve(listener, acceptor, CONNECTIONS_MAX, async move { begun.begun().await });
        node.drain.spawn(async move {
            let stop = async move { stopping.begun().await };
            let served = mesh_server().add_service(links).add_service(feed).add_service(texts);
            if let Err(error) = served.serve_with_incoming_shutdown(incoming, stop).await {
                warn!(%error, "the mesh port failed");
            }
        });
        let drain = node.drain.clone();
        node.drain.spawn(async move {
            drain.begun().await;
            peers.drain(grace).await;
        });
    }
}

/// Lets peers in and hands their exchanges on.
struct Door {
    node: Node,
    accept: Arc<dyn Accept>,
    peers: Arc<Peers>,
}

impl Accept for Door {
    fn accept(&self, incoming: Incoming) {
        self.accept.accept(incoming);
    }
}

impl serve::Admit for Door {
    fn admit(&self, connection: &Extensions) -> Result<NodeName, Problem> {
        let peer = connection.get::<PeerIdentity>();
        // The acceptor puts it there; a connection without one did not come through it.
        let peer = peer.ok_or_else(|| {
            self.node.problem(Reason::Internal, "the connection has no verified certificate")
        })?;
        // The connection may be older than the last change of the directory.
        if !self.node.directory.now().admits(&peer.node, &peer.spki) {
            let detail = "the directory no longer lists the key of this connection";
            return Err(self.node.problem(Reason::NodeUnknown, detail));
        }
        Ok(peer.node.clone())
    }

    fn joined(&self, lane: &Lane, connection: &Extensions) {
        self.peers.add(lane.clone());
        let (peers, lane) = (Arc::clone(&self.peers), lane.clone());
        // Without one `admit` would have refused it.
        let Some(peer) = connection.get::<PeerIdentity>().cloned() else { return };
        let node = self.node.clone();
        self.node.drain.spawn(async move {
            tokio::select! {
                () = lane.ended() => {}
                () = node.until_revoked(&peer) => {
                    warn!(peer = %lane.peer().node, reason = %Reason::NodeUnknown, "link cut");
                    let detail = "the directory no longer lists the key of this link";
                    lane.end(node.problem(Reason::NodeUnknown, detail));
                }
            }
            peers.forget(&lane).await;
        });
    }
}
