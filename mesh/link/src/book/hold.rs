//! What the programs that hold exchanges do with them.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use mesh_core::limits::{
    DATA_BYTES_MAX, HEAD_BYTES_MAX, HEADER_BYTES_MAX, HOPS_MAX, TAIL_BYTES_MAX,
};
use mesh_core::reason::{Problem, Reason};
use mesh_proto::frame::{Close, Frame, Open};

use super::{Book, QUEUED_BYTES_MAX, Terms, misuse};
use crate::outbox::{Flow, cost_bytes};
use crate::slot::{Event, Slot};

/// A flow may have so many times as many exchanges open as there are places left. So one flow can
/// have nearly all of a lane, and never the last of it: what others need is there when they come.
/// A. K. Choudhury and E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet
/// Switches", IEEE/ACM Transactions on Networking 6(2), 1998.
const FLOW_SHARE: u32 = 8;

impl Book {
    /// Opens an exchange, and answers its key.
    pub(crate) fn open(&mut self, flow: Flow, open: Open) -> Result<u64, Problem> {
        if self.draining_there {
            return Err(self.draining_peer());
        }
        if let Some(problem) = &self.ended {
            return Err(problem.clone());
        }
        if self.terms.ours_max <= self.ours_open {
            let detail = format!("{} exchanges are under way to {}", self.ours_open, self.peer);
            return Err(Problem::new(Reason::Overloaded, self.me.clone(), detail));
        }
        let of_flow = self.ours_by_flow.get(&flow).copied().unwrap_or(0);
        let free = self.terms.ours_max - self.ours_open;
        if free.saturating_mul(FLOW_SHARE) <= of_flow {
            let detail = format!("{of_flow} exchanges of {flow} are under way to {}", self.peer);
            return Err(Problem::new(Reason::Overloaded, self.me.clone(), detail));
        }
        self.check_open(&open, self.terms.send_bytes)?;
        let key = self.next_key;
        self.next_key += 2;
        self.ours_open += 1;
        *self.ours_by_flow.entry(Arc::clone(&flow)).or_default() += 1;
        self.opened_total += 1;
        let Terms { send_bytes, receive_bytes, .. } = self.terms;
        self.slots.insert(key, Slot::ours(flow, receive_bytes, send_bytes));
        self.push_open(key, open);
        Ok(key)
    }

    /// The refusal of what the peer, which is about to stop, has not seen yet.
    pub(super) fn draining_peer(&self) -> Problem {
        let detail = format!("{} is about to stop and takes no new exchange", self.peer);
        Problem::new(Reason::Draining, self.peer.clone(), detail)
    }

    /// Answers an exchange that the peer opened.
    pub(crate) fn answer(&mut self, key: u64, open: Open) -> Result<(), Problem> {
        let misuse = || misuse(&self.me, "an answer to what nobody asked, or a second one");
        let slot = self.slots.get(&key).ok_or_else(misuse)?;
        if let Some(problem) = &slot.broken {
            return Err(problem.clone());
        }
        if slot.opened_out {
            return Err(misuse());
        }
        self.check_open(&open, slot.send_left)?;
        self.push_open(key, open);
        Ok(())
    }

    /// Refuses here what would cost this node the lane if it were sent.
    fn check_open(&self, open: &Open, credit: u32) -> Result<(), Problem> {
        let Open { header, head, body, hop, close } = open;
        let fits = (1..=HEADER_BYTES_MAX).contains(&header.len())
            && head.len() <= HEAD_BYTES_MAX
            && body.len() <= DATA_BYTES_MAX.min(credit as usize)
            && hop.hops.len() <= HOPS_MAX
            && close.as_ref().is_none_or(|close| close.tail.len() <= TAIL_BYTES_MAX);
        if fits { Ok(()) } else { Err(misuse(&self.me, "an opening beyond the limits")) }
    }

    fn push_open(&mut self, key: u64, open: Open) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.opened_out = true;
        slot.send_left -= open.body.len() as u32;
        slot.closed_out = open.close.is_some();
        self.push(key, Frame::Open { exchange: key, open });
    }

    /// Queues a frame behind what its exchange has queued.
    fn push(&mut self, key: u64, frame: Frame) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.queued_bytes += cost_bytes(&frame);
        self.outbox.push(&slot.flow, key, frame);
        self.wake_writer();
    }

    /// Queues as much of `body` as credit allows; ready when all of it is.
    pub(crate) fn poll_send(
        &mut self,
        key: u64,
        body: &mut Bytes,
        context: &Context<'_>,
    ) -> Poll<Result<(), Problem>> {
        loop {
            let misuse = || misuse(&self.me, "a body before its opening or after its end");
            let Some(slot) = self.slots.get_mut(&key) else { return Poll::Ready(Err(misuse())) };
            if let Some(problem) = &slot.broken {
                return Poll::Ready(Err(problem.clone()));
            }
            if !slot.opened_out || slot.closed_out {
                return Poll::Ready(Err(misuse()));
            }
            if body.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let room = (slot.send_left as usize).min(DATA_BYTES_MAX);
            if room == 0 || QUEUED_BYTES_MAX <= slot.queued_bytes {
                slot.sender = Some(context.waker().clone());
                return Poll::Pending;
            }
            let part = body.split_to(room.min(body.len()));
            slot.send_left -= part.len() as u32;
            self.push(key, Frame::Data { exchange: key, body: part });
        }
    }

    /// Ends this side's direction.
    pub(crate) fn close(&mut self, key: u64, close: Close) -> Result<(), Problem> {
        let misuse = || misuse(&self.me, "an end out of order, or beyond the limits");
        let slot = self.slots.get_mut(&key).ok_or_else(misuse)?;
        if let Some(problem) = &slot.broken {
            return Err(problem.clone());
        }
        if !slot.opened_out || slot.closed_out || TAIL_BYTES_MAX < close.tail.len() {
            return Err(misuse());
        }
        slot.closed_out = true;
        self.push(key, Frame::Close { exchange: key, close });
        Ok(())
    }

    /// The next event; pending for ever behind the last one unless the exchange breaks.
    pub(crate) fn poll_receive(
        &mut self,
        key: u64,
        context: &Context<'_>,
    ) -> Poll<Result<Event, Problem>> {
        let misuse = || misuse(&self.me, "a read of what is over");
        let Some(slot) = self.slots.get_mut(&key) else { return Poll::Ready(Err(misuse())) };
        let Some(event) = slot.inbox.pop_front() else {
            if let Some(problem) = &slot.broken {
                return Poll::Ready(Err(problem.clone()));
            }
            slot.receiver = Some(context.waker().clone());
            return Poll::Pending;
        };
        self.read(key, event.body_bytes());
        Poll::Ready(Ok(event))
    }

    /// `length` body bytes of an exchange were read: gives the peer credit, in larger portions.
    pub(crate) fn read(&mut self, key: u64, length: usize) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.receive_owed += length as u32;
        let worth_it = (self.terms.receive_bytes / 2).max(1) <= slot.receive_owed;
        let Some(exchange) = slot.number else { return };
        if slot.closed_in || slot.broken.is_some() || !worth_it {
            return;
        }
        let bytes = std::mem::take(&mut slot.receive_owed);
        slot.receive_left += bytes;
        self.push_control(Frame::Credit { exchange, bytes });
    }

    /// Breaks an exchange off in both directions and tells the peer why. An answer that is already
    /// whole still goes out first.
    pub(crate) fn cancel(&mut self, key: u64, problem: Problem) {
        let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.broken.is_none()) else {
            return;
        };
        if slot.closed_in && slot.closed_out {
            return;
        }
        slot.inbox.clear();
        let number = slot.number;
        if !slot.ours && slot.closed_out && !slot.done_out {
            let cancel = Frame::Cancel { exchange: key, problem: problem.clone() };
            self.outbox.push(&slot.flow, key, cancel);
            self.mark_broken(key, &problem);
            return;
        }
        self.break_off(key, &problem);
        // What the peer has not seen needs no end.
        if let Some(exchange) = number {
            self.push_control(Frame::Cancel { exchange, problem });
        }
    }

    /// Breaks off what has no time left, and answers why it is over: for that, or for what came
    /// before.
    pub(crate) fn expire(&mut self, key: u64, problem: Problem) -> Problem {
        let broken = self.slots.get(&key).and_then(|slot| slot.broken.clone());
        broken.unwrap_or_else(|| {
            self.cancel(key, problem.clone());
            problem
        })
    }

    /// Nobody holds the exchange any more.
    pub(crate) fn release(&mut self, key: u64) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.held = false;
        if slot.broken.is_none() && !slot.is_over() {
            let (reason, detail) = if slot.ours || slot.closed_out {
                (Reason::Cancelled, "what is under way is no longer wanted")
            } else {
                (Reason::Draining, "the hop stopped before it had the answer")
            };
            let problem = Problem::new(reason, self.me.clone(), detail);
            self.cancel(key, problem);
        }
        self.settle(key);
    }

    /// Says whose traffic the answer to an exchange is.
    pub(crate) fn set_flow(&mut self, key: u64, flow: Flow) {
        if let Some(slot) = self.slots.get_mut(&key).filter(|slot| !slot.opened_out) {
            slot.flow = flow;
        }
    }
}
