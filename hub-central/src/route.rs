//! Where the centre hands an exchange on to, and what it checks before: the source, then the
//! agreement, then whether the service may be used, then whether anybody is there.

use std::sync::Arc;

use mesh_core::access;
use mesh_core::directory::Directory;
use mesh_core::exchange::RequestHeader;
use mesh_core::node::{Home, NodeName};
use mesh_core::permit::{Denied, Wish};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::route;
use mesh_core::time::UnixMs;
use mesh_link::exchange::Incoming;
use mesh_link::lane::{Accept, Lane};
use mesh_link::peers::Peers;
use mesh_link::relay::Flows;
use mesh_node::Node;
use mesh_node::passage::{Onward, pass};
use tracing::warn;

/// What the centre routes by. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Centre {
    node: Node,
    neighbours: Arc<Peers>,
}

impl Centre {
    pub(crate) fn new(node: Node, neighbours: Arc<Peers>) -> Self {
        Self { node, neighbours }
    }

    fn decide(&self, header: &RequestHeader, incoming: &Incoming) -> Result<Onward, Problem> {
        let from = incoming.lane.peer();
        let RequestHeader { consumer, service, operation, purpose, agreement, .. } = header;
        let directory = self.node.directory.now();
        let next = route::at_centre(&directory, &from.node, consumer, &service.system)
            .map_err(|reason| self.refusal(reason, header, &from.hop))?;
        let wish = Wish { consumer, service, operation, purpose };
        let now = UnixMs(self.node.clock.unix_ms());
        access::admit(&directory, &wish, agreement, now)
            .map_err(|refused| refused.problem(self.node.hop(), now))?;
        let lane = self.lane(&next, incoming)?;
        Ok(Onward { lane, flows: flows(&directory, header) })
    }

    fn lane(&self, next: &NodeName, incoming: &Incoming) -> Result<Lane, Problem> {
        self.neighbours.lane(next, incoming.lane.kind()).ok_or_else(|| {
            let hop = HopName::from(next);
            let detail = format!("the centre has no link from {hop}");
            let reason = match next {
                NodeName::Hub(_) => Reason::ClusterUnreachable,
                _ => Reason::ProviderUnreachable,
            };
            Problem::new(reason, hop, detail)
        })
    }

    fn refusal(&self, reason: Reason, header: &RequestHeader, from: &HopName) -> Problem {
        if reason == Reason::SourceMismatch {
            let RequestHeader { exchange, consumer, .. } = header;
            // A hub that speaks for another cluster's system is broken, or an attacker.
            warn!(%exchange, %from, %consumer, %reason, "false source");
            let detail = format!("{from} may not ask in the name of {consumer}");
            return Problem::new(reason, from.clone(), detail);
        }
        self.node.problem(reason, Denied::NotPermitted.to_string())
    }
}

/// One cluster is one flow, and so is each system at the edge.
fn flows(directory: &Directory, header: &RequestHeader) -> Flows {
    let flow = |system| match directory.home(system) {
        Some(Home::Cluster(cluster)) => cluster.as_str().into(),
        Some(Home::Centre) | None => system.to_string().into(),
    };
    Flows { request: flow(&header.consumer), answer: flow(&header.service.system) }
}

impl Accept for Centre {
    fn accept(&self, incoming: Incoming) {
        let centre = self.clone();
        self.node.drain.spawn(async move {
            let decide =
                |header: &RequestHeader, incoming: &Incoming| centre.decide(header, incoming);
            pass(&centre.node, incoming, decide).await;
        });
    }
}
