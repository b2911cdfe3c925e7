//! What a node counts, for its operators.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mesh_proto::wire::admin::v1 as wire;

/// Exchanges since the node started. Cheap to clone; every clone counts the same.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    totals: Arc<Totals>,
}

/// One exchange in flight. Dropped without an answer it counts as failed: it was broken off.
#[must_use = "the exchange counts as failed when this is dropped"]
#[derive(Debug)]
pub struct InFlight {
    totals: Arc<Totals>,
    answered: bool,
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
}

impl Counters {
    /// Counts an exchange as opened, and as in flight until its guard goes.
    pub fn begin(&self) -> InFlight {
        self.totals.opened.fetch_add(1, Ordering::SeqCst);
        InFlight { totals: self.totals.clone(), answered: false }
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
}

impl InFlight {
    /// The exchange ended with an answer, whatever the answer says.
    pub fn answered(mut self) {
        self.answered = true;
    }

    /// The exchange ended with a problem.
    pub fn failed(self) {}
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let total = if self.answered { &self.totals.answered } else { &self.totals.failed };
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
        counters.begin().answered();
        counters.begin().failed();
        drop(counters.begin());
        let want = wire::Counters {
            exchanges_opened: 4,
            exchanges_answered: 1,
            exchanges_failed: 2,
            exchanges_in_flight: 1,
            handshakes_accepted: 0,
            handshakes_refused: 3,
        };
        assert_eq!(counters.read(handshakes), want);
        still_open.answered();
        assert_eq!(counters.read(handshakes).exchanges_in_flight, 0);
    }

    #[test]
    fn the_numbers_add_up_while_exchanges_come_and_go() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| counters.begin().answered()));
            }
            for _ in 0..10_000 {
                let read = counters.read(Handshakes::default());
                assert!(read.exchanges_in_flight <= 4, "{read:?}");
            }
        });
    }
}
