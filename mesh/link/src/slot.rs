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

/// Below this size a payload that must wait is copied, so that it does not pin the buffer of the
/// whole batch that it came in.
const COPY_BYTES_MAX: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Whose traffic it is, in the direction that this side sends.
    pub(crate) flow: Flow,
    pub(crate) ours: bool,
    pub(crate) inbox: VecDeque<Event>,
    /// Body bytes that the peer may still send.
    pub(crate) receive_left: u32,
    /// Body bytes that were read here and for which the peer has no credit yet.
    pub(crate) receive_owed: u32,
    /// Body bytes that this side may still send.
    pub(crate) send_left: u32,
    /// Body bytes in the outbox.
    pub(crate) queued_bytes: usize,
    pub(crate) opened_in: bool,
    pub(crate) opened_out: bool,
    pub(crate) closed_in: bool,
    pub(crate) closed_out: bool,
    /// The frame that closed this side's direction has left the outbox.
    pub(crate) flushed: bool,
    pub(crate) broken: Option<Problem>,
    /// Does anybody hold the exchange?
    pub(crate) held: bool,
    /// Is it counted among the exchanges that are open?
    pub(crate) counted: bool,
    pub(crate) receiver: Option<Waker>,
    pub(crate) sender: Option<Waker>,
}

impl Slot {
    pub(crate) fn new(flow: Flow, ours: bool, receive_left: u32, send_left: u32) -> Self {
        Self {
            flow,
            ours,
            inbox: VecDeque::new(),
            receive_left,
            receive_owed: 0,
            send_left,
            queued_bytes: 0,
            opened_in: !ours,
            opened_out: ours,
            closed_in: false,
            closed_out: false,
            flushed: false,
            broken: None,
            held: true,
            counted: true,
            receiver: None,
            sender: None,
        }
    }

    /// Nothing more will be sent or received.
    pub(crate) fn is_over(&self) -> bool {
        self.broken.is_some() || (self.closed_in && self.flushed)
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
    let parts = [&mut open.header, &mut open.head, &mut open.body];
    let small: usize =
        parts.iter().map(|part| part.len()).filter(|len| *len <= COPY_BYTES_MAX).sum();
    let mut copy = BytesMut::with_capacity(small);
    for part in parts {
        if part.len() <= COPY_BYTES_MAX {
            copy.extend_from_slice(part);
            *part = copy.split().freeze();
        }
    }
}

/// The same for `Data`.
pub(crate) fn unpin_data(body: Bytes) -> Bytes {
    if body.len() <= COPY_BYTES_MAX { Bytes::copy_from_slice(&body) } else { body }
}
