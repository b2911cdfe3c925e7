//! Frames and problems.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::limits::{
    BATCH_BYTES_MAX, BATCH_FRAMES_MAX, BATCH_WIRE_BYTES_MAX, DATA_BYTES_MAX, DEADLINE_MAX,
    DETAIL_BYTES_MAX, HEAD_BYTES_MAX, HEADER_BYTES_MAX, HOPS_MAX, SOFTWARE_BYTES_MAX,
    TAIL_BYTES_MAX,
};
use mesh_core::node::DNS_NAME_BYTES_MAX;
use mesh_core::reason::Problem;
use mesh_proto::frame::{self, Close, Frame, Hello, Hop, HopTime, LaneKind, Open};
use mesh_proto::wire::link::v1::Batch;
use prost::Message;

use super::heads::position;
use super::names::{hop, reason, text};
use crate::Dice;

/// Some frames, within what a batch may hold.
pub fn batch(dice: &mut Dice) -> Vec<Frame> {
    let count = dice.length(40);
    let mut frames = Vec::new();
    let mut cost = 0;
    while frames.len() < count {
        let frame = frame(dice);
        cost += frame.cost_bytes();
        if BATCH_BYTES_MAX < cost {
            break;
        }
        frames.push(frame);
    }
    frames
}

pub fn write_batch(frames: &[Frame]) -> Vec<u8> {
    frame::write_batch(frames.to_vec()).encode_to_vec()
}

/// Reads a batch as a lane does: what gRPC takes for a message, then protobuf, then frames.
pub fn read_batch(bytes: &[u8]) -> Option<Vec<Frame>> {
    if BATCH_WIRE_BYTES_MAX < bytes.len() {
        return None;
    }
    let batch = Batch::decode(Bytes::copy_from_slice(bytes)).ok()?;
    frame::read_batch(batch).ok()
}

pub fn check_batch(frames: &[Frame]) -> Result<(), String> {
    if BATCH_FRAMES_MAX < frames.len() {
        return Err(format!("it has {} frames", frames.len()));
    }
    let cost: usize = frames.iter().map(Frame::cost_bytes).sum();
    if BATCH_BYTES_MAX < cost {
        return Err(format!("it counts {cost} bytes"));
    }
    frames
        .iter()
        .find(|frame| !is_within_limits(frame))
        .map_or(Ok(()), |frame| Err(format!("{frame:?} is beyond a limit")))
}

fn is_within_limits(frame: &Frame) -> bool {
    let numbered = |exchange: u64| exchange != 0;
    match frame {
        Frame::Open { exchange, open } => {
            numbered(*exchange)
                && (1..=HEADER_BYTES_MAX).contains(&open.header.len())
                && open.head.len() <= HEAD_BYTES_MAX
                && open.body.len() <= DATA_BYTES_MAX
                && open.hop.remaining <= DEADLINE_MAX
                && open.hop.hops.len() <= HOPS_MAX
                && open.close.as_ref().is_none_or(|close| close.tail.len() <= TAIL_BYTES_MAX)
        }
        Frame::Data { exchange, body } => {
            numbered(*exchange) && (1..=DATA_BYTES_MAX).contains(&body.len())
        }
        Frame::Close { exchange, close } => {
            numbered(*exchange) && close.tail.len() <= TAIL_BYTES_MAX
        }
        Frame::Cancel { exchange, problem } => {
            numbered(*exchange) && problem.detail.len() <= DETAIL_BYTES_MAX
        }
        Frame::Credit { exchange, bytes } => numbered(*exchange) && 0 < *bytes,
        Frame::Hello(hello) => {
            let versions = 0 < hello.version_min && hello.version_min <= hello.version_max;
            versions
                && hello.node.len() <= DNS_NAME_BYTES_MAX
                && hello.software.len() <= SOFTWARE_BYTES_MAX
                && 0 < hello.exchanges_max
                && 0 < hello.credit_bytes
        }
        Frame::Ping { .. } | Frame::Drain { .. } => true,
    }
}

pub fn problem(dice: &mut Dice) -> Problem {
    let problem = Problem::new(reason(dice), hop(dice), text(dice, DETAIL_BYTES_MAX));
    match dice.maybe(|dice| dice.within(0..=u64::MAX)) {
        Some(wait_ms) => problem.wait(Duration::from_millis(wait_ms)),
        None => problem,
    }
}

fn frame(dice: &mut Dice) -> Frame {
    let exchange = dice.within(1..=u64::MAX);
    match dice.below(8) {
        0 => Frame::Open { exchange, open: open(dice) },
        1 => {
            let length = 1 + dice.length(DATA_BYTES_MAX - 1);
            Frame::Data { exchange, body: dice.bytes(length).into() }
        }
        2 => Frame::Close { exchange, close: close(dice) },
        3 => Frame::Cancel { exchange, problem: problem(dice) },
        4 => Frame::Credit { exchange, bytes: dice.within(1..=u32::MAX.into()) as u32 },
        5 => Frame::Hello(Box::new(hello(dice))),
        6 => Frame::Ping { sequence: dice.number(), reply: dice.one_in(2) },
        _ => Frame::Drain { grace: Duration::from_millis(dice.within(0..=u64::MAX)) },
    }
}

fn open(dice: &mut Dice) -> Open {
    let opaque = |dice: &mut Dice, length: usize| -> Bytes { dice.bytes(length).into() };
    let header = 1 + dice.length(HEADER_BYTES_MAX - 1);
    let (head, body) = (dice.length(HEAD_BYTES_MAX), dice.length(DATA_BYTES_MAX));
    let hops = (0..dice.length(HOPS_MAX)).map(|_| HopTime {
        hop: hop(dice),
        elapsed: Duration::from_micros(dice.within(0..=u64::MAX)),
    });
    let hops = hops.collect();
    let remaining = Duration::from_micros(dice.within(0..=DEADLINE_MAX.as_micros() as u64));
    Open {
        header: opaque(dice, header),
        head: opaque(dice, head),
        body: opaque(dice, body),
        hop: Hop { remaining, hops },
        close: dice.maybe(close),
    }
}

fn close(dice: &mut Dice) -> Close {
    let tail = dice.length(TAIL_BYTES_MAX);
    Close { length: dice.maybe(|dice| dice.within(0..=u64::MAX)), tail: dice.bytes(tail).into() }
}

fn hello(dice: &mut Dice) -> Hello {
    let version_min = dice.within(1..=u32::MAX.into()) as u32;
    Hello {
        version_min,
        version_max: dice.within(version_min.into()..=u32::MAX.into()) as u32,
        node: text(dice, DNS_NAME_BYTES_MAX),
        lane: *dice.pick(&[LaneKind::Quick, LaneKind::Bulk]),
        link_id: std::array::from_fn(|_| dice.byte()),
        exchanges_max: dice.within(1..=u32::MAX.into()) as u32,
        credit_bytes: dice.within(1..=u32::MAX.into()) as u32,
        directory: position(dice),
        software: text(dice, SOFTWARE_BYTES_MAX),
    }
}
