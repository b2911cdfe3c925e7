//! What all nodes say at one moment, put together: a line for each place of the tree that is worth
//! one, what is not as it should be, and what exchanges failed for.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::node::{Home, NodeName};
use mesh_core::reason::Reason;

use super::sample::{Pace, Sample};
use super::watch::Watched;
use crate::output::counted;
use crate::status::{Away, Failures, State};
use crate::topology::{Link, NodeView, Place, Share, link, tree};

/// One moment of the mesh.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) count: Count,
    /// In the order of the tree.
    pub(crate) lines: Vec<Line<'a>>,
    pub(crate) wrong: Vec<Wrong>,
    /// The most frequent first.
    pub(crate) failed: Vec<Failed>,
}

/// All nodes and links, also those without a line.
#[derive(Debug)]
pub(crate) struct Count {
    pub(crate) ready: Share,
    pub(crate) links: Share,
}

/// One place of the tree.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// Branches, and the name.
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) is_wrong: bool,
    pub(crate) links: Share,
    pub(crate) agents: Share,
    pub(crate) said: Option<&'a Sample>,
    pub(crate) pace: Option<&'a Pace>,
}

/// Something that is not as it should be.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Wrong {
    pub(crate) node: String,
    pub(crate) what: String,
}

/// What exchanges failed for.
#[derive(Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) per_second: f64,
    pub(crate) reason: String,
    /// The node at fault.
    pub(crate) at: String,
    pub(crate) mender: &'static str,
}

/// Puts together what `nodes` said; `agents` asks for a line for each agent.
pub(crate) fn picture(nodes: &[Watched], agents: bool) -> Picture<'_> {
    let root = root_of(nodes);
    let by_name: BTreeMap<&NodeName, &Watched> =
        nodes.iter().map(|watched| (&watched.node, watched)).collect();
    let all = root.lines();
    let places: BTreeMap<&NodeName, &Place> =
        all.iter().map(|(_, place)| (&place.node, *place)).collect();
    let shown =
        root.only(&|place| agents || deserves_a_line(place, by_name.get(&place.node).copied()));
    let lines = shown.lines().into_iter().map(|(indent, place)| {
        let watched = by_name.get(&place.node).copied();
        Line::new(&indent, places[&place.node], watched)
    });
    let wrong =
        all.iter().filter_map(|(_, place)| Wrong::of(place, by_name.get(&place.node).copied()));
    let ready = nodes.iter().filter(|node| is_ready(node)).count();
    Picture {
        count: Count {
            ready: Share { up: ready, all: nodes.len() },
            links: all.iter().map(|(_, place)| place.links_below()).sum(),
        },
        lines: lines.collect(),
        wrong: wrong.collect(),
        failed: failed(nodes),
    }
}

/// The links of a node that is silent now are not known, whatever it said before.
pub(crate) fn root_of(nodes: &[Watched]) -> Place {
    let asked: Vec<(NodeName, Result<NodeView, String>)> = nodes
        .iter()
        .map(|watched| {
            let said = watched.said().map(|sample| sample.view.clone());
            (watched.node.clone(), said.map_err(str::to_owned))
        })
        .collect();
    tree(&asked)
}

/// Hubs always do; their agents are summed up in the hub's line. Agents at the edge of the centre
/// do while they have traffic or trouble.
fn deserves_a_line(place: &Place, watched: Option<&Watched>) -> bool {
    match &place.node {
        NodeName::Centre | NodeName::Hub(_) => true,
        NodeName::Operator(_) | NodeName::Agent { home: Home::Cluster(_), .. } => false,
        NodeName::Agent { home: Home::Centre, .. } => {
            let in_flight: u64 = place.lanes().iter().map(|lane| lane.exchanges_in_flight).sum();
            let pace = watched.and_then(Watched::pace);
            let busy = pace.is_some_and(|pace| (pace.opened, pace.failed) != (0, 0));
            busy || 0 < in_flight || Wrong::of(place, watched).is_some()
        }
    }
}

fn is_ready(watched: &Watched) -> bool {
    watched.said().is_ok_and(|sample| sample.state == State::Ready)
}

impl<'a> Line<'a> {
    fn new(indent: &str, place: &Place, watched: Option<&'a Watched>) -> Self {
        let said = watched.and_then(|watched| watched.said().ok());
        Self {
            name: format!("{indent}{}", place.node),
            state: match (said.map(|sample| sample.state), watched) {
                (Some(State::Ready), _) => "ready",
                (Some(State::Waiting), _) => "waiting",
                (Some(State::Draining), _) => "draining",
                (Some(State::Unreachable), _) | (None, Some(_)) => "no answer",
                (None, None) => "not asked",
            },
            is_wrong: Wrong::of(place, watched).is_some(),
            links: place.links(),
            agents: place.agents_below(),
            said,
            pace: watched.and_then(Watched::pace),
        }
    }

    /// What went through it: of lines that do not all fit, the busiest stay.
    pub(crate) fn traffic(&self) -> u64 {
        let in_flight = self.said.map_or(0, |sample| sample.totals.in_flight);
        in_flight + self.pace.map_or(0, |pace| pace.opened)
    }
}

impl Wrong {
    fn of(place: &Place, watched: Option<&Watched>) -> Option<Self> {
        let mut parts = Vec::new();
        if let Link::Seen { by, .. } = &place.link
            && place.has_a_wrong_link()
        {
            let word = if *by == place.node { String::new() } else { format!(", says {by}") };
            parts.push(format!("{}{word}", link(&place.link)));
        }
        match watched.map(Watched::said) {
            Some(Ok(sample)) => {
                parts.extend(complaints(sample));
                parts.extend(sample.services_away.iter().map(Away::text));
            }
            Some(Err(why)) => parts.push(why.into()),
            None => {}
        }
        if let Some(pace) = watched.and_then(Watched::pace)
            && 0 < pace.handshakes_refused
        {
            let seconds = pace.over.as_secs_f64();
            let refused = usize::try_from(pace.handshakes_refused).unwrap_or(usize::MAX);
            parts.push(format!("refused {} in {seconds:.1} s", counted(refused, "handshake")));
        }
        let what = parts.join("; ");
        (!what.is_empty()).then(|| Self { node: place.node.to_string(), what })
    }
}

fn complaints(sample: &Sample) -> Option<String> {
    match sample.state {
        State::Ready | State::Unreachable => None,
        State::Draining => Some("draining".into()),
        State::Waiting if sample.waiting_for.is_empty() => Some("waiting".into()),
        State::Waiting => Some(format!("waiting: {}", sample.waiting_for.join(", "))),
    }
}

/// Every hop on the way counts a failure, and the one at fault counts it as its own: that one is
/// believed. For a reason that no node calls its own, such as that it cannot be reached, the others
/// say which hop was named last, and the one that saw most of it how often.
fn failed(nodes: &[Watched]) -> Vec<Failed> {
    let mut owned = BTreeSet::new();
    let mut named: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut failed = Vec::new();
    let paces = nodes.iter().filter_map(|watched| Some((&watched.node, watched.pace()?)));
    for (node, pace) in paces {
        for Failures { reason, here, elsewhere, elsewhere_last } in &pace.failures {
            if 0 < *here {
                owned.insert(reason);
                failed.push(Failed::new(pace.per_second(*here), reason, &node.to_string()));
            }
            if let (1.., Some(hop)) = (*elsewhere, elsewhere_last) {
                let most = named.entry((reason, hop)).or_default();
                *most = most.max(pace.per_second(*elsewhere));
            }
        }
    }
    for ((reason, hop), per_second) in named {
        if !owned.iter().any(|owned| *owned == reason) {
            failed.push(Failed::new(per_second, reason, hop));
        }
    }
    failed.sort_by(|a, b| b.per_second.total_cmp(&a.per_second));
    failed
}

impl Failed {
    fn new(per_second: f64, reason: &str, at: &str) -> Self {
        // A reason of a newer version has somebody to mend it whom this one cannot name.
        let mender = reason.parse().map_or("", |reason: Reason| reason.mender().name());
        Self { per_second, reason: reason.into(), at: at.into(), mender }
    }
}
