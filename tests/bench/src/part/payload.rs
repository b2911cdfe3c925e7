//! What an exchange carries, the same for every contender: the size of a usual query.

use bytes::Bytes;

/// A body in each direction.
const BODY_BYTES: usize = 600;

/// The parts of one message.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) header: Bytes,
    pub(super) head: Bytes,
    pub(super) body: Bytes,
}

impl Payload {
    /// A request: names of consumer, service, operation, purpose; path and fields.
    pub(super) fn question() -> Self {
        Self::of(250, 100)
    }

    /// An answer: digests, a status and fields.
    pub(super) fn answer() -> Self {
        Self::of(140, 50)
    }

    fn of(header_bytes: usize, head_bytes: usize) -> Self {
        let fill = |length| Bytes::from(vec![b'x'; length]);
        Self { header: fill(header_bytes), head: fill(head_bytes), body: fill(BODY_BYTES) }
    }
}

/// Is it the body of an answer?
pub(super) fn is_whole(body: &Bytes) -> bool {
    body.len() == BODY_BYTES
}
