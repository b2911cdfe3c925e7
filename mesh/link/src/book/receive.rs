//! What a peer sends: taken in by the rules of `link.proto`, or a violation that costs it the lane.

use bytes::Bytes;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::frame::{Close, Frame, Open};

use super::{Book, Terms};
use crate::slot::{Event, Slot, unpin_data, unpin_open};

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
        match frame {
            Frame::Open { exchange, open } if self.is_ours(exchange) => {
                self.receive_answer(exchange, open).map(|()| None)
            }
            Frame::Open { exchange, open } => self.receive_open(exchange, open),
            Frame::Data { exchange, body } => self.receive_data(exchange, body).map(|()| None),
            Frame::Close { exchange, close } => self.receive_close(exchange, close).map(|()| None),
            Frame::Credit { exchange, bytes } => {
                self.receive_credit(exchange, bytes).map(|()| None)
            }
            Frame::Cancel { exchange, problem } => {
                if let Some(slot) = self.expected(exchange)? {
                    // What is already whole may still be read.
                    if !slot.closed_in {
                        slot.inbox.clear();
                    }
                    let flow = slot.flow.clone();
                    self.outbox.forget(&flow, exchange);
                    self.break_off(exchange, problem);
                }
                Ok(None)
            }
            Frame::Drain { .. } => {
                self.draining_there = true;
                Ok(None)
            }
            Frame::Ping { sequence, reply: false } => {
                self.push_control(Frame::Ping { sequence, reply: true });
                Ok(None)
            }
            Frame::Ping { .. } => Ok(None),
            Frame::Hello(_) => Err(Violation { exchange: 0, what: "a second hello" }),
        }
    }

    fn receive_open(&mut self, number: u64, mut open: Open) -> Result<Option<Arrived>, Violation> {
        let violation = |what| Violation { exchange: number, what };
        if number <= self.highest_theirs {
            return Err(violation("opened twice, or out of order"));
        }
        self.highest_theirs = number;
        if self.terms.theirs_max <= self.theirs_open {
            let detail = format!("{} exchanges are under way from {}", self.theirs_open, self.peer);
            let problem = Problem::new(Reason::Overloaded, self.me.clone(), detail);
            self.push_control(Frame::Cancel { exchange: number, problem });
            return Ok(None);
        }
        let Terms { send_bytes, receive_bytes, .. } = self.terms;
        // Answers go back in the flow of the peer until the program that routes it says otherwise.
        let mut slot = Slot::new(self.peer.as_str().into(), false, receive_bytes, send_bytes);
        if !slot.receive(open.body.len()) {
            return Err(violation("more body than credit"));
        }
        slot.closed_in = open.close.is_some();
        unpin_open(&mut open);
        self.slots.insert(number, slot);
        self.theirs_open += 1;
        self.opened_total += 1;
        Ok(Some(Arrived { number, open }))
    }

    fn receive_answer(&mut self, number: u64, mut open: Open) -> Result<(), Violation> {
        let violation = |what| Violation { exchange: number, what };
        let Some(slot) = self.expected(number)? else { return Ok(()) };
        if slot.opened_in {
            return Err(violation("answered twice"));
        }
        if !slot.receive(open.body.len()) {
            return Err(violation("more body than credit"));
        }
        slot.opened_in = true;
        slot.closed_in = open.close.is_some();
        unpin_open(&mut open);
        self.deliver(number, Event::Open(open));
        Ok(())
    }

    fn receive_data(&mut self, number: u64, body: Bytes) -> Result<(), Violation> {
        let violation = |what| Violation { exchange: number, what };
        let Some(slot) = self.expected(number)? else { return Ok(()) };
        if !slot.opened_in || slot.closed_in {
            return Err(violation("body before its opening or after its end"));
        }
        if !slot.receive(body.len()) {
            return Err(violation("more body than credit"));
        }
        self.deliver(number, Event::Data(unpin_data(body)));
        Ok(())
    }

    fn receive_close(&mut self, number: u64, close: Close) -> Result<(), Violation> {
        let Some(slot) = self.expected(number)? else { return Ok(()) };
        if !slot.opened_in || slot.closed_in {
            return Err(Violation { exchange: number, what: "an end out of order" });
        }
        slot.closed_in = true;
        self.deliver(number, Event::Close(close));
        Ok(())
    }

    fn receive_credit(&mut self, number: u64, bytes: u32) -> Result<(), Violation> {
        let limit = self.terms.send_bytes;
        let Some(slot) = self.expected(number)? else { return Ok(()) };
        let left = slot.send_left.checked_add(bytes).filter(|left| *left <= limit);
        slot.send_left = left.ok_or(Violation { exchange: number, what: "credit overflows" })?;
        let sender = slot.sender.take();
        self.wakes.extend(sender);
        Ok(())
    }

    fn deliver(&mut self, number: u64, event: Event) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.inbox.push_back(event);
        self.wakes.extend(slot.receiver.take());
        self.settle(number);
    }

    /// The exchange that a frame speaks of; `None` when it is over here and the peer did not know.
    fn expected(&mut self, number: u64) -> Result<Option<&mut Slot>, Violation> {
        let opened = if self.is_ours(number) {
            number < self.next_ours
        } else {
            number <= self.highest_theirs
        };
        if !opened {
            return Err(Violation { exchange: number, what: "was never opened" });
        }
        Ok(self.slots.get_mut(&number).filter(|slot| slot.broken.is_none()))
    }

    fn is_ours(&self, number: u64) -> bool {
        number % 2 == self.next_ours % 2
    }
}
