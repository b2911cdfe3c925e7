//! What a peer sends: taken in by the rules of `link.proto`, or a violation that costs it the lane.

use bytes::Bytes;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::frame::{Close, Frame, Open};

use super::{Book, Pings, Terms};
use crate::slot::{Event, Slot, unpin, unpin_open};

/// A peer broke a rule of `link.proto`; it loses the lane.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("exchange {exchange}: {what}")]
pub(crate) struct Violation {
    pub(crate) exchange: u64,
    pub(crate) what: &'static str,
}

/// An exchange that the peer opened.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) number: u64,
    pub(crate) open: Open,
}

impl Book {
    /// Takes in one frame from the peer.
    pub(crate) fn receive(&mut self, frame: Frame) -> Result<Option<Arrived>, Violation> {
        let mut arrived = None;
        match frame {
            Frame::Open { exchange, open } if self.is_ours(exchange) => {
                self.receive_answer(exchange, open)?;
            }
            Frame::Open { exchange, open } => arrived = self.receive_open(exchange, open)?,
            Frame::Data { exchange, body } => self.receive_data(exchange, body)?,
            Frame::Close { exchange, close } => self.receive_close(exchange, close)?,
            Frame::Credit { exchange, bytes } => self.receive_credit(exchange, bytes)?,
            Frame::Cancel { exchange, problem } => {
                if let Some(key) = self.key(exchange)? {
                    self.break_off(key, &problem);
                }
            }
            Frame::Drain { .. } => self.receive_drain(),
            Frame::Ping { sequence, reply: false } => {
                self.push_control(Frame::Ping { sequence, reply: true });
            }
            Frame::Ping { sequence, reply: true } => {
                let Pings { last, answered, .. } = self.pings;
                self.pings.answered = answered.max(sequence.min(last));
            }
            Frame::Hello(_) => return Err(Violation { exchange: 0, what: "a second hello" }),
        }
        if self.control_frames_max() < self.outbox.control_count() {
            // Whoever asks for so many replies does not read them.
            return Err(Violation {
                exchange: 0,
                what: "more replies wait than an honest peer asks",
            });
        }
        Ok(arrived)
    }

    fn receive_open(&mut self, number: u64, mut open: Open) -> Result<Option<Arrived>, Violation> {
        let violation = |what| Violation { exchange: number, what };
        if number <= self.highest_theirs {
            return Err(violation("opened twice, or out of order"));
        }
        self.highest_theirs = number;
        // Exchanges that were cancelled and are still in somebody's hand count too, so that a peer
        // that opens and cancels without end cannot pile up work here.
        let Terms { theirs_max, send_bytes, receive_bytes, .. } = self.terms;
        if theirs_max <= self.theirs_open || theirs_max.saturating_mul(2) <= self.theirs_held {
            let detail = format!("{} exchanges are under way from {}", self.theirs_open, self.peer);
            let problem = Problem::new(Reason::Overloaded, self.me.clone(), detail);
            self.push_control(Frame::Cancel { exchange: number, problem });
            return Ok(None);
        }
        // Answers go back in the flow of the peer until the program that routes it says otherwise.
        let flow = self.peer.as_str().into();
        let mut slot = Slot::theirs(number, flow, receive_bytes, send_bytes);
        if !slot.receive(open.body.len()) {
            return Err(violation("more body than credit"));
        }
        slot.closed_in = open.close.is_some();
        unpin_open(&mut open);
        self.slots.insert(number, slot);
        self.theirs_open += 1;
        self.theirs_held += 1;
        self.opened_total += 1;
        Ok(Some(Arrived { number, open }))
    }

    fn receive_answer(&mut self, number: u64, mut open: Open) -> Result<(), Violation> {
        let violation = |what| Violation { exchange: number, what };
        let Some((key, slot)) = self.expected(number)? else { return Ok(()) };
        if slot.opened_in {
            return Err(violation("answered twice"));
        }
        if !slot.receive(open.body.len()) {
            return Err(violation("more body than credit"));
        }
        slot.opened_in = true;
        slot.closed_in = open.close.is_some();
        unpin_open(&mut open);
        self.deliver(key, Event::Open(open));
        Ok(())
    }

    fn receive_data(&mut self, number: u64, body: Bytes) -> Result<(), Violation> {
        let violation = |what| Violation { exchange: number, what };
        let Some((key, slot)) = self.expected(number)? else { return Ok(()) };
        if !slot.opened_in || slot.closed_in {
            return Err(violation("body before its opening or after its end"));
        }
        if !slot.receive(body.len()) {
            return Err(violation("more body than credit"));
        }
        self.deliver(key, Event::Data(unpin(body)));
        Ok(())
    }

    fn receive_close(&mut self, number: u64, close: Close) -> Result<(), Violation> {
        let Some((key, slot)) = self.expected(number)? else { return Ok(()) };
        if !slot.opened_in || slot.closed_in {
            return Err(Violation { exchange: number, what: "an end out of order" });
        }
        slot.closed_in = true;
        self.deliver(key, Event::Close(Close { tail: unpin(close.tail), ..close }));
        Ok(())
    }

    fn receive_credit(&mut self, number: u64, bytes: u32) -> Result<(), Violation> {
        let limit = self.terms.send_bytes;
        let Some((_, slot)) = self.expected(number)? else { return Ok(()) };
        let left = slot.send_left.checked_add(bytes).filter(|left| *left <= limit);
        slot.send_left = left.ok_or(Violation { exchange: number, what: "credit overflows" })?;
        let sender = slot.sender.take();
        self.wakes.extend(sender);
        Ok(())
    }

    /// The peer is about to stop. What it has not seen yet, it need not wait for: refusing that
    /// here makes the answer to a later ping mean that nothing new is on its way.
    fn receive_drain(&mut self) {
        self.draining_there = true;
        let unseen = self.slots.iter().filter(|(_, slot)| slot.number.is_none());
        let unseen: Vec<u64> = unseen.map(|(key, _)| *key).collect();
        let problem = self.draining_peer();
        for key in unseen {
            self.break_off(key, &problem);
        }
    }

    fn deliver(&mut self, key: u64, event: Event) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.deliver(event);
        self.wakes.extend(slot.receiver.take());
        self.settle(key);
    }

    /// The key of an exchange that the peer speaks of; `None` when it has left the book.
    fn key(&self, number: u64) -> Result<Option<u64>, Violation> {
        let (opened, key) = if self.is_ours(number) {
            (number < self.next_ours, self.keys.get(&number).copied())
        } else {
            (number <= self.highest_theirs, Some(number))
        };
        if !opened {
            return Err(Violation { exchange: number, what: "was never opened" });
        }
        Ok(key)
    }

    /// The exchange that a frame speaks of; `None` when it is over here and the peer did not know.
    fn expected(&mut self, number: u64) -> Result<Option<(u64, &mut Slot)>, Violation> {
        let Some(key) = self.key(number)? else { return Ok(None) };
        let slot = self.slots.get_mut(&key).filter(|slot| slot.broken.is_none());
        Ok(slot.map(|slot| (key, slot)))
    }

    pub(super) fn is_ours(&self, number: u64) -> bool {
        number % 2 == self.next_ours % 2
    }
}
