//! One object for each sample and node. The module above has the meaning of the fields.

use std::collections::BTreeMap;

use mesh_core::reason::Reason;
use serde::Serialize;

use super::picture::root_of;
use super::sample::Pace;
use super::watch::Watched;
use crate::status::State;
use crate::topology::Place;

/// What one node said in one round, and what went on since it had answered before.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    at_unix_ms: u64,
    node: String,
    state: State,
    waiting_for: Vec<String>,
    error: Option<String>,
    links_up: usize,
    links_known: usize,
    not_linked: Vec<String>,
    exchanges_in_flight: Option<u64>,
    resident_bytes: Option<u64>,
    interval_ms: Option<u64>,
    exchanges_opened: Option<u64>,
    exchanges_answered: Option<u64>,
    exchanges_failed: Option<u64>,
    p50_us: Option<u64>,
    p95_us: Option<u64>,
    p99_us: Option<u64>,
    handshakes_refused: Option<u64>,
    failures: Option<Vec<Failure>>,
}

#[derive(Debug, Serialize)]
struct Failure {
    reason: String,
    here: u64,
    elsewhere: u64,
    elsewhere_last: Option<String>,
    mender: Option<&'static str>,
}

/// All `nodes` at the end of one round, each on a line of its own.
pub(crate) fn lines(nodes: &[Watched], at_unix_ms: u64) -> String {
    let root = root_of(nodes);
    let places = root.lines();
    let places: BTreeMap<_, _> = places.iter().map(|(_, place)| (&place.node, *place)).collect();
    let entries = nodes.iter().filter_map(|watched| {
        // An operator has no place, and no admin port either.
        let place = places.get(&watched.node)?;
        Some(Entry::new(watched, place, at_unix_ms))
    });
    let lines = entries.map(|entry| {
        serde_json::to_string(&entry).expect("what commands tell has text for keys") + "\n"
    });
    lines.collect()
}

impl Entry {
    /// The entry of `watched`, which has its place in the tree at `place`.
    pub(crate) fn new(watched: &Watched, place: &Place, at_unix_ms: u64) -> Self {
        let (said, pace) = (watched.said().ok(), watched.pace());
        let links = place.links();
        let loose = place.below.iter().filter(|place| place.linked() == Some(false));
        let percentile = |percent| {
            let took = pace?.percentile(percent)?;
            u64::try_from(took.as_micros()).ok()
        };
        Self {
            at_unix_ms,
            node: watched.node.to_string(),
            state: said.map_or(State::Unreachable, |sample| sample.state),
            waiting_for: said.map_or(Vec::new(), |sample| sample.waiting_for.clone()),
            error: watched.said().err().map(str::to_owned),
            links_up: links.up,
            links_known: links.all,
            not_linked: loose.map(|place| place.node.to_string()).collect(),
            exchanges_in_flight: said.map(|sample| sample.totals.in_flight),
            resident_bytes: said.and_then(|sample| sample.resident_bytes),
            interval_ms: pace.and_then(|pace| u64::try_from(pace.over.as_millis()).ok()),
            exchanges_opened: pace.map(|pace| pace.opened),
            exchanges_answered: pace.map(|pace| pace.answered),
            exchanges_failed: pace.map(|pace| pace.failed),
            p50_us: percentile(50),
            p95_us: percentile(95),
            p99_us: percentile(99),
            handshakes_refused: pace.map(|pace| pace.handshakes_refused),
            failures: pace.map(failures),
        }
    }
}

fn failures(pace: &Pace) -> Vec<Failure> {
    let told = pace.failures.iter().map(|failures| Failure {
        reason: failures.reason.clone(),
        here: failures.here,
        elsewhere: failures.elsewhere,
        elsewhere_last: failures.elsewhere_last.clone(),
        mender: failures.reason.parse().ok().map(|reason: Reason| reason.mender().name()),
    });
    told.collect()
}
