//! `hubctl topology`: what all nodes say of their links, put together into one tree.
//!
//! The place of a node follows from its name: hubs are below the centre, an agent is below the hub
//! of its cluster, or below the centre. A node that only a neighbour knows is there too. Of a link
//! that both ends speak of, the upper end is believed: it sees all replicas of an agent.
//!
//! With `-o json` an array of objects, in the order of the tree. What is not known is `null`.
//!
//! ```text
//! node      name below the mesh domain
//! answer    answered, unreachable, not_asked
//! error     why it is unreachable, and what to check
//! upper     the node that it is attached to; null for the centre
//! software  of the node, as its neighbour knows it
//! link      linked, not_linked, unknown: to the upper node; null for the centre
//! seen_by   whose word that is
//! lanes     of that link; two, or as many for each replica
//!   lane                 quick, bulk
//!   link_id              differs between replicas
//!   since_unix_ms
//!   exchanges_in_flight
//!   exchanges_total
//!   round_trip_us        of the last ping; null until there is one
//!   draining
//! ```
//!
//! `--down` shows those alone that are not as they should be: nodes that do not answer, links that
//! are not there, that lack a lane or drain. The table has those above them too, unless `--node`
//! asked for certain nodes.
//!
//! Exit code 1 if any node that was asked did not answer: the picture may not be whole.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::node::{Home, MeshDomain, NodeName};
use mesh_proto::frame::LaneKind;
use mesh_proto::wire::admin::v1 as wire;

pub(crate) use place::Share;
pub use render::{Entry, Part, entries, table};
pub(crate) use render::{link, table_within};

mod place;
mod render;

/// What one node says of its links, known to fit into the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeView {
    pub node: NodeName,
    pub neighbours: Vec<Neighbour>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Neighbour {
    pub node: NodeName,
    pub software: String,
    /// Empty for a neighbour that is expected and has no link.
    pub lanes: Vec<Lane>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lane {
    pub kind: LaneKind,
    pub link_id: String,
    pub since_unix_ms: u64,
    pub exchanges_in_flight: u64,
    pub exchanges_total: u64,
    /// Of the last ping; `None` until there is one.
    pub round_trip_us: Option<u64>,
    pub draining: bool,
}

/// What came of asking a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    Answered,
    Unreachable(String),
    /// Only its neighbours are known.
    NotAsked,
}

/// The link of a node to the one above it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    /// The centre has none above it.
    Root,
    /// Neither end has spoken of it.
    Unknown,
    /// As `by` sees it; without lanes there is no link.
    Seen { by: NodeName, lanes: Vec<Lane> },
}

/// One node of the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    pub node: NodeName,
    pub answer: Answer,
    pub link: Link,
    pub software: Option<String>,
    pub below: Vec<Place>,
}

/// An answer that cannot be part of the tree, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

/// The node above `node`; `None` for the centre, and for operators, who have no place.
pub fn upper(node: &NodeName) -> Option<NodeName> {
    match node {
        NodeName::Centre | NodeName::Operator(_) => None,
        NodeName::Hub(_) | NodeName::Agent { home: Home::Centre, .. } => Some(NodeName::Centre),
        NodeName::Agent { home: Home::Cluster(cluster), .. } => {
            Some(NodeName::Hub(cluster.clone()))
        }
    }
}

impl NodeView {
    /// Reads an answer, whole or not at all.
    pub fn read(mesh: &MeshDomain, answer: &wire::TopologyResponse) -> Result<Self, Misfit> {
        let node = parse_node(mesh, &answer.node)?;
        let neighbours = answer.neighbours.iter();
        let neighbours = neighbours.map(|neighbour| read_neighbour(mesh, &node, neighbour));
        Ok(Self { neighbours: neighbours.collect::<Result<_, _>>()?, node })
    }
}

/// The tree of all nodes that were asked or that one of those named. Its root is the centre.
pub fn tree(asked: &[(NodeName, Result<NodeView, String>)]) -> Place {
    let mut known = BTreeSet::from([NodeName::Centre]);
    let mut links = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for (node, answer) in asked {
        known.insert(node.clone());
        let answer = match answer {
            Ok(view) => {
                for neighbour in &view.neighbours {
                    known.insert(neighbour.node.clone());
                    links.insert((node, &neighbour.node), neighbour);
                }
                Answer::Answered
            }
            Err(why) => Answer::Unreachable(why.clone()),
        };
        answers.insert(node, answer);
    }
    // The hub of an agent has its place although nobody spoke of it.
    let hubs: Vec<NodeName> = known.iter().filter_map(upper).collect();
    known.extend(hubs);
    Merged { known, links, answers }.place(&NodeName::Centre)
}

/// What all answers say together.
struct Merged<'a> {
    known: BTreeSet<NodeName>,
    /// By who says it and of whom.
    links: BTreeMap<(&'a NodeName, &'a NodeName), &'a Neighbour>,
    answers: BTreeMap<&'a NodeName, Answer>,
}

impl Merged<'_> {
    /// Ends after the agents, since a name has no more than two above it.
    fn place(&self, node: &NodeName) -> Place {
        let below = self.known.iter().filter(|other| upper(other).as_ref() == Some(node));
        Place {
            node: node.clone(),
            answer: self.answers.get(node).cloned().unwrap_or(Answer::NotAsked),
            link: self.link(node),
            software: self.software(node),
            below: below.map(|other| self.place(other)).collect(),
        }
    }

    fn link(&self, node: &NodeName) -> Link {
        let Some(upper) = upper(node) else {
            return Link::Root;
        };
        let seen = |by: &NodeName, of: &NodeName| {
            let lanes = self.links.get(&(by, of))?.lanes.clone();
            Some(Link::Seen { by: by.clone(), lanes })
        };
        seen(&upper, node).or_else(|| seen(node, &upper)).unwrap_or(Link::Unknown)
    }

    fn software(&self, node: &NodeName) -> Option<String> {
        let views = self.links.iter().filter(|((_, of), _)| *of == node);
        let mut named = views.map(|(_, view)| &view.software).filter(|name| !name.is_empty());
        named.next().cloned()
    }
}

fn read_neighbour(
    mesh: &MeshDomain,
    node: &NodeName,
    neighbour: &wire::Neighbour,
) -> Result<Neighbour, Misfit> {
    let name = parse_node(mesh, &neighbour.node)?;
    let (fits, side) = match neighbour.side() {
        wire::Side::Upper => (upper(node).as_ref() == Some(&name), "its upper"),
        wire::Side::Lower => (upper(&name).as_ref() == Some(node), "its lower"),
        wire::Side::Unspecified => (false, "any"),
    };
    if !fits {
        return Err(Misfit(format!("{node} cannot have {name} as {side} neighbour")));
    }
    let lanes = neighbour.lanes.iter().map(read_lane).collect::<Result<_, _>>()?;
    Ok(Neighbour { node: name, software: neighbour.software.clone(), lanes })
}

fn read_lane(lane: &wire::LaneState) -> Result<Lane, Misfit> {
    let mut kinds = [LaneKind::Quick, LaneKind::Bulk].into_iter();
    let kind = kinds.find(|kind| kind.name() == lane.lane);
    Ok(Lane {
        kind: kind.ok_or_else(|| Misfit(format!("{:?} is no lane", lane.lane)))?,
        link_id: lane.link_id.clone(),
        since_unix_ms: lane.since_unix_ms,
        exchanges_in_flight: lane.exchanges_in_flight,
        exchanges_total: lane.exchanges_total,
        round_trip_us: Some(lane.round_trip_us).filter(|time| *time != 0),
        draining: lane.draining,
    })
}

fn parse_node(mesh: &MeshDomain, name: &str) -> Result<NodeName, Misfit> {
    mesh.parse_node(name).map_err(|why| Misfit(why.to_string()))
}

#[cfg(test)]
mod tests;
