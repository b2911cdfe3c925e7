//! `hubctl status`: one row per node.
//!
//! With `-o json` an array of objects. Every name is always there; what is not known is `null`.
//!
//! ```text
//! node                         name below the mesh domain
//! state                        ready, waiting, draining, unreachable
//! waiting_for                  what it waits for while its state is waiting
//! error                        why it is unreachable, and what to check
//! software                     program and version
//! started_at_unix_ms           since when it runs
//! exchanges_opened             since it started, as are all counts
//! exchanges_answered
//! exchanges_failed             refused or failed, there or further on
//! exchanges_in_flight          now
//! handshakes_accepted          of neighbours from below
//! handshakes_refused
//! failures                     of all that failed, by reason; as many as were ever the reason
//!   reason                     permanent name
//!   here                       the hop at fault was this node
//!   elsewhere                  it was another one
//!   elsewhere_last             which one, the last time; null if it never was
//! resident_bytes               memory of the process now
//! certificate_expires_unix_ms  end of the node's own link certificate
//! certificate_days_left        whole days; negative once it has ended
//! directory_epoch
//! directory_revision
//! directory_root               over the heads of all scopes, by the last heartbeat
//! following                    how it stands with the directory
//!   since_unix_ms              since when the feed from the node above is there; null: it is not
//!   last_heartbeat_unix_ms     when the centre made the last heartbeat that came
//!   freshness                  fresh, warned, stale_for_sensitive, stale
//!   heads                      scope, epoch, revision and hash of each scope that it has
//!   refusals                   of what it was offered, since it started
//!   last_refusal               why, the last time
//!   last_refusal_unix_ms
//!   file_failures              writes that failed, since it started
//!   file_trouble               why what it took is not on disk now; null: it is
//! services_away                services of an agent's own system that take no connection
//!   service                    its address
//!   why
//!   since_unix_ms              when it was first seen to be away
//! ```
//!
//! Exit code 1 if any node is unreachable or not ready.

use mesh_core::limits::REASON_BYTES_MAX;
use mesh_core::node::{DNS_NAME_BYTES_MAX, NodeName};
use mesh_proto::wire::admin::v1::{FailureCount, ServiceAway, StatusResponse};
use serde::Serialize;

use crate::client::AskError;
use crate::output::{Columns, ago};

pub use self::following::{Following, Freshness, Head};

mod following;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Widest text of a state; the reason why a node is unreachable goes on below.
const STATE_CHARACTERS_MAX: usize = 44;

/// Longest reason that is repeated from a node.
const WHY_CHARACTERS_MAX: usize = 256;

/// Services that are away which are told of one node.
const AWAY_MAX: usize = 1024;

/// How a node is. The most urgent one counts: a node that drains is not ready either.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ready,
    Waiting,
    Draining,
    Unreachable,
}

/// What is known of one node. The module has the meaning of the fields.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub node: String,
    pub state: State,
    pub waiting_for: Vec<String>,
    pub error: Option<String>,
    pub software: Option<String>,
    pub started_at_unix_ms: Option<u64>,
    pub exchanges_opened: Option<u64>,
    pub exchanges_answered: Option<u64>,
    pub exchanges_failed: Option<u64>,
    pub exchanges_in_flight: Option<u64>,
    pub handshakes_accepted: Option<u64>,
    pub handshakes_refused: Option<u64>,
    pub failures: Option<Vec<Failures>>,
    pub resident_bytes: Option<u64>,
    pub certificate_expires_unix_ms: Option<u64>,
    pub certificate_days_left: Option<i64>,
    pub directory_epoch: Option<u64>,
    pub directory_revision: Option<u64>,
    pub directory_root: Option<String>,
    pub following: Option<Following>,
    pub services_away: Vec<Away>,
}

/// A service of the node's own system that took no connection when the node last looked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Away {
    pub service: String,
    pub why: String,
    pub since_unix_ms: u64,
}

/// How many exchanges failed for one reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failures {
    pub reason: String,
    pub here: u64,
    pub elsewhere: u64,
    pub elsewhere_last: Option<String>,
}

/// Nodes that are not as they should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{} of {asked} nodes {} not ready: {}",
    nodes.len(), if nodes.len() == 1 { "is" } else { "are" }, nodes.join(", ")
)]
pub struct NotReady {
    asked: usize,
    nodes: Vec<String>,
}

impl State {
    pub(crate) fn of(status: &StatusResponse) -> Self {
        match (status.draining, status.ready) {
            (true, _) => Self::Draining,
            (false, true) => Self::Ready,
            (false, false) => Self::Waiting,
        }
    }
}

impl Row {
    /// The row for what came of asking `node` at `now_ms`.
    pub fn new(node: &NodeName, answer: &Result<StatusResponse, AskError>, now_ms: u64) -> Self {
        match answer {
            Ok(status) => Self::answered(node, status, now_ms),
            Err(error) => Self::unreachable(node, error.reason.to_string()),
        }
    }

    fn answered(node: &NodeName, status: &StatusResponse, now_ms: u64) -> Self {
        let state = State::of(status);
        let waiting_for = match state {
            State::Waiting => status.waiting_for.clone(),
            _ => Vec::new(),
        };
        let counters = status.counters.as_ref();
        let directory = status.directory.as_ref();
        let expires = Some(status.certificate_expires_unix_ms).filter(|time| *time != 0);
        Self {
            node: node.to_string(),
            state,
            waiting_for,
            error: None,
            software: Some(status.software.clone()),
            started_at_unix_ms: Some(status.started_at_unix_ms),
            exchanges_opened: counters.map(|counters| counters.exchanges_opened),
            exchanges_answered: counters.map(|counters| counters.exchanges_answered),
            exchanges_failed: counters.map(|counters| counters.exchanges_failed),
            exchanges_in_flight: counters.map(|counters| counters.exchanges_in_flight),
            handshakes_accepted: counters.map(|counters| counters.handshakes_accepted),
            handshakes_refused: counters.map(|counters| counters.handshakes_refused),
            failures: counters.map(|counters| failures(&counters.failures)),
            resident_bytes: Some(status.resident_bytes).filter(|bytes| *bytes != 0),
            certificate_expires_unix_ms: expires,
            certificate_days_left: expires.map(|expires| days_left(expires, now_ms)),
            directory_epoch: directory.map(|position| position.epoch),
            directory_revision: directory.map(|position| position.revision),
            directory_root: directory.and_then(|position| hexadecimal(&position.root)),
            following: status.following.as_ref().map(Following::read),
            services_away: away(&status.services_away),
        }
    }

    fn unreachable(node: &NodeName, error: String) -> Self {
        Self {
            node: node.to_string(),
            state: State::Unreachable,
            waiting_for: Vec::new(),
            error: Some(error),
            software: None,
            started_at_unix_ms: None,
            exchanges_opened: None,
            exchanges_answered: None,
            exchanges_failed: None,
            exchanges_in_flight: None,
            handshakes_accepted: None,
            handshakes_refused: None,
            failures: None,
            resident_bytes: None,
            certificate_expires_unix_ms: None,
            certificate_days_left: None,
            directory_epoch: None,
            directory_revision: None,
            directory_root: None,
            following: None,
            services_away: Vec::new(),
        }
    }

    fn state_in_words(&self, now_ms: u64) -> String {
        let troubles = self.following.as_ref().map(|following| following.troubles(now_ms));
        let state = std::iter::once(self.state_alone());
        let away = self.services_away.iter().map(Away::text);
        state.chain(away).chain(troubles.into_iter().flatten()).collect::<Vec<_>>().join("; ")
    }

    fn state_alone(&self) -> String {
        match (self.state, &self.error) {
            (State::Ready, _) => "ready".into(),
            (State::Draining, _) => "draining".into(),
            (State::Waiting, _) if self.waiting_for.is_empty() => "waiting".into(),
            (State::Waiting, _) => format!("waiting: {}", self.waiting_for.join(", ")),
            (State::Unreachable, error) => {
                format!("unreachable: {}", error.as_deref().unwrap_or_default())
            }
        }
    }
}

/// The rows as a table, at `now_ms`.
pub fn table(rows: &[Row], now_ms: u64) -> String {
    columns(rows, now_ms).text()
}

/// The same for lines of `room` characters, with the columns that fit.
pub(crate) fn table_within(rows: &[Row], now_ms: u64, room: Option<usize>) -> String {
    // Software, refused handshakes, memory, ends of certificates, since when; then the counts.
    columns(rows, now_ms).text_within(room, &[10, 6, 7, 8, 2, 4, 3, 9, 5])
}

fn columns(rows: &[Row], now_ms: u64) -> Columns {
    let header = [
        "NODE",
        "STATE",
        "SINCE",
        "IN FLIGHT",
        "ANSWERED",
        "FAILED",
        "HANDSHAKES REFUSED",
        "MEMORY",
        "CERTIFICATE",
        "DIRECTORY",
        "SOFTWARE",
    ];
    let numbers = [3, 4, 5, 6, 7];
    let mut columns = Columns::new(&header).numbers(&numbers).wrap(1, STATE_CHARACTERS_MAX);
    let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    for row in rows {
        let position = row.directory_epoch.zip(row.directory_revision);
        columns.row(&[
            row.node.clone(),
            row.state_in_words(now_ms),
            row.started_at_unix_ms.map_or(String::new(), |time| ago(time, now_ms)),
            number(row.exchanges_in_flight),
            number(row.exchanges_answered),
            number(row.exchanges_failed),
            number(row.handshakes_refused),
            row.resident_bytes.map_or(String::new(), |bytes| format!("{} MiB", bytes >> 20)),
            row.certificate_days_left.map_or(String::new(), certificate),
            position.map_or(String::new(), |(epoch, revision)| format!("{epoch}.{revision}")),
            row.software.clone().unwrap_or_default(),
        ]);
    }
    columns
}

/// Complains of the nodes that are not ready.
pub fn all_ready(rows: &[Row]) -> Result<(), NotReady> {
    let lame = rows.iter().filter(|row| row.state != State::Ready);
    let nodes: Vec<String> = lame.map(|row| row.node.clone()).collect();
    if nodes.is_empty() { Ok(()) } else { Err(NotReady { asked: rows.len(), nodes }) }
}

impl Away {
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.service, self.why)
    }
}

pub(crate) fn away(services: &[ServiceAway]) -> Vec<Away> {
    let cut = |text: &str| text.chars().take(WHY_CHARACTERS_MAX).collect();
    let read = |told: &ServiceAway| Away {
        service: cut(&told.service),
        why: cut(&told.why),
        since_unix_ms: told.since_unix_ms,
    };
    services.iter().take(AWAY_MAX).map(read).collect()
}

/// Reasons that this version does not know are told as they came.
pub(crate) fn failures(counts: &[FailureCount]) -> Vec<Failures> {
    let cut = |text: &str, max| text.chars().take(max).collect::<String>();
    let name = |text: &str, max| (!text.is_empty()).then(|| cut(text, max));
    let read = |count: &FailureCount| Failures {
        reason: cut(&count.reason, REASON_BYTES_MAX),
        here: count.here,
        elsewhere: count.elsewhere,
        elsewhere_last: name(&count.elsewhere_last, DNS_NAME_BYTES_MAX),
    };
    counts.iter().map(read).collect()
}

fn hexadecimal(bytes: &[u8]) -> Option<String> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    (!text.is_empty()).then_some(text)
}

fn days_left(expires_ms: u64, now_ms: u64) -> i64 {
    let left_ms = i128::from(expires_ms) - i128::from(now_ms);
    let days = left_ms.div_euclid(DAY_MS.into());
    i64::try_from(days).unwrap_or(if days < 0 { i64::MIN } else { i64::MAX })
}

fn certificate(days_left: i64) -> String {
    match days_left {
        ..0 => "expired".into(),
        0 => "ends today".into(),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
