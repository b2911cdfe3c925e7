//! The admin port: for operators with a certificate, or, beside an agent, for loopback alone.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::directory::Directory;
use mesh_core::node::NodeName;
use mesh_link::dial::Uplink;
use mesh_link::peers::Peers;
use mesh_proto::wire::admin::v1::ServiceAway;
use mesh_rt::admin::{AdminBound, AdminPort, RegistryDesk};
use mesh_rt::drain::Drained;
use mesh_rt::tls::{self, Acceptor, Admit, CONNECTIONS_MAX, Trust};
use tokio::sync::oneshot;
use tracing::error;

use crate::catalogue::Catalogue;
use crate::lower::HandshakeCounts;
use crate::node::{Node, NodeError};
use crate::view::View;

/// The lower neighbours that a directory says there should be.
#[derive(Clone)]
pub struct Expected(pub Arc<Expect>);

type Expect = dyn Fn(&Directory) -> Vec<NodeName> + Send + Sync;

impl Default for Expected {
    /// None, as for an agent.
    fn default() -> Self {
        Self(Arc::new(|_| Vec::new()))
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected").finish_non_exhaustive()
    }
}

/// The services of a node's own system that do not answer; asked anew for each status.
#[derive(Clone)]
pub struct ServicesAway(pub Arc<dyn Fn() -> Vec<ServiceAway> + Send + Sync>);

impl Default for ServicesAway {
    /// None, as for a hub.
    fn default() -> Self {
        Self(Arc::new(Vec::new))
    }
}

impl fmt::Debug for ServicesAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServicesAway").finish_non_exhaustive()
    }
}

/// What operators see of a node beside the node itself.
#[derive(Default)]
pub struct Sides {
    pub upper: Option<(NodeName, Arc<Uplink>)>,
    pub lower: Option<(Arc<Peers>, HandshakeCounts)>,
    pub expected: Expected,
    pub services_away: ServicesAway,
    /// What changes the registry; only the centre has it.
    pub registry: Option<Arc<dyn RegistryDesk>>,
}

impl fmt::Debug for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sides").field("upper", &self.upper).finish_non_exhaustive()
    }
}

/// The admin port, bound and not yet served.
#[derive(Debug)]
pub struct Operators {
    bound: AdminBound,
    /// Vouches for operators; `None` where the node's certificate cannot serve.
    trust: Option<Trust>,
}

/// An admin port that is served. It outlives the drain, so that operators can watch it.
#[derive(Debug)]
pub struct Served {
    stop: oneshot::Sender<()>,
    port: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Waits until `stop` completes, drains `node`, and closes the port at the end of all.
    pub async fn until(
        self,
        node: &Node,
        stop: impl Future<Output = std::io::Result<()>>,
        grace: Duration,
    ) -> Drained {
        // Without signals the node would never leave in order, so it leaves now.
        if let Err(error) = stop.await {
            error!(%error, "signals cannot be awaited");
        }
        let drained = node.drain.run(grace).await;
        self.close().await;
        drained
    }

    async fn close(self) {
        // The port may have ended by itself, with its error in the log.
        let _ = self.stop.send(());
        let _ = self.port.await;
    }
}

impl Operators {
    pub async fn bind(address: SocketAddr, trust: Option<Trust>) -> Result<Self, NodeError> {
        let bound = AdminBound::bind(address).await.map_err(|source| NodeError::Listen {
            field: "admin.listen",
            address: address.to_string(),
            source,
        })?;
        Ok(Self { bound, trust })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// Serves health, reflection and the admin service.
    pub fn serve(self, node: &Node, sides: Sides) -> Served {
        let Sides { upper, lower, expected, services_away, registry } = sides;
        let view = View { node: node.clone(), upper, lower, expected, services_away };
        let port = AdminPort {
            hop: node.hop(),
            view: Arc::new(view),
            readiness: node.readiness.clone(),
            services: vec!["mesh.admin.v1.AdminService".into()],
            admits: self.trust.is_some().then(|| node.admit_key()),
            catalogue: Some(Arc::new(Catalogue::new(node.clone()))),
            registry,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move {
            let _ = stopped.await;
        };
        let Self { bound, trust } = self;
        let acceptor = trust.map(|trust| {
            Acceptor::new(&node.identity, trust, Admit::AdminPort, node.me.mesh.clone())
                .with_admit_key(node.admit_key())
        });
        let served = async move {
            let result = match acceptor {
                None => port.serve(bound.into_incoming(), until).await,
                Some(acceptor) => {
                    let never = std::future::pending();
                    let listener = bound.into_listener();
                    let incoming = tls::serve(listener, acceptor, CONNECTIONS_MAX, never);
                    // Boxed: a server with its TLS is a large future.
                    Box::pin(port.serve(incoming, until)).await
                }
            };
            if let Err(error) = result {
                error!(%error, "the admin port failed");
            }
        };
        Served { stop, port: tokio::spawn(served) }
    }
}
