//! The state of one exchange on one lane.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use mesh_core::reason::Problem;
use mesh_proto::frame::{Close, Open};

use crate::outbox::Flow;

/// What an exchange brings, in this order: one `Open` (where this side asked), any `Data`, one
/// `Close`. An `Open` that carries its `Close` is all there is.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Open(Open),
    Data(Bytes),
    Close(Close),
}

impl Event {
    pub(crate) fn body_bytes(&self) -> usize {
        match self {
            Self::Open(open) => open.body.len(),
            Self::Data(body) => body.len(),
            Self::Close(_) => 0,
        }
    }
}

/// Below this size a payload that must wait is copied, so that it does not pin the buffer of the
/// whole batch that it came in.
const COPY_BYTES_MAX: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Whose traffic it is, in the direction that this side sends.
    pub(crate) flow: Flow,
    pub(crate) ours: bool,
    /// On the lane; an exchange of ours has none before its `Open` has left.
    pub(crate) number: Option<u64>,
    pub(crate) inbox: VecDeque<Event>,
    /// Body bytes that the peer may still send.
    pub(crate) receive_left: u32,
    /// Body bytes that were read here and for which the peer has no credit yet.
    pub(crate) receive_owed: u32,
    /// Body bytes that this side may still send.
    pub(crate) send_left: u32,
    /// What its frames in the outbox cost.
    pub(crate) queued_bytes: usize,
    pub(crate) opened_in: bool,
    pub(crate) opened_out: bool,
    pub(crate) closed_in: bool,
    pub(crate) closed_out: bool,
    /// Nothing more leaves: what closed this side's direction has, or was forgotten.
    pub(crate) done_out: bool,
    pub(crate) broken: Option<Problem>,
    /// Does anybody hold the exchange?
    pub(crate) held: bool,
    /// Is it counted among the exchanges that are open?
    pub(crate) counted: bool,
    pub(crate) receiver: Option<Waker>,
    pub(crate) sender: Option<Waker>,
}

impl Slot {
    /// Of an exchange that this side opens.
    pub(crate) fn ours(flow: Flow, receive_left: u32, send_left: u32) -> Self {
        Self {
            flow,
            ours: true,
            number: None,
            inbox: VecDeque::new(),
            receive_left,
            receive_owed: 0,
            send_left,
            queued_bytes: 0,
            opened_in: false,
            opened_out: false,
            closed_in: false,
            closed_out: false,
            done_out: false,
            broken: None,
            held: true,
            counted: true,
            receiver: None,
            sender: None,
        }
    }

    /// Of an exchange that the peer opened.
    pub(crate) fn theirs(number: u64, flow: Flow, receive_left: u32, send_left: u32) -> Self {
        let slot = Self::ours(flow, receive_left, send_left);
        Self { ours: false, number: Some(number), opened_in: true, ..slot }
    }

    /// Nothing more will be sent or received.
    pub(crate) fn is_over(&self) -> bool {
        self.done_out && (self.closed_in || self.broken.is_some())
    }

    /// Queues an event for whoever holds the exchange. Small parts of a body are joined, so that
    /// what waits is bounded by its bytes, however many frames they came in.
    pub(crate) fn deliver(&mut self, event: Event) {
        if let Event::Data(more) = &event
            && let Some(Event::Data(last)) = self.inbox.back_mut()
            && last.len() + more.len() <= COPY_BYTES_MAX
        {
            let mut joined = BytesMut::from(std::mem::take(last));
            joined.extend_from_slice(more);
            *last = joined.freeze();
        } else {
            self.inbox.push_back(event);
        }
    }

    #[cfg(test)]
    pub(crate) fn inbox_bytes(&self) -> usize {
        self.inbox.iter().map(Event::body_bytes).sum()
    }

    /// Takes `length` bytes from the peer's credit; `false` when it has not that much.
    pub(crate) fn receive(&mut self, length: usize) -> bool {
        let left =
            u32::try_from(length).ok().and_then(|taken| self.receive_left.checked_sub(taken));
        left.is_some_and(|left| {
            self.receive_left = left;
            true
        })
    }
}

/// Copies the small parts of an `Open` out of the batch that they came in, in one allocation.
pub(crate) fn unpin_open(open: &mut Open) {
    let tail = open.close.as_mut().map(|close| &mut close.tail);
    let parts = [&mut open.header, &mut open.head, &mut open.body].into_iter().chain(tail);
    let small: Vec<&mut Bytes> = parts.filter(|part| part.len() <= COPY_BYTES_MAX).collect();
    let mut copy = BytesMut::with_capacity(small.iter().map(|part| part.len()).sum());
    for part in small {
        copy.extend_from_slice(part);
        *part = copy.split().freeze();
    }
}

/// The same for one part, such as a `Data`.
pub(crate) fn unpin(part: Bytes) -> Bytes {
    if part.len() <= COPY_BYTES_MAX { Bytes::copy_from_slice(&part) } else { part }
}
