//! The books of one lane: its exchanges, its credit, what waits to be sent. No time, no I/O: frames
//! come in, frames go out, and whoever must wake is named.

mod hold;
mod receive;
#[cfg(test)]
mod tests;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mesh_core::limits::{BATCH_FRAMES_MAX, DATA_BYTES_MAX, EXCHANGES_MAX, FRAME_BYTES_OVERHEAD};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::frame::Frame;
use rustc_hash::FxHashMap;

pub(crate) use self::receive::Violation;
use crate::outbox::{Flow, Outbox, cost_bytes};
use crate::slot::Slot;

/// What the two ends agreed on in their hellos.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Exchanges that this side may have open, and that the peer may.
    pub(crate) ours_max: u32,
    pub(crate) theirs_max: u32,
    /// Credit that an exchange begins with: to send, and to receive.
    pub(crate) send_bytes: u32,
    pub(crate) receive_bytes: u32,
}

/// Which end of a lane this is; it decides who opens which numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Dialler,
    Listener,
}

/// What the frames of one exchange may cost that wait in the outbox; a sender waits beyond it, so
/// that a slow lane holds little, however small the frames are.
const QUEUED_BYTES_MAX: usize = 2 * (DATA_BYTES_MAX + FRAME_BYTES_OVERHEAD);

/// See the module.
///
/// An exchange has a key here and a number on the lane. For the peer's they are the same; one of
/// ours gets its number when its `Open` leaves, because fairness may let a later one go first, and
/// the peer must see numbers rise.
#[derive(Debug)]
pub(crate) struct Book {
    me: HopName,
    peer: HopName,
    terms: Terms,
    /// By key.
    slots: FxHashMap<u64, Slot>,
    /// Keys of our exchanges by number, for those that the peer has seen.
    keys: FxHashMap<u64, u64>,
    outbox: Outbox,
    next_key: u64,
    /// The number of our next exchange that leaves.
    next_ours: u64,
    highest_theirs: u64,
    ours_open: u32,
    /// Of those, how many each flow has.
    ours_by_flow: FxHashMap<Flow, u32>,
    theirs_open: u32,
    /// The peer's exchanges that are open, or that somebody here still holds.
    theirs_held: u32,
    opened_total: u64,
    /// This side, or the peer, opens nothing more.
    pub(crate) draining_here: bool,
    pub(crate) draining_there: bool,
    pings: Pings,
    ended: Option<Problem>,
    writer: Option<Waker>,
    /// Whom to wake when the lock is released.
    pub(crate) wakes: Vec<Waker>,
}

#[derive(Debug, Default)]
struct Pings {
    /// The sequence of the last ping, and whether it still waits in the outbox.
    last: u64,
    waits: bool,
    /// The sequence of the last one that was answered.
    answered: u64,
}

/// What of the books others wait for; see `Lane`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Watched {
    idle: bool,
    takes_more: bool,
    ended: bool,
    answered_ping: u64,
}

impl Book {
    pub(crate) fn new(end: End, terms: Terms, me: HopName, peer: HopName) -> Self {
        let first = if end == End::Dialler { 1 } else { 2 };
        Self {
            me,
            peer,
            terms,
            slots: FxHashMap::default(),
            keys: FxHashMap::default(),
            outbox: Outbox::default(),
            next_key: first,
            next_ours: first,
            highest_theirs: 0,
            ours_open: 0,
            ours_by_flow: FxHashMap::default(),
            theirs_open: 0,
            theirs_held: 0,
            opened_total: 0,
            draining_here: false,
            draining_there: false,
            pings: Pings::default(),
            ended: None,
            writer: None,
            wakes: Vec::new(),
        }
    }

    pub(crate) fn open_count(&self) -> u32 {
        self.ours_open + self.theirs_open
    }

    pub(crate) fn opened_total(&self) -> u64 {
        self.opened_total
    }

    pub(crate) fn ended(&self) -> Option<&Problem> {
        self.ended.as_ref()
    }

    /// May this side open an exchange?
    pub(crate) fn takes_more(&self) -> bool {
        self.ended.is_none() && !self.draining_there
    }

    /// Did the peer answer this ping, or a later one?
    pub(crate) fn has_answered(&self, ping: u64) -> bool {
        ping <= self.pings.answered
    }

    pub(crate) fn watched(&self) -> Watched {
        Watched {
            idle: self.open_count() == 0,
            takes_more: self.takes_more(),
            ended: self.ended.is_some(),
            answered_ping: self.pings.answered,
        }
    }

    /// Pings the peer, and answers the sequence. A ping that still waits to be sent serves again.
    pub(crate) fn ping(&mut self) -> u64 {
        if !self.pings.waits {
            self.pings.last += 1;
            self.pings.waits = true;
            self.push_control(Frame::Ping { sequence: self.pings.last, reply: false });
        }
        self.pings.last
    }

    /// Tells the peer that this side is about to stop.
    pub(crate) fn drain(&mut self, grace: Duration) {
        if !self.draining_here {
            self.draining_here = true;
            // An answer to a ping from now on shows that the peer knows.
            self.pings.waits = false;
            self.push_control(Frame::Drain { grace });
        }
    }

    /// The next batch; `None` when the lane has ended.
    pub(crate) fn poll_take(&mut self, context: &Context<'_>) -> Poll<Option<Vec<Frame>>> {
        if self.ended.is_some() {
            return Poll::Ready(None);
        }
        let mut batch = self.outbox.take();
        if batch.is_empty() {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        for frame in &mut batch {
            let cost = cost_bytes(frame);
            match frame {
                Frame::Open { exchange, open } => {
                    let closes = open.close.is_some();
                    self.number(*exchange);
                    self.sent(exchange, cost, closes);
                }
                Frame::Data { exchange, .. } => self.sent(exchange, cost, false),
                Frame::Close { exchange, .. } => self.sent(exchange, cost, true),
                Frame::Ping { reply: false, .. } => self.pings.waits = false,
                _ => {}
            }
        }
        Poll::Ready(Some(batch))
    }

    /// Gives an exchange of ours its number.
    fn number(&mut self, key: u64) {
        let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.number.is_none()) else {
            return;
        };
        slot.number = Some(self.next_ours);
        self.keys.insert(self.next_ours, key);
        self.next_ours += 2;
    }

    /// A frame leaves: puts the exchange's number in the place of its key.
    fn sent(&mut self, exchange: &mut u64, cost: usize, closes: bool) {
        let key = *exchange;
        let slot = self.slots.get_mut(&key).expect("a slot outlives the frames that it queued");
        *exchange = slot.number.expect("an exchange is numbered with its first frame");
        slot.queued_bytes -= cost;
        if slot.queued_bytes < QUEUED_BYTES_MAX {
            self.wakes.extend(slot.sender.take());
        }
        if closes {
            slot.done_out = true;
            self.settle(key);
        }
    }

    /// Ends the lane: every exchange breaks, nothing more is sent.
    pub(crate) fn end(&mut self, problem: Problem) {
        if self.ended.is_some() {
            return;
        }
        let keys: Vec<u64> = self.slots.keys().copied().collect();
        for key in keys {
            self.break_off(key, &problem);
        }
        self.outbox.clear();
        self.ended = Some(problem);
        self.wake_writer();
    }

    /// Breaks an exchange in both directions; what it has queued is forgotten. What came in whole
    /// may still be read.
    fn break_off(&mut self, key: u64, problem: &Problem) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if !slot.closed_in {
            slot.inbox.clear();
        }
        slot.queued_bytes = 0;
        slot.done_out = true;
        self.outbox.forget(&slot.flow, key);
        self.mark_broken(key, problem);
    }

    fn mark_broken(&mut self, key: u64, problem: &Problem) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.broken.get_or_insert_with(|| problem.clone());
        self.wakes.extend(slot.receiver.take());
        self.wakes.extend(slot.sender.take());
        self.settle(key);
    }

    /// Takes an exchange that is over out of the count, and out of the book when nobody holds it.
    fn settle(&mut self, key: u64) {
        let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.is_over()) else { return };
        if std::mem::take(&mut slot.counted) {
            if slot.ours {
                self.ours_open -= 1;
                uncount(&mut self.ours_by_flow, &slot.flow);
            } else {
                self.theirs_open -= 1;
            }
        }
        if slot.held {
            return;
        }
        if !slot.ours {
            self.theirs_held -= 1;
        } else if let Some(number) = slot.number {
            self.keys.remove(&number);
        }
        self.slots.remove(&key);
    }

    /// Queues a frame of the lane itself, or one that goes before all others.
    fn push_control(&mut self, frame: Frame) {
        if self.ended.is_none() {
            self.outbox.push_control(frame);
            self.wake_writer();
        }
    }

    /// Control frames that may wait. Honest ends stay far below: two portions of credit and one
    /// `Cancel` for each exchange that is open.
    fn control_frames_max(&self) -> usize {
        let open_max =
            u64::from(self.terms.theirs_max) + u64::from(self.terms.ours_max.min(EXCHANGES_MAX));
        2 * BATCH_FRAMES_MAX + 8 * open_max as usize
    }

    fn wake_writer(&mut self) {
        self.wakes.extend(self.writer.take());
    }

    /// Bytes that wait in and out: what the lane's memory is bounded by.
    #[cfg(test)]
    fn waiting_bytes(&self) -> usize {
        self.slots.values().map(|slot| slot.inbox_bytes() + slot.queued_bytes).sum()
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        let idle = self.slots.is_empty() && self.keys.is_empty() && self.ours_by_flow.is_empty();
        idle && self.outbox.is_empty()
    }
}

/// The program that holds an exchange did what makes no sense; the mesh's own fault.
fn misuse(me: &HopName, what: &str) -> Problem {
    Problem::new(Reason::Internal, me.clone(), what)
}

/// One exchange of `flow` is over.
fn uncount(flows: &mut FxHashMap<Flow, u32>, flow: &Flow) {
    if let Some(count) = flows.get_mut(flow) {
        *count -= 1;
        if *count == 0 {
            flows.remove(flow);
        }
    }
}
