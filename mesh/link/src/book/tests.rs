//! Two books that talk to each other, and one that is talked to by a peer without manners.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::frame::{Close, Frame, Hop, Open};

use super::{Book, End, Terms};
use crate::slot::Event;

mod races;
mod schedule;
mod violations;

/// Credit and limits that are the same in both directions.
fn terms(exchanges_max: u32, credit_bytes: u32) -> Terms {
    Terms {
        ours_max: exchanges_max,
        theirs_max: exchanges_max,
        send_bytes: credit_bytes,
        receive_bytes: credit_bytes,
    }
}

fn book(end: End, terms: Terms) -> Book {
    let (me, peer) = match end {
        End::Dialler => ("agent.test", "hub.test"),
        End::Listener => ("hub.test", "agent.test"),
    };
    Book::new(end, terms, me.parse().unwrap(), peer.parse().unwrap())
}

fn open(header: u64, body: &[u8], close: Option<Close>) -> Open {
    Open {
        header: Bytes::copy_from_slice(&header.to_be_bytes()),
        head: Bytes::new(),
        body: Bytes::copy_from_slice(body),
        hop: Hop::default(),
        close,
    }
}

fn data(exchange: u64, length: usize) -> Frame {
    Frame::Data { exchange, body: Bytes::from(vec![0; length]) }
}

fn close(exchange: u64) -> Frame {
    Frame::Close { exchange, close: Close::default() }
}

fn problem(reason: Reason) -> Problem {
    Problem::new(reason, "test".parse().unwrap(), "as the test wants it")
}

/// A waker that tells whether it was woken.
#[derive(Debug, Default)]
struct Bell(AtomicBool);

impl Bell {
    fn has_rung(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Everything that waits in the outbox, in its order.
fn take_all(book: &mut Book) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Poll::Ready(Some(batch)) = book.poll_take(&Context::from_waker(Waker::noop())) {
        frames.extend(batch);
    }
    frames
}

fn receive_all(book: &mut Book, frames: Vec<Frame>) -> Vec<u64> {
    let arrived = frames.into_iter().filter_map(|frame| book.receive(frame).unwrap());
    arrived.map(|arrived| arrived.number).collect()
}

/// Hands over everything that waits, and answers the numbers of what arrived.
fn hand_over(from: &mut Book, to: &mut Book) -> Vec<u64> {
    let frames = take_all(from);
    receive_all(to, frames)
}

fn receive(book: &mut Book, key: u64) -> Option<Result<Event, Problem>> {
    match book.poll_receive(key, &Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => Some(event),
        Poll::Pending => None,
    }
}

fn send(book: &mut Book, key: u64, body: &mut Bytes) -> Poll<Result<(), Problem>> {
    book.poll_send(key, body, &Context::from_waker(Waker::noop()))
}
