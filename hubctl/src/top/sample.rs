//! What one node said at one moment, and what went on between two such moments.

use mesh_core::latency::{BUCKETS, Latencies};
use mesh_core::node::MeshDomain;
use mesh_proto::wire::admin::v1::{Counters, StatusResponse};
use tokio::time::{Duration, Instant};

use crate::client::{AskError, NodeClient, Unanswered};
use crate::status::{Away, Failures, State, away, failures};
use crate::topology::NodeView;

/// The answers of one node, known to be whole.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) state: State,
    pub(crate) waiting_for: Vec<String>,
    pub(crate) services_away: Vec<Away>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) totals: Totals,
    pub(crate) view: NodeView,
    started_at_unix_ms: u64,
}

/// Counts since the node started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) in_flight: u64,
    pub(crate) opened: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) handshakes_refused: u64,
    /// `None` of a node that does not count them.
    pub(crate) latencies: Option<Latencies>,
    pub(crate) failures: Vec<Failures>,
}

/// What went on between two samples.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    pub(crate) over: Duration,
    pub(crate) opened: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) handshakes_refused: u64,
    pub(crate) latencies: Option<Latencies>,
    /// Those reasons alone that something failed for.
    pub(crate) failures: Vec<Failures>,
}

impl Sample {
    /// Asks a node for its state and its links at once.
    pub(crate) async fn ask(client: &NodeClient, mesh: &MeshDomain) -> Result<Self, AskError> {
        let (status, topology) = tokio::try_join!(client.status(), client.topology())?;
        let malformed = |why: String| client.unanswered(Unanswered::Malformed { why });
        let view = NodeView::read(mesh, &topology).map_err(|why| malformed(why.to_string()))?;
        Self::read(&status, view, Instant::now()).map_err(malformed)
    }

    /// Reads the answers that came at `at`, whole or not at all.
    pub(crate) fn read(
        status: &StatusResponse,
        view: NodeView,
        at: Instant,
    ) -> Result<Self, String> {
        let counters = status.counters.as_ref().ok_or("its status has no counters")?;
        Ok(Self {
            at,
            state: State::of(status),
            waiting_for: status.waiting_for.clone(),
            services_away: away(&status.services_away),
            resident_bytes: Some(status.resident_bytes).filter(|bytes| *bytes != 0),
            totals: Totals::read(counters)?,
            view,
            started_at_unix_ms: status.started_at_unix_ms,
        })
    }

    /// What went on since `earlier`; `None` if the node started anew between the two.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Pace> {
        let over = self.at.saturating_duration_since(earlier.at);
        if self.started_at_unix_ms != earlier.started_at_unix_ms || over.is_zero() {
            return None;
        }
        let (now, before) = (&self.totals, &earlier.totals);
        let grown = |count: fn(&Totals) -> u64| count(now).saturating_sub(count(before));
        Some(Pace {
            over,
            opened: grown(|totals| totals.opened),
            answered: grown(|totals| totals.answered),
            failed: grown(|totals| totals.failed),
            handshakes_refused: grown(|totals| totals.handshakes_refused),
            latencies: now
                .latencies
                .as_ref()
                .zip(before.latencies.as_ref())
                .map(|(now, before)| now.since(before)),
            failures: now.failures_since(before),
        })
    }
}

impl Totals {
    fn read(counters: &Counters) -> Result<Self, String> {
        let buckets = &counters.answered_by_latency;
        let latencies = match <[u64; BUCKETS]>::try_from(buckets.as_slice()) {
            Ok(counts) => Some(Latencies(counts)),
            Err(_) if buckets.is_empty() => None,
            Err(_) => {
                return Err(format!("it counts {} latencies, want {BUCKETS}", buckets.len()));
            }
        };
        Ok(Self {
            in_flight: counters.exchanges_in_flight,
            opened: counters.exchanges_opened,
            answered: counters.exchanges_answered,
            failed: counters.exchanges_failed,
            handshakes_refused: counters.handshakes_refused,
            latencies,
            failures: failures(&counters.failures),
        })
    }

    fn failures_since(&self, earlier: &Self) -> Vec<Failures> {
        let grown = self.failures.iter().map(|now| {
            let before = earlier.failures.iter().find(|before| before.reason == now.reason);
            let (here, elsewhere) = before.map_or((0, 0), |before| (before.here, before.elsewhere));
            Failures {
                reason: now.reason.clone(),
                here: now.here.saturating_sub(here),
                elsewhere: now.elsewhere.saturating_sub(elsewhere),
                elsewhere_last: now.elsewhere_last.clone(),
            }
        });
        grown.filter(|grown| (grown.here, grown.elsewhere) != (0, 0)).collect()
    }
}

impl Pace {
    /// So many in the interval, as a rate.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.over.as_secs_f64()
    }

    pub(crate) fn percentile(&self, percent: u8) -> Option<Duration> {
        self.latencies.as_ref()?.percentile(percent)
    }
}
