//! What a node counts, for its operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesh_core::latency::{self, bucket_of};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::wire::admin::v1 as wire;

/// Exchanges since the node started. Cheap to clone; every clone counts the same.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    totals: Arc<Totals>,
}

/// One exchange in flight. Dropped without an end it counts as failed here: it was broken off.
#[must_use = "the exchange counts as failed when this is dropped"]
#[derive(Debug)]
pub struct InFlight {
    totals: Arc<Totals>,
    end: Result<(), Failure>,
}

/// What the listener for links has counted; a node without one leaves both at 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handshakes {
    pub accepted: u64,
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Totals {
    opened: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    answered_by_latency: Tallies<{ latency::BUCKETS }>,
    failed_here: Tallies<REASONS>,
    failed_elsewhere: Tallies<REASONS>,
    named_last: NamedLast,
}

const REASONS: usize = Reason::ALL.len();

#[derive(Debug)]
struct Failure {
    reason: Reason,
    /// The hop at fault, unless it is the one that counts.
    elsewhere: Option<HopName>,
}

/// For each reason the hop at fault, of the last failure of which it was another one. Only failures
/// take these locks, and only to put a name down.
#[derive(Debug)]
struct NamedLast([Mutex<Option<HopName>>; REASONS]);

/// Counts that nobody waits for, and that need not be of one moment.
#[derive(Debug)]
struct Tallies<const N: usize>([AtomicU64; N]);

impl Counters {
    /// Counts an exchange as opened, and as in flight until its guard goes.
    pub fn begin(&self) -> InFlight {
        self.totals.opened.fetch_add(1, Ordering::SeqCst);
        let end = Err(Failure { reason: Reason::Cancelled, elsewhere: None });
        InFlight { totals: self.totals.clone(), end }
    }

    /// The numbers of one moment: `opened = answered + failed + in flight`.
    pub fn read(&self, handshakes: Handshakes) -> wire::Counters {
        let (answered, failed, opened) = self.totals.read();
        wire::Counters {
            exchanges_opened: opened,
            exchanges_answered: answered,
            exchanges_failed: failed,
            exchanges_in_flight: opened - answered - failed,
            handshakes_accepted: handshakes.accepted,
            handshakes_refused: handshakes.refused,
            answered_by_latency: self.totals.answered_by_latency.read().to_vec(),
            failures: self.totals.failures(),
        }
    }
}

impl Totals {
    /// Answered, failed and opened as they were at one moment. Totals only grow: if no exchange
    /// ended while `opened` was read, the ends belong to the moment of that reading.
    fn read(&self) -> (u64, u64, u64) {
        let ended = || (self.answered.load(Ordering::SeqCst), self.failed.load(Ordering::SeqCst));
        let mut before = ended();
        loop {
            let opened = self.opened.load(Ordering::SeqCst);
            let after = ended();
            if before == after {
                return (after.0, after.1, opened);
            }
            before = after;
        }
    }

    fn failures(&self) -> Vec<wire::FailureCount> {
        let counts = self.failed_here.read().into_iter().zip(self.failed_elsewhere.read());
        let named = Reason::ALL.iter().zip(counts).filter(|(_, counts)| *counts != (0, 0));
        let count = |(reason, (here, elsewhere)): (&Reason, _)| {
            let hop = self.named_last.of(*reason).clone();
            wire::FailureCount {
                reason: reason.name().into(),
                here,
                elsewhere,
                elsewhere_last: hop.map_or(String::new(), |hop| hop.to_string()),
            }
        };
        named.map(count).collect()
    }

    fn fail(&self, failure: &mut Failure) {
        let reason = failure.reason;
        let tallies = match failure.elsewhere.take() {
            None => &self.failed_here,
            Some(hop) => {
                *self.named_last.of(reason) = Some(hop);
                &self.failed_elsewhere
            }
        };
        tallies.add(reason.index());
    }
}

impl NamedLast {
    fn of(&self, reason: Reason) -> MutexGuard<'_, Option<HopName>> {
        // A name is whole or not there, also after a panic.
        self.0[reason.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for NamedLast {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<const N: usize> Tallies<N> {
    fn add(&self, index: usize) {
        self.0[index].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> [u64; N] {
        std::array::from_fn(|index| self.0[index].load(Ordering::Relaxed))
    }
}

impl<const N: usize> Default for Tallies<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl InFlight {
    /// The exchange ended with an answer, whatever the answer says. It took so long from the
    /// arrival of the request to the end of the answer.
    pub fn answered(mut self, took: Duration) {
        self.totals.answered_by_latency.add(bucket_of(took));
        self.end = Ok(());
    }

    /// The exchange ended with `problem`, at the hop `me` or further on.
    pub fn failed(mut self, problem: &Problem, me: &HopName) {
        let elsewhere = (problem.hop != *me).then(|| problem.hop.clone());
        self.end = Err(Failure { reason: problem.reason, elsewhere });
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Self { totals, end } = self;
        let total = match end {
            Ok(()) => &totals.answered,
            Err(failure) => {
                totals.fail(failure);
                &totals.failed
            }
        };
        total.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_is_counted_once_at_each_end() {
        let counters = Counters::default();
        let handshakes = Handshakes { accepted: 0, refused: 3 };
        let clone = counters.clone();
        let still_open = clone.begin();
        counters.begin().answered(Duration::from_micros(100));
        let [me, other] = ["hub.health", "hub.centre"].map(|hop| hop.parse::<HopName>().unwrap());
        let problem = |hop: &HopName| Problem::new(Reason::NotPermitted, hop.clone(), "no");
        counters.begin().failed(&problem(&me), &me);
        counters.begin().failed(&problem(&other), &me);
        drop(counters.begin());
        let failure = |reason: Reason, here, elsewhere, last: &str| wire::FailureCount {
            reason: reason.name().into(),
            here,
            elsewhere,
            elsewhere_last: last.into(),
        };
        let mut answered_by_latency = vec![0; latency::BUCKETS];
        answered_by_latency[3] = 1;
        let want = wire::Counters {
            exchanges_opened: 5,
            exchanges_answered: 1,
            exchanges_failed: 3,
            exchanges_in_flight: 1,
            handshakes_accepted: 0,
            handshakes_refused: 3,
            answered_by_latency,
            failures: vec![
                failure(Reason::NotPermitted, 1, 1, "hub.centre"),
                failure(Reason::Cancelled, 1, 0, ""),
            ],
        };
        assert_eq!(counters.read(handshakes), want);
        still_open.answered(Duration::ZERO);
        assert_eq!(counters.read(handshakes).exchanges_in_flight, 0);
    }

    #[test]
    fn the_numbers_add_up_while_exchanges_come_and_go() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| counters.begin().answered(Duration::ZERO)));
            }
            for _ in 0..10_000 {
                let read = counters.read(Handshakes::default());
                assert!(read.exchanges_in_flight <= 4, "{read:?}");
            }
        });
    }
}
