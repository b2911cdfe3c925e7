//! The tree as a table for eyes, and as entries for programs.

use mesh_core::node::NodeName;
use mesh_proto::frame::LaneKind;
use serde::Serialize;

use super::{Answer, Lane, Link, Place, upper};
use crate::output::{Columns, ago, printable};

/// One node as programs get it. The module above has the meaning of the fields.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub node: String,
    pub answer: &'static str,
    pub error: Option<String>,
    pub upper: Option<String>,
    pub software: Option<String>,
    pub link: Option<&'static str>,
    pub seen_by: Option<String>,
    pub lanes: Vec<LaneEntry>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LaneEntry {
    pub lane: &'static str,
    pub link_id: String,
    pub since_unix_ms: u64,
    pub exchanges_in_flight: u64,
    pub exchanges_total: u64,
    pub round_trip_us: Option<u64>,
    pub draining: bool,
}

/// The nodes of the tree below `root`, and it, from top to bottom.
pub fn entries(root: &Place) -> Vec<Entry> {
    let below = root.below.iter().flat_map(entries);
    std::iter::once(Entry::new(root)).chain(below).collect()
}

/// The tree as a table at `now_ms`, then how many nodes there are, and why some did not answer.
pub fn table(root: &Place, now_ms: u64) -> String {
    let header = ["NODE", "LINK", "SINCE", "IN FLIGHT", "TOTAL", "ROUND TRIP", "SOFTWARE", "ASKED"];
    let mut columns = Columns::new(&header).numbers(&[3, 4, 5]);
    let mut lines = Vec::new();
    draw(root, "", "", &mut lines);
    for (indent, place) in &lines {
        let lanes = place.lanes();
        let sum = |count: fn(&Lane) -> u64| match lanes {
            [] => String::new(),
            lanes => lanes.iter().map(count).sum::<u64>().to_string(),
        };
        columns.row(&[
            format!("{indent}{}", place.node),
            link(&place.link),
            // The youngest lane shows a link that keeps starting anew.
            lanes
                .iter()
                .map(|lane| lane.since_unix_ms)
                .max()
                .map_or(String::new(), |since| ago(since, now_ms)),
            sum(|lane| lane.exchanges_in_flight),
            sum(|lane| lane.exchanges_total),
            lanes.iter().filter_map(|lane| lane.round_trip_us).max().map_or(String::new(), ms),
            place.software.clone().unwrap_or_default(),
            asked(&place.answer).into(),
        ]);
    }
    columns.text() + &summary(lines.iter().map(|(_, place)| *place))
}

/// Lists `place` and all below it, each with the branches in front of it.
fn draw<'a>(place: &'a Place, branch: &str, stem: &str, lines: &mut Vec<(String, &'a Place)>) {
    lines.push((branch.into(), place));
    let last = place.below.len().saturating_sub(1);
    for (index, below) in place.below.iter().enumerate() {
        let (fork, rest) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(below, &format!("{stem}{fork}"), &format!("{stem}{rest}"), lines);
    }
}

fn summary<'a>(places: impl Iterator<Item = &'a Place>) -> String {
    let (mut nodes, mut loose, mut silent) = (0, 0, Vec::new());
    for place in places {
        nodes += 1;
        if matches!(&place.link, Link::Seen { lanes, .. } if lanes.is_empty()) {
            loose += 1;
        }
        if let Answer::Unreachable(why) = &place.answer {
            silent.push((&place.node, why));
        }
    }
    let counts = format!("{nodes} nodes, {loose} not linked, {} gave no answer", silent.len());
    let mut text = format!("\n{counts}\n");
    for (node, why) in silent {
        text.push_str(&format!("{node}: {}\n", printable(why)));
    }
    text
}

fn link(link: &Link) -> String {
    match link {
        Link::Root => String::new(),
        Link::Unknown => "unknown".into(),
        Link::Seen { lanes, .. } if lanes.is_empty() => "not linked".into(),
        Link::Seen { lanes, .. } => {
            let kinds = [LaneKind::Quick, LaneKind::Bulk];
            kinds.map(|kind| format!("{} {}", kind.name(), lanes_of(kind, lanes))).join(", ")
        }
    }
}

/// Several lanes of one kind are those of the replicas of an agent.
fn lanes_of(kind: LaneKind, lanes: &[Lane]) -> String {
    let count = |draining: bool| {
        lanes.iter().filter(|lane| lane.kind == kind && lane.draining == draining).count()
    };
    let named = |count: usize, name: &str| match count {
        0 => None,
        1 => Some(name.to_owned()),
        count => Some(format!("{count} {name}")),
    };
    let parts = [named(count(false), "up"), named(count(true), "draining")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "down".into() } else { parts.join(" + ") }
}

fn asked(answer: &Answer) -> &'static str {
    match answer {
        Answer::Answered => "answered",
        Answer::Unreachable(_) => "no answer",
        Answer::NotAsked => "not asked",
    }
}

/// Milliseconds to two digits after the point: links within one building take a fraction of one.
fn ms(us: u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
}

impl Place {
    fn lanes(&self) -> &[Lane] {
        match &self.link {
            Link::Root | Link::Unknown => &[],
            Link::Seen { lanes, .. } => lanes,
        }
    }
}

impl Entry {
    fn new(place: &Place) -> Self {
        let (answer, error) = match &place.answer {
            Answer::Answered => ("answered", None),
            Answer::Unreachable(why) => ("unreachable", Some(why.clone())),
            Answer::NotAsked => ("not_asked", None),
        };
        let (link, seen_by) = match &place.link {
            Link::Root => (None, None),
            Link::Unknown => (Some("unknown"), None),
            Link::Seen { by, lanes } if lanes.is_empty() => (Some("not_linked"), Some(by)),
            Link::Seen { by, .. } => (Some("linked"), Some(by)),
        };
        Self {
            node: place.node.to_string(),
            answer,
            error,
            upper: upper(&place.node).as_ref().map(NodeName::to_string),
            software: place.software.clone(),
            link,
            seen_by: seen_by.map(NodeName::to_string),
            lanes: place.lanes().iter().map(LaneEntry::new).collect(),
        }
    }
}

impl LaneEntry {
    fn new(lane: &Lane) -> Self {
        Self {
            lane: lane.kind.name(),
            link_id: lane.link_id.clone(),
            since_unix_ms: lane.since_unix_ms,
            exchanges_in_flight: lane.exchanges_in_flight,
            exchanges_total: lane.exchanges_total,
            round_trip_us: lane.round_trip_us,
            draining: lane.draining,
        }
    }
}
