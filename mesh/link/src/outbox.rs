//! What waits to be sent on a lane, and in which order it goes: control frames first, then deficit
//! round robin by flow (one cluster each), and within a flow by exchange.
//!
//! Deficit round robin: M. Shreedhar and G. Varghese, "Efficient Fair Queueing Using Deficit Round
//! Robin", SIGCOMM 1995.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::Arc;

use mesh_core::limits::{BATCH_BYTES_MAX, BATCH_FRAMES_MAX, DATA_BYTES_MAX, FRAME_BYTES_OVERHEAD};
use mesh_proto::frame::Frame;
use rustc_hash::FxHashMap;

/// Whose traffic a frame is: flows share a lane fairly. One cluster is one flow.
pub type Flow = Arc<str>;

/// What a flow, or an exchange within it, may send in one turn.
const QUANTUM_BYTES: usize = DATA_BYTES_MAX + FRAME_BYTES_OVERHEAD;

/// Frames waiting to be sent. Its size is bounded by the exchanges that feed it, each of which
/// queues no more than its credit.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    control: VecDeque<Frame>,
    flows: Fair<Flow, Fair<u64, VecDeque<Frame>>>,
}

impl Outbox {
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.flows.is_empty()
    }

    /// Control frames that wait.
    pub(crate) fn control_count(&self) -> usize {
        self.control.len()
    }

    /// Queues a frame that goes before all others.
    pub(crate) fn push_control(&mut self, frame: Frame) {
        self.control.push_back(frame);
    }

    /// Queues a frame behind what `exchange` has queued.
    pub(crate) fn push(&mut self, flow: &Flow, exchange: u64, frame: Frame) {
        self.flows.queue(flow).queue(&exchange).push_back(frame);
    }

    /// Forgets what `exchange` has queued.
    pub(crate) fn forget(&mut self, flow: &Flow, exchange: u64) {
        let Some(exchanges) = self.flows.existing(flow) else { return };
        exchanges.remove(&exchange);
        if exchanges.is_empty() {
            self.flows.remove(flow);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes what goes into the next batch; empty when nothing waits.
    pub(crate) fn take(&mut self) -> Vec<Frame> {
        let mut batch = Vec::new();
        let mut room = BATCH_BYTES_MAX;
        while batch.len() < BATCH_FRAMES_MAX {
            let Some(left) = self.next_cost().and_then(|cost| room.checked_sub(cost)) else {
                break;
            };
            room = left;
            batch.extend(self.control.pop_front().or_else(|| self.flows.pop()));
        }
        batch
    }

    fn next_cost(&mut self) -> Option<usize> {
        self.control.front().map(cost_bytes).or_else(|| self.flows.next_cost())
    }
}

/// What a frame counts in a batch: as the protocol has it, and the texts that its overhead does not
/// cover, so that many frames with long ones do not make a message that the peer must refuse.
pub(crate) fn cost_bytes(frame: &Frame) -> usize {
    let texts = match frame {
        Frame::Open { open, .. } => {
            open.hop.hops.iter().map(|time| time.hop.as_str().len() + HOP_BYTES_OVERHEAD).sum()
        }
        Frame::Cancel { problem, .. } => {
            problem.reason.name().len() + problem.hop.as_str().len() + problem.detail.len()
        }
        _ => 0,
    };
    frame.cost_bytes() + texts
}

/// Numbers and tags of one hop in a hop section.
const HOP_BYTES_OVERHEAD: usize = 16;

/// Something frames can be taken from, one by one.
trait Queue: Default {
    /// What the next frame costs; `None` when there is none.
    fn next_cost(&mut self) -> Option<usize>;

    fn pop(&mut self) -> Option<Frame>;
}

impl Queue for VecDeque<Frame> {
    fn next_cost(&mut self) -> Option<usize> {
        self.front().map(cost_bytes)
    }

    fn pop(&mut self) -> Option<Frame> {
        self.pop_front()
    }
}

/// Queues that take turns.
#[derive(Debug)]
struct Fair<K, Q> {
    queues: FxHashMap<K, Turn<Q>>,
    /// Keys of `queues`, each once; the first has the turn.
    order: VecDeque<K>,
}

#[derive(Debug, Default)]
struct Turn<Q> {
    queue: Q,
    /// What it may still send in this turn.
    deficit: usize,
    /// Has it got its quantum for this turn?
    topped_up: bool,
}

impl<K, Q> Default for Fair<K, Q> {
    fn default() -> Self {
        Self { queues: FxHashMap::default(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, Q: Queue> Fair<K, Q> {
    fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The queue of `key`, made at the end of the order if there is none.
    fn queue(&mut self, key: &K) -> &mut Q {
        if !self.queues.contains_key(key) {
            self.order.push_back(key.clone());
        }
        &mut self.queues.entry(key.clone()).or_default().queue
    }

    fn remove(&mut self, key: &K) {
        if self.queues.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }

    fn existing(&mut self, key: &K) -> Option<&mut Q> {
        self.queues.get_mut(key).map(|turn| &mut turn.queue)
    }

    /// Moves the turn on until the one that has it may send its next frame. Queues found empty are
    /// dropped, and with them what they had left: an idle flow saves nothing up.
    fn settle(&mut self) -> Option<(usize, &mut Turn<Q>)> {
        let cost = loop {
            let key = self.order.front()?;
            let turn = self.queues.get_mut(key).expect("each key in the order has a queue");
            let Some(cost) = turn.queue.next_cost() else {
                self.queues.remove(key);
                self.order.pop_front();
                continue;
            };
            if !turn.topped_up {
                turn.topped_up = true;
                turn.deficit += QUANTUM_BYTES;
            }
            if cost <= turn.deficit {
                break cost;
            }
            turn.topped_up = false;
            self.order.rotate_left(1);
        };
        let first = self.order.front()?;
        self.queues.get_mut(first).map(|turn| (cost, turn))
    }
}

impl<K: Clone + Eq + Hash, Q: Queue> Queue for Fair<K, Q> {
    fn next_cost(&mut self) -> Option<usize> {
        self.settle().map(|(cost, _)| cost)
    }

    fn pop(&mut self) -> Option<Frame> {
        let (cost, turn) = self.settle()?;
        turn.deficit -= cost;
        let frame = turn.queue.pop();
        // Leaves no empty queue behind, so that `is_empty` tells the truth.
        self.settle();
        frame
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn data(exchange: u64, length: usize) -> Frame {
        Frame::Data { exchange, body: Bytes::from(vec![0; length]) }
    }

    fn exchange_of(frame: &Frame) -> u64 {
        match frame {
            Frame::Data { exchange, .. } => *exchange,
            other => panic!("only data was queued: {other:?}"),
        }
    }

    #[test]
    fn control_frames_go_first() {
        let mut outbox = Outbox::default();
        outbox.push(&"a".into(), 1, data(1, 10));
        outbox.push_control(Frame::Ping { sequence: 1, reply: false });
        assert!(matches!(outbox.take()[..], [Frame::Ping { .. }, Frame::Data { .. }]));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_flood_of_one_flow_does_not_hold_up_another() {
        let (flood, quiet): (Flow, Flow) = ("flood".into(), "quiet".into());
        let mut outbox = Outbox::default();
        for exchange in 0..1000 {
            outbox.push(&flood, exchange, data(exchange, DATA_BYTES_MAX));
        }
        outbox.push(&quiet, 5000, data(5000, 600));
        let first = outbox.take();
        assert!(first.iter().any(|frame| exchange_of(frame) == 5000), "in the first batch");
    }

    #[test]
    fn forgets_an_exchange() {
        let mut outbox = Outbox::default();
        let flow: Flow = "a".into();
        outbox.push(&flow, 1, data(1, 10));
        outbox.push(&flow, 3, data(3, 10));
        outbox.forget(&flow, 1);
        assert_eq!(outbox.take().iter().map(exchange_of).collect::<Vec<_>>(), [3]);
    }

    proptest! {
        /// Nothing is lost, nothing overtakes within an exchange, and batches keep their limits.
        #[test]
        fn gives_back_what_was_put_in(
            puts in prop::collection::vec((0..4u64, 0..6u64, 1..DATA_BYTES_MAX), 1..400)
        ) {
            let mut outbox = Outbox::default();
            let mut want: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (flow, exchange, length) in puts {
                let number = flow * 10 + exchange;
                outbox.push(&flow.to_string().into(), number, data(number, length));
                want.entry(number).or_default().push(length);
            }
            let mut found: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            while !outbox.is_empty() {
                let batch = outbox.take();
                prop_assert!(!batch.is_empty());
                let bytes: usize = batch.iter().map(Frame::cost_bytes).sum();
                prop_assert!(bytes < BATCH_BYTES_MAX + QUANTUM_BYTES);
                for frame in batch {
                    let Frame::Data { exchange, body } = frame else { unreachable!() };
                    found.entry(exchange).or_default().push(body.len());
                }
            }
            prop_assert_eq!(found, want);
        }

        /// While flows have something queued, none gets ahead of another by more than two turns
        /// and one frame, however small or large their frames are.
        #[test]
        fn shares_fairly(lengths in prop::collection::vec(1..DATA_BYTES_MAX, 2..5)) {
            let mut outbox = Outbox::default();
            for (flow, length) in lengths.iter().enumerate() {
                for exchange in 0..4 {
                    for _ in 0..(1 << 20) / length / 4 + 1 {
                        let number = (flow * 10 + exchange) as u64;
                        outbox.push(&flow.to_string().into(), number, data(number, *length));
                    }
                }
            }
            let mut sent = vec![0; lengths.len()];
            while sent.iter().sum::<usize>() < 512 << 10 {
                for frame in outbox.take() {
                    sent[exchange_of(&frame) as usize / 10] += frame.cost_bytes();
                }
                let spread = sent.iter().max().unwrap() - sent.iter().min().unwrap();
                prop_assert!(spread <= BATCH_BYTES_MAX + 3 * QUANTUM_BYTES, "{:?}", sent);
            }
            let spread = sent.iter().max().unwrap() - sent.iter().min().unwrap();
            prop_assert!(spread <= 3 * QUANTUM_BYTES, "{:?}", sent);
        }
    }
}
