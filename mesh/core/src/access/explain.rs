//! May this consumer use this operation, and if not, why? Walks the way of an exchange with the
//! very rules that its nodes apply, in their order, and says of the first that refuses what nobody
//! but an operator may know.

use crate::access::{self, Refused};
use crate::agreement::{Agreement, State as AgreementState};
use crate::directory::Directory;
use crate::node::{Home, NodeName};
use crate::permit::{self, Denied, Wish};
use crate::reason::{HopName, Mender, Reason};
use crate::route::{self, AtHub, From};
use crate::service::{Service, State};
use crate::time::UnixMs;

/// An exchange that would pass.
#[derive(Clone, Debug)]
pub struct Passage<'d> {
    pub agreement: &'d Agreement,
    pub service: &'d Service,
    /// Usable, and perhaps deprecated.
    pub state: State,
    /// The nodes that it passes, the consumer's agent first.
    pub way: Vec<NodeName>,
}

/// The first rule that refuses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stop {
    pub rule: Rule,
    /// What the caller is told.
    pub reason: Reason,
    /// The node that refuses.
    pub hop: HopName,
    /// What operators are told: more than the caller.
    pub detail: String,
    pub mender: Mender,
    /// Since when, where the directory says so.
    pub since: Option<UnixMs>,
}

/// The rules, in the order in which they are asked. Names are permanent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// The system that asks is in the registry.
    Consumer,
    /// The service is, and its version.
    Service,
    /// The service has such an operation.
    Operation,
    /// Consumer and provider have agreed on this operation and purpose, and the agreement is in
    /// force.
    Agreement,
    /// The service may be used now.
    ServiceState,
    /// Everybody stands where the way leads.
    Route,
    /// The next node on the way has a key, without which it can have no link.
    Joined,
}

/// Walks the way of `wish` at `now`.
pub fn explain<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
    now: UnixMs,
) -> Result<Passage<'d>, Box<Stop>> {
    let walk = Walk { directory, wish: *wish, now };
    let home = walk.home_of_consumer()?;
    let agent = NodeName::Agent { system: wish.consumer.clone(), home: home.clone() };
    let agreement = walk.leave(&agent)?;
    let mut way = vec![agent];
    walk.onward(&mut way, home, agreement)?;
    let service = walk.admit(way.last().unwrap_or(&NodeName::Centre), agreement)?;
    Ok(Passage { agreement, service, state: service.state(now), way })
}

struct Walk<'d, 'w> {
    directory: &'d Directory,
    wish: Wish<'w>,
    now: UnixMs,
}

impl<'d> Walk<'d, '_> {
    /// An agent of a system that the registry does not know has no link.
    fn home_of_consumer(&self) -> Result<Home, Box<Stop>> {
        let consumer = self.wish.consumer;
        self.directory.home(consumer).ok_or_else(|| {
            let agent = NodeName::Agent { system: consumer.clone(), home: Home::Centre };
            let detail = format!("the registry has no system {consumer}");
            self.stop(Rule::Consumer, Reason::NodeUnknown, &agent, detail)
        })
    }

    /// What the consumer's agent decides.
    fn leave(&self, agent: &NodeName) -> Result<&'d Agreement, Box<Stop>> {
        let agreement = permit::decide(self.directory, &self.wish, self.now);
        let agreement = agreement.map_err(|why| self.denied(agent, &why))?;
        self.admit(agent, agreement)?;
        Ok(agreement)
    }

    /// What every node that checks for itself decides.
    fn admit(&self, at: &NodeName, agreement: &Agreement) -> Result<&'d Service, Box<Stop>> {
        let admitted = access::admit(self.directory, &self.wish, &agreement.id(), self.now);
        admitted.map_err(|refused| match refused {
            Refused::Denied(why) => self.denied(at, &why),
            Refused::Unusable(unusable) => {
                let detail = unusable.to_string();
                let stop = self.stop(Rule::ServiceState, unusable.reason(), at, detail);
                Box::new(Stop { since: unusable.state().since(), ..*stop })
            }
        })
    }

    /// What the hubs decide, from the consumer's home to the provider's agent.
    fn onward(
        &self,
        way: &mut Vec<NodeName>,
        home: Home,
        agreement: &Agreement,
    ) -> Result<(), Box<Stop>> {
        let Wish { consumer, service, .. } = self.wish;
        let pair = (consumer, &service.system);
        if let Home::Cluster(cluster) = home {
            let hub = NodeName::Hub(cluster.clone());
            self.step(way, hub.clone())?;
            let from = From::Agent(consumer);
            let next = route::at_hub(self.directory, &cluster, from, pair);
            if next.map_err(|reason| self.astray(reason, &hub))? == AtHub::Down {
                self.admit(&hub, agreement)?;
                return self.step(way, self.provider(Home::Cluster(cluster)));
            }
        }
        let from = way.last().cloned().unwrap_or(NodeName::Centre);
        self.step(way, NodeName::Centre)?;
        let next = route::at_centre(self.directory, &from, consumer, &service.system);
        let next = next.map_err(|reason| self.astray(reason, &NodeName::Centre))?;
        self.admit(&NodeName::Centre, agreement)?;
        self.step(way, next.clone())?;
        if let NodeName::Hub(cluster) = next {
            let hub = NodeName::Hub(cluster.clone());
            match route::at_hub(self.directory, &cluster, From::Centre, pair) {
                Ok(AtHub::Down) => self.step(way, self.provider(Home::Cluster(cluster)))?,
                Ok(AtHub::Up) => return Err(self.astray(Reason::LoopRefused, &hub)),
                Err(reason) => return Err(self.astray(reason, &hub)),
            }
        }
        Ok(())
    }

    /// Goes on to `next`, if there can be a link. Of all nodes the centre alone needs no key here.
    fn step(&self, way: &mut Vec<NodeName>, next: NodeName) -> Result<(), Box<Stop>> {
        let lacks_key =
            |node: &&NodeName| **node != NodeName::Centre && !self.directory.has_joined(node);
        if let Some(keyless) = way.last().into_iter().chain([&next]).find(lacks_key) {
            let reason = match next {
                _ if way.len() == 1 => Reason::HubUnreachable,
                NodeName::Hub(_) => Reason::ClusterUnreachable,
                _ => Reason::ProviderUnreachable,
            };
            let detail = format!("the registry has no key of {keyless}, which so has no link");
            return Err(self.stop(Rule::Joined, reason, keyless, detail));
        }
        way.push(next);
        Ok(())
    }

    fn provider(&self, home: Home) -> NodeName {
        NodeName::Agent { system: self.wish.service.system.clone(), home }
    }

    fn astray(&self, reason: Reason, at: &NodeName) -> Box<Stop> {
        let Wish { consumer, service, .. } = self.wish;
        let detail = format!("the way from {consumer} to {} does not lead here", service.system);
        self.stop(Rule::Route, reason, at, detail)
    }

    /// What stands against the wish. Of whom has no agreement the caller is told nothing of this.
    fn denied(&self, at: &NodeName, why: &Denied) -> Box<Stop> {
        let Wish { consumer, service: address, operation, purpose } = self.wish;
        let (rule, detail) = match (why, self.directory.service(address)) {
            (Denied::State { .. }, _) => (Rule::Agreement, why.to_string()),
            (_, None) => (Rule::Service, format!("the registry has no service {address}")),
            (_, Some(service)) if !service.operations.iter().any(|it| it.id == *operation) => {
                let known: Vec<&str> = service.operations.iter().map(|it| it.id.as_str()).collect();
                let known = known.join(", ");
                (Rule::Operation, format!("{address} has no operation {operation}, only {known}"))
            }
            (Denied::NotPermitted, _) => {
                let detail = format!("no agreement lets {consumer} use {address}");
                (Rule::Agreement, detail)
            }
            (Denied::Operation, _) => {
                let detail =
                    format!("{consumer} may use {address}, and not its operation {operation}");
                (Rule::Agreement, detail)
            }
            (Denied::Purpose, _) => {
                let purposes = self.purposes();
                let detail = format!("{operation} is agreed on for {purposes}, not for {purpose}");
                (Rule::Agreement, detail)
            }
        };
        let stop = self.stop(rule, why.reason(), at, detail);
        Box::new(Stop { since: since(self.directory, why), ..*stop })
    }

    /// The purposes for which the operation may be used.
    fn purposes(&self) -> String {
        let Wish { consumer, service, operation, .. } = self.wish;
        let terms = self.directory.agreements(consumer, service).map(|it| it.terms());
        let covering = terms.filter(|terms| terms.operations.contains(operation));
        let purposes = covering.flat_map(|terms| terms.purposes.keys().map(|it| it.as_str()));
        purposes.collect::<Vec<_>>().join(", ")
    }

    fn stop(&self, rule: Rule, reason: Reason, at: &NodeName, detail: String) -> Box<Stop> {
        let hop = HopName::from(at);
        Box::new(Stop { rule, reason, hop, detail, mender: reason.mender(), since: None })
    }
}

/// Since when an agreement is in the state that stands against a wish.
fn since(directory: &Directory, why: &Denied) -> Option<UnixMs> {
    let Denied::State { agreement, state } = why else { return None };
    match state {
        AgreementState::Expired { at_unix_ms }
        | AgreementState::Superseded { at_unix_ms, .. }
        | AgreementState::Revoked { at_unix_ms, .. }
        | AgreementState::Rejected { at_unix_ms, .. } => Some(UnixMs(*at_unix_ms)),
        AgreementState::Suspended { by } => {
            let agreement = directory.agreement(agreement)?;
            let acts = agreement.acts.iter().filter(|act| by.contains(&act.party));
            acts.map(|act| UnixMs(act.at_unix_ms)).max()
        }
        _ => None,
    }
}

impl Rule {
    /// Its permanent name, such as `service-state`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Agreement => "agreement",
            Self::ServiceState => "service-state",
            Self::Route => "route",
            Self::Joined => "joined",
        }
    }
}

#[cfg(test)]
mod tests;
