//! The tree as a table for eyes, and as entries for programs.

use std::collections::BTreeMap;

use mesh_core::node::NodeName;
use mesh_proto::frame::LaneKind;
use serde::Serialize;

use super::{Answer, Lane, Link, Place, upper};
use crate::output::{Columns, ago, counted, printable};

/// Widest text of a link; that of an agent with replicas goes on below.
const LINK_CHARACTERS_MAX: usize = 40;

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

/// Which nodes of a tree are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    All,
    /// Those that are not as they should be, in a table below those above them.
    Down,
    /// Those, and none above them: somebody asked for certain nodes.
    DownAlone,
}

/// The nodes of the tree below `root`, and it, from top to bottom.
pub fn entries(root: &Place, part: Part) -> Vec<Entry> {
    let lines = root.lines().into_iter();
    let shown = lines.filter(|(_, place)| part == Part::All || place.is_wrong());
    shown.map(|(_, place)| Entry::new(place)).collect()
}

/// The tree as a table at `now_ms`, then how many nodes there are, what they run, and why some did
/// not answer.
pub fn table(root: &Place, part: Part, now_ms: u64) -> String {
    table_within(root, part, now_ms, None)
}

/// The same for lines of `room` characters, with the columns that fit.
pub(crate) fn table_within(root: &Place, part: Part, now_ms: u64, room: Option<usize>) -> String {
    let all = root.lines();
    let versions = Versions::of(&all);
    let wrong = root.only(&Place::is_wrong);
    let shown = match part {
        Part::All => all.clone(),
        Part::Down => wrong.lines(),
        Part::DownAlone => {
            let alone = all.iter().filter(|(_, place)| place.is_wrong());
            alone.map(|(_, place)| (String::new(), *place)).collect()
        }
    };
    let nothing = part != Part::All && !shown.iter().any(|(_, place)| place.is_wrong());
    let tree = if nothing {
        "all is as it should be\n".into()
    } else {
        // What is below a node counts in full, also where it is not shown.
        let full: BTreeMap<_, _> = all.iter().map(|(_, place)| (&place.node, *place)).collect();
        let rows = shown.iter().map(|(indent, place)| (indent.as_str(), full[&place.node]));
        let (columns, spare) = draw(&rows.collect::<Vec<_>>(), &versions, now_ms);
        columns.text_within(room, &spare)
    };
    let places: Vec<&Place> = all.iter().map(|(_, place)| *place).collect();
    tree + &summary(&places, &versions)
}

/// The columns, and which of them go first where there is no room for all. What says nothing in any
/// line has no column: here, whom one has asked and what it runs.
fn draw(rows: &[(&str, &Place)], versions: &Versions<'_>, now_ms: u64) -> (Columns, Vec<usize>) {
    let odd = |place: &Place| versions.odd(place).unwrap_or_default().to_owned();
    let with_software = rows.iter().any(|(_, place)| !odd(place).is_empty());
    let with_asked = rows.iter().any(|(_, place)| !asked(&place.answer).is_empty());
    let mut header = vec!["NODE", "LINK", "BELOW", "SINCE", "IN FLIGHT", "TOTAL", "ROUND TRIP"];
    header.extend(with_software.then_some("SOFTWARE"));
    header.extend(with_asked.then_some("ASKED"));
    // Totals and round trips first, then what it runs, and at last how many below are linked.
    let software = with_software.then_some(7);
    let spare = [5, 6, 3].into_iter().chain(software).chain([4, 2]).collect();
    let mut columns = Columns::new(&header).numbers(&[2, 4, 5, 6]).wrap(1, LINK_CHARACTERS_MAX);
    for (indent, place) in rows {
        let lanes = place.lanes();
        let sum = |count: fn(&Lane) -> u64| match lanes {
            [] => String::new(),
            lanes => lanes.iter().map(count).sum::<u64>().to_string(),
        };
        // The youngest lane shows a link that keeps starting anew.
        let since = lanes.iter().map(|lane| lane.since_unix_ms).max();
        let mut cells = vec![
            format!("{indent}{}", place.node),
            link(&place.link),
            place.links_below().text(),
            since.map_or(String::new(), |since| ago(since, now_ms)),
            sum(|lane| lane.exchanges_in_flight),
            sum(|lane| lane.exchanges_total),
            lanes.iter().filter_map(|lane| lane.round_trip_us).max().map_or(String::new(), ms),
        ];
        cells.extend(with_software.then(|| odd(place)));
        cells.extend(with_asked.then(|| asked(&place.answer).into()));
        columns.row(&cells);
    }
    (columns, spare)
}

/// What nodes run, by kind of node: most run the same, and only the others are worth a look.
struct Versions<'a> {
    counts: BTreeMap<(u8, &'a str), usize>,
}

impl<'a> Versions<'a> {
    fn of(lines: &[(String, &'a Place)]) -> Self {
        let mut counts = BTreeMap::new();
        for (_, place) in lines {
            if let Some(software) = &place.software {
                *counts.entry((rank(&place.node), software.as_str())).or_default() += 1;
            }
        }
        Self { counts }
    }

    /// What `place` runs, if it is not what most of its kind run.
    fn odd<'p>(&self, place: &'p Place) -> Option<&'p str> {
        let software = place.software.as_deref()?;
        let kind = rank(&place.node);
        let of_kind = self.counts.iter().filter(|((rank, _), _)| *rank == kind);
        let ((_, usual), _) = of_kind.max_by_key(|(_, count)| **count)?;
        (*usual != software).then_some(software)
    }

    fn text(&self) -> String {
        let named = |((_, software), count): (&(u8, &str), _)| format!("{count} {software}");
        let names: Vec<String> = self.counts.iter().map(named).collect();
        names.join(", ")
    }
}

fn rank(node: &NodeName) -> u8 {
    match node {
        NodeName::Centre => 0,
        NodeName::Hub(_) => 1,
        NodeName::Agent { .. } => 2,
        NodeName::Operator(_) => 3,
    }
}

fn summary(places: &[&Place], versions: &Versions<'_>) -> String {
    let loose = places
        .iter()
        .filter(|place| matches!(&place.link, Link::Seen { lanes, .. } if lanes.is_empty()));
    let silent: Vec<(&NodeName, &String)> = places
        .iter()
        .filter_map(|place| match &place.answer {
            Answer::Unreachable(why) => Some((&place.node, why)),
            Answer::Answered | Answer::NotAsked => None,
        })
        .collect();
    let (nodes, loose, mute) = (places.len(), loose.count(), silent.len());
    let nodes = counted(nodes, "node");
    let mut text = format!("\n{nodes}, {loose} not linked, {mute} gave no answer\n");
    if !versions.counts.is_empty() {
        text.push_str(&format!("software: {}\n", printable(&versions.text())));
    }
    for (node, why) in silent {
        text.push_str(&format!("{node}: {}\n", printable(why)));
    }
    text
}

/// The link in words, such as `up`; what both lanes have alike is said once.
pub(crate) fn link(link: &Link) -> String {
    match link {
        Link::Root => String::new(),
        Link::Unknown => "unknown".into(),
        Link::Seen { lanes, .. } if lanes.is_empty() => "not linked".into(),
        Link::Seen { lanes, .. } => {
            let [quick, bulk] = [LaneKind::Quick, LaneKind::Bulk].map(|kind| lanes_of(kind, lanes));
            if quick == bulk { quick } else { format!("quick {quick}, bulk {bulk}") }
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
        Answer::Answered => "",
        Answer::Unreachable(_) => "no answer",
        Answer::NotAsked => "not asked",
    }
}

/// Milliseconds to two digits after the point: links within one building take a fraction of one.
fn ms(us: u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
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
