//! The books of one lane: its exchanges, its credit, what waits to be sent. No time, no I/O: frames
//! come in, frames go out, and whoever must wake is named.

mod receive;

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mesh_core::limits::DATA_BYTES_MAX;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::frame::{Close, Frame, Open};

pub(crate) use self::receive::Violation;
use crate::outbox::{Flow, Outbox};
use crate::slot::{Event, Slot};

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

/// Body bytes of one exchange that may wait in the outbox; a sender waits beyond it, so that a slow
/// lane holds little.
const QUEUED_BYTES_MAX: usize = 2 * DATA_BYTES_MAX;

/// See the module.
#[derive(Debug)]
pub(crate) struct Book {
    me: HopName,
    peer: HopName,
    terms: Terms,
    slots: HashMap<u64, Slot>,
    outbox: Outbox,
    next_ours: u64,
    highest_theirs: u64,
    ours_open: u32,
    theirs_open: u32,
    opened_total: u64,
    /// This side, or the peer, opens nothing more.
    pub(crate) draining_here: bool,
    pub(crate) draining_there: bool,
    ended: Option<Problem>,
    writer: Option<Waker>,
    /// Whom to wake when the lock is released.
    pub(crate) wakes: Vec<Waker>,
}

impl Book {
    pub(crate) fn new(end: End, terms: Terms, me: HopName, peer: HopName) -> Self {
        Self {
            me,
            peer,
            terms,
            slots: HashMap::new(),
            outbox: Outbox::default(),
            next_ours: if end == End::Dialler { 1 } else { 2 },
            highest_theirs: 0,
            ours_open: 0,
            theirs_open: 0,
            opened_total: 0,
            draining_here: false,
            draining_there: false,
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

    // --- what the programs do -----------------------------------------------------------------

    /// Opens an exchange, and answers its number.
    pub(crate) fn open(&mut self, flow: Flow, open: Open) -> Result<u64, Problem> {
        if let Some(problem) = &self.ended {
            return Err(problem.clone());
        }
        if self.draining_there {
            let detail = format!("{} is about to stop and takes no new exchange", self.peer);
            return Err(Problem::new(Reason::Draining, self.peer.clone(), detail));
        }
        if self.terms.ours_max <= self.ours_open {
            let detail = format!("{} exchanges are under way to {}", self.ours_open, self.peer);
            return Err(Problem::new(Reason::Overloaded, self.me.clone(), detail));
        }
        let number = self.next_ours;
        self.next_ours += 2;
        self.ours_open += 1;
        self.opened_total += 1;
        let Terms { send_bytes, receive_bytes, .. } = self.terms;
        self.slots.insert(number, Slot::new(flow, true, receive_bytes, send_bytes));
        self.push_open(number, open)?;
        Ok(number)
    }

    /// Answers an exchange that the peer opened.
    pub(crate) fn answer(&mut self, number: u64, open: Open) -> Result<(), Problem> {
        let misuse = || misuse(&self.me, "an answer to what nobody asked, or a second one");
        let slot = self.slots.get_mut(&number).ok_or_else(misuse)?;
        if let Some(problem) = &slot.broken {
            return Err(problem.clone());
        }
        if slot.opened_out {
            return Err(misuse());
        }
        slot.opened_out = true;
        self.push_open(number, open)
    }

    fn push_open(&mut self, number: u64, open: Open) -> Result<(), Problem> {
        let misuse = || misuse(&self.me, "the first part of a body exceeds the credit");
        let slot = self.slots.get_mut(&number).ok_or_else(misuse)?;
        let bytes = u32::try_from(open.body.len()).unwrap_or(u32::MAX);
        slot.send_left = slot.send_left.checked_sub(bytes).ok_or_else(misuse)?;
        slot.queued_bytes += open.body.len();
        slot.closed_out = open.close.is_some();
        let frame = Frame::Open { exchange: number, open };
        self.outbox.push(&slot.flow, number, frame);
        self.wake_writer();
        Ok(())
    }

    /// Queues as much of `body` as credit allows; ready when all of it is.
    pub(crate) fn poll_send(
        &mut self,
        number: u64,
        body: &mut Bytes,
        context: &Context<'_>,
    ) -> Poll<Result<(), Problem>> {
        let misuse = || misuse(&self.me, "a body before its opening or after its end");
        let Some(slot) = self.slots.get_mut(&number) else { return Poll::Ready(Err(misuse())) };
        let mut pushed = false;
        let done = loop {
            if let Some(problem) = &slot.broken {
                return Poll::Ready(Err(problem.clone()));
            }
            if !slot.opened_out || slot.closed_out {
                return Poll::Ready(Err(misuse()));
            }
            if body.is_empty() {
                break true;
            }
            let room = (slot.send_left as usize).min(DATA_BYTES_MAX);
            if room == 0 || QUEUED_BYTES_MAX <= slot.queued_bytes {
                slot.sender = Some(context.waker().clone());
                break false;
            }
            let part = body.split_to(room.min(body.len()));
            slot.send_left -= part.len() as u32;
            slot.queued_bytes += part.len();
            self.outbox.push(&slot.flow, number, Frame::Data { exchange: number, body: part });
            pushed = true;
        };
        if pushed {
            self.wake_writer();
        }
        if done { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Ends this side's direction.
    pub(crate) fn close(&mut self, number: u64, close: Close) -> Result<(), Problem> {
        let misuse = || misuse(&self.me, "an end before the opening, or a second end");
        let slot = self.slots.get_mut(&number).ok_or_else(misuse)?;
        if let Some(problem) = &slot.broken {
            return Err(problem.clone());
        }
        if !slot.opened_out || slot.closed_out {
            return Err(misuse());
        }
        slot.closed_out = true;
        self.outbox.push(&slot.flow, number, Frame::Close { exchange: number, close });
        self.wake_writer();
        Ok(())
    }

    /// The next event; pending for ever behind the last one unless the exchange breaks.
    pub(crate) fn poll_receive(
        &mut self,
        number: u64,
        context: &Context<'_>,
    ) -> Poll<Result<Event, Problem>> {
        let misuse = || misuse(&self.me, "a read of what is over");
        let Some(slot) = self.slots.get_mut(&number) else { return Poll::Ready(Err(misuse())) };
        let Some(event) = slot.inbox.pop_front() else {
            if let Some(problem) = &slot.broken {
                return Poll::Ready(Err(problem.clone()));
            }
            slot.receiver = Some(context.waker().clone());
            return Poll::Pending;
        };
        let length = match &event {
            Event::Open(open) => open.body.len(),
            Event::Data(body) => body.len(),
            Event::Close(_) => 0,
        };
        self.read(number, length);
        Poll::Ready(Ok(event))
    }

    /// `length` body bytes of an exchange were read: gives the peer credit, in larger portions.
    pub(crate) fn read(&mut self, number: u64, length: usize) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.receive_owed += length as u32;
        let worth_it = self.terms.receive_bytes / 2 <= slot.receive_owed;
        if slot.closed_in || slot.broken.is_some() || !worth_it {
            return;
        }
        let bytes = std::mem::take(&mut slot.receive_owed);
        slot.receive_left += bytes;
        self.outbox.push_control(Frame::Credit { exchange: number, bytes });
        self.wake_writer();
    }

    /// Breaks an exchange off in both directions and tells the peer why. An answer that is already
    /// whole still goes out first.
    pub(crate) fn cancel(&mut self, number: u64, problem: Problem) {
        let Some(slot) = self.slots.get_mut(&number).filter(|slot| slot.broken.is_none()) else {
            return;
        };
        let over = slot.closed_in && slot.closed_out;
        if over {
            return;
        }
        let cancel = Frame::Cancel { exchange: number, problem: problem.clone() };
        if slot.closed_out {
            self.outbox.push(&slot.flow, number, cancel);
        } else {
            self.outbox.forget(&slot.flow, number);
            self.outbox.push_control(cancel);
        }
        slot.inbox.clear();
        self.break_off(number, problem);
        self.wake_writer();
    }

    /// Nobody holds the exchange any more.
    pub(crate) fn release(&mut self, number: u64) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.held = false;
        if !slot.is_over() {
            let (reason, detail) = if slot.ours || slot.closed_out {
                (Reason::Cancelled, "what is under way is no longer wanted")
            } else {
                (Reason::Draining, "the hop stopped before it had the answer")
            };
            let problem = Problem::new(reason, self.me.clone(), detail);
            self.cancel(number, problem);
        }
        self.settle(number);
    }

    // --- what the lane does -------------------------------------------------------------------

    /// Queues a frame of the lane itself.
    pub(crate) fn push_control(&mut self, frame: Frame) {
        self.outbox.push_control(frame);
        self.wake_writer();
    }

    /// Tells the peer that this side is about to stop.
    pub(crate) fn drain(&mut self, grace: Duration) {
        if !self.draining_here {
            self.draining_here = true;
            self.push_control(Frame::Drain { grace });
        }
    }

    /// The next batch; `None` when the lane has ended.
    pub(crate) fn poll_take(&mut self, context: &Context<'_>) -> Poll<Option<Vec<Frame>>> {
        if self.ended.is_some() {
            return Poll::Ready(None);
        }
        let batch = self.outbox.take();
        if batch.is_empty() {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        for frame in &batch {
            match frame {
                Frame::Open { exchange, open } => {
                    self.sent(*exchange, open.body.len(), open.close.is_some());
                }
                Frame::Data { exchange, body } => self.sent(*exchange, body.len(), false),
                Frame::Close { exchange, .. } => self.sent(*exchange, 0, true),
                _ => {}
            }
        }
        Poll::Ready(Some(batch))
    }

    fn sent(&mut self, number: u64, length: usize, closes: bool) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.queued_bytes = slot.queued_bytes.saturating_sub(length);
        if slot.queued_bytes < QUEUED_BYTES_MAX {
            self.wakes.extend(slot.sender.take());
        }
        if closes {
            slot.flushed = true;
            self.settle(number);
        }
    }

    /// Ends the lane: every exchange breaks, nothing more is sent.
    pub(crate) fn end(&mut self, problem: Problem) {
        if self.ended.is_some() {
            return;
        }
        self.outbox.clear();
        let numbers: Vec<u64> = self.slots.keys().copied().collect();
        for number in numbers {
            if let Some(slot) = self.slots.get_mut(&number)
                && !slot.closed_in
            {
                slot.inbox.clear();
            }
            self.break_off(number, problem.clone());
        }
        self.ended = Some(problem);
        self.wake_writer();
    }

    fn break_off(&mut self, number: u64, problem: Problem) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.broken.get_or_insert(problem);
        slot.queued_bytes = if slot.closed_out { slot.queued_bytes } else { 0 };
        self.wakes.extend(slot.receiver.take());
        self.wakes.extend(slot.sender.take());
        self.settle(number);
    }

    /// Takes an exchange that is over out of the count, and out of the book when nobody holds it.
    fn settle(&mut self, number: u64) {
        let Some(slot) = self.slots.get_mut(&number).filter(|slot| slot.is_over()) else { return };
        if std::mem::take(&mut slot.counted) {
            let count = if slot.ours { &mut self.ours_open } else { &mut self.theirs_open };
            *count -= 1;
        }
        if !slot.held {
            self.slots.remove(&number);
        }
    }

    /// Says whose traffic the answer to an exchange is.
    pub(crate) fn set_flow(&mut self, number: u64, flow: Flow) {
        if let Some(slot) = self.slots.get_mut(&number).filter(|slot| !slot.opened_out) {
            slot.flow = flow;
        }
    }

    fn wake_writer(&mut self) {
        self.wakes.extend(self.writer.take());
    }

    /// Body bytes that wait in and out: what the lane's memory is bounded by.
    #[cfg(test)]
    pub(crate) fn body_bytes(&self) -> usize {
        let held = |slot: &Slot| {
            let inbox = slot.inbox.iter().map(|event| match event {
                Event::Open(open) => open.body.len(),
                Event::Data(body) => body.len(),
                Event::Close(_) => 0,
            });
            inbox.sum::<usize>() + slot.queued_bytes
        };
        self.slots.values().map(held).sum()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.outbox.is_empty()
    }
}

/// The program that holds an exchange did what makes no sense; the mesh's own fault.
fn misuse(me: &HopName, what: &str) -> Problem {
    Problem::new(Reason::Internal, me.clone(), what)
}
