//! Where a cluster hub hands an exchange on to, and what it checks before.

use std::sync::{Arc, OnceLock};

use mesh_core::access;
use mesh_core::directory::Directory;
use mesh_core::exchange::RequestHeader;
use mesh_core::id::ClusterId;
use mesh_core::node::{Home, NodeName};
use mesh_core::permit::{self, Wish};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::route::{self, AtHub, From};
use mesh_core::time::UnixMs;
use mesh_link::dial::Uplink;
use mesh_link::exchange::Incoming;
use mesh_link::lane::Accept;
use mesh_link::peers::Peers;
use mesh_link::relay::Flows;
use mesh_node::Node;
use mesh_node::passage::{Onward, pass};

/// What the hub routes by.
#[derive(Debug)]
pub(crate) struct Hub {
    node: Node,
    cluster: ClusterId,
    agents: Arc<Peers>,
    /// Set once, when the hub begins to dial: what takes exchanges from it must exist before.
    uplink: OnceLock<Arc<Uplink>>,
}

/// Takes what agents ask.
struct FromBelow(Arc<Hub>);

/// Takes what the centre hands down.
struct FromAbove(Arc<Hub>);

impl Hub {
    pub(crate) fn new(node: Node, cluster: ClusterId, agents: Arc<Peers>) -> Self {
        Self { node, cluster, agents, uplink: OnceLock::new() }
    }

    pub(crate) fn link_up(&self, uplink: Arc<Uplink>) {
        self.uplink.set(uplink).expect("a hub begins to dial once");
    }

    pub(crate) fn from_below(self: &Arc<Self>) -> Arc<dyn Accept> {
        Arc::new(FromBelow(Arc::clone(self)))
    }

    pub(crate) fn from_above(self: &Arc<Self>) -> Arc<impl Accept + use<>> {
        Arc::new(FromAbove(Arc::clone(self)))
    }

    fn take(self: &Arc<Self>, incoming: Incoming, from: fn(&Self, &Decision<'_>) -> Step) {
        let hub = Arc::clone(self);
        self.node.drain.spawn(async move {
            let decide = |header: &RequestHeader, incoming: &Incoming| {
                let directory = &hub.node.directory.now();
                from(&hub, &Decision { header, incoming, directory })
            };
            pass(&hub.node, incoming, decide).await;
        });
    }

    fn decide_from_below(&self, decision: &Decision<'_>) -> Step {
        let NodeName::Agent { system, .. } = &decision.incoming.lane.peer().node else {
            return Err(self.node.problem(Reason::SourceMismatch, "only agents dial this hub"));
        };
        match self.route(From::Agent(system), decision)? {
            AtHub::Up => self.up(decision),
            AtHub::Down => {
                // Nobody else sees this exchange, so nobody else checks it.
                self.permit(decision)?;
                self.down(decision)
            }
        }
    }

    fn decide_from_above(&self, decision: &Decision<'_>) -> Step {
        match self.route(From::Centre, decision)? {
            AtHub::Down => self.down(decision),
            AtHub::Up => Err(self.refusal(Reason::LoopRefused, decision)),
        }
    }

    fn route(&self, from: From<'_>, decision: &Decision<'_>) -> Result<AtHub, Problem> {
        let pair = (&decision.header.consumer, &decision.header.service.system);
        route::at_hub(decision.directory, &self.cluster, from, pair)
            .map_err(|reason| self.refusal(reason, decision))
    }

    fn permit(&self, decision: &Decision<'_>) -> Result<(), Problem> {
        let RequestHeader { consumer, service, operation, purpose, agreement, .. } =
            decision.header;
        let wish = Wish { consumer, service, operation, purpose };
        let now = UnixMs(self.node.clock.unix_ms());
        access::admit(decision.directory, &wish, agreement, now)
            .map(drop)
            .map_err(|refused| refused.problem(self.node.hop(), now))
    }

    fn up(&self, decision: &Decision<'_>) -> Step {
        let kind = decision.incoming.lane.kind();
        let lane = self.uplink.get().and_then(|uplink| uplink.lane(kind)).ok_or_else(|| {
            let centre = HopName::from(&NodeName::Centre);
            let detail = format!("{} has no link to the centre", self.node.hop());
            Problem::new(Reason::CentreUnreachable, centre, detail)
        })?;
        Ok(Onward { lane, flows: self.flows(decision) })
    }

    fn down(&self, decision: &Decision<'_>) -> Step {
        let system = decision.header.service.system.clone();
        let agent = NodeName::Agent { system, home: Home::Cluster(self.cluster.clone()) };
        let lane = self.agents.lane(&agent, decision.incoming.lane.kind()).ok_or_else(|| {
            let hop = HopName::from(&agent);
            let detail = format!("{} has no link from the agent {hop}", self.node.hop());
            Problem::new(Reason::ProviderUnreachable, hop, detail)
        })?;
        Ok(Onward { lane, flows: self.flows(decision) })
    }

    /// Flows are clusters where the lane carries several, and systems inside this one.
    fn flows(&self, decision: &Decision<'_>) -> Flows {
        let Decision { header, directory, .. } = decision;
        let flow = |system| match directory.home(system) {
            Some(Home::Cluster(cluster)) if cluster != self.cluster => cluster.as_str().into(),
            _ => system.to_string().into(),
        };
        Flows { request: flow(&header.consumer), answer: flow(&header.service.system) }
    }

    fn refusal(&self, reason: Reason, decision: &Decision<'_>) -> Problem {
        let from = &decision.incoming.lane.peer().hop;
        let RequestHeader { consumer, service, .. } = decision.header;
        let (hop, detail) = match reason {
            Reason::SourceMismatch => {
                (from.clone(), format!("{from} may not ask in the name of {consumer}"))
            }
            Reason::LoopRefused => {
                (self.node.hop(), format!("what {consumer} asks of {service} stays in its cluster"))
            }
            Reason::RouteStale => {
                let detail = format!("{} is not at home at {}", service.system, self.node.hop());
                (self.node.hop(), detail)
            }
            _ => (self.node.hop(), permit::Denied::NotPermitted.to_string()),
        };
        Problem::new(reason, hop, detail)
    }
}

/// What a decision is about.
struct Decision<'d> {
    header: &'d RequestHeader,
    incoming: &'d Incoming,
    /// The directory as it was when the exchange came.
    directory: &'d Directory,
}

type Step = Result<Onward, Problem>;

impl Accept for FromBelow {
    fn accept(&self, incoming: Incoming) {
        self.0.take(incoming, |hub, decision| hub.decide_from_below(decision));
    }
}

impl Accept for FromAbove {
    fn accept(&self, incoming: Incoming) {
        self.0.take(incoming, |hub, decision| hub.decide_from_above(decision));
    }
}
