//! Frames of a link as values: what `mesh-link` queues and reads.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::exchange::DirectoryPosition;
use mesh_core::limits::{
    BATCH_BYTES_MAX, BATCH_FRAMES_MAX, DATA_BYTES_MAX, DEADLINE_MAX, END_BYTES_MAX,
    FRAME_BYTES_OVERHEAD, HEAD_BYTES_MAX, HEADER_BYTES_MAX, HOPS_MAX, REASON_BYTES_MAX,
    SOFTWARE_BYTES_MAX, TAIL_BYTES_MAX,
};
use mesh_core::reason::{HopName, Problem, Reason};
use prost::Message as _;

use crate::header::{read_position, write_position};
use crate::malformed::{Malformed, absent, at_most, exactly, parse};
use crate::wire::exchange::v1 as exchange;
use crate::wire::link::v1 as wire;

/// One frame; see `link.proto` for what each means.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Open { exchange: u64, open: Open },
    Data { exchange: u64, body: Bytes },
    Close { exchange: u64, close: Close },
    Cancel { exchange: u64, problem: Problem },
    Credit { exchange: u64, bytes: u32 },
    Hello(Box<Hello>),
    Ping { sequence: u64, reply: bool },
    Drain { grace: Duration },
}

/// The beginning of a request or of an answer. Header, head and body are opaque to a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Open {
    pub header: Bytes,
    pub head: Bytes,
    pub body: Bytes,
    pub hop: Hop,
    /// Set when nothing follows in this direction.
    pub close: Option<Close>,
}

/// What hops add and rewrite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hop {
    /// Time left, from the moment of sending.
    pub remaining: Duration,
    /// Hops passed, nearest to the consumer first; with times in an answer.
    pub hops: Vec<HopTime>,
}

/// One hop, and the time from the request's arrival there to the answer's.
#[derive(Clone, Debug, PartialEq)]
pub struct HopTime {
    pub hop: HopName,
    pub elapsed: Duration,
}

/// The end of one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Close {
    /// Body bytes in all, for streamed bodies.
    pub length: Option<u64>,
    pub tail: Bytes,
}

/// Who is at the other end of a lane, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    pub version_min: u32,
    pub version_max: u32,
    pub node: String,
    pub lane: LaneKind,
    pub link_id: [u8; 16],
    pub exchanges_max: u32,
    pub credit_bytes: u32,
    pub directory: DirectoryPosition,
    pub software: String,
}

/// Which of the two lanes of a link.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LaneKind {
    Quick,
    Bulk,
}

impl LaneKind {
    /// May an exchange of the kind `other` go on this lane? A bulky one would hold quick ones up.
    pub fn carries(self, other: Self) -> bool {
        self == Self::Bulk || other == Self::Quick
    }

    /// `quick` or `bulk`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Bulk => "bulk",
        }
    }
}

impl Frame {
    /// What the frame counts in a batch and in the writer's fairness.
    pub fn cost_bytes(&self) -> usize {
        let carried = match self {
            Self::Open { open, .. } => {
                open.header.len() + open.head.len() + open.body.len() + tail_bytes(&open.close)
            }
            Self::Data { body, .. } => body.len(),
            Self::Close { close, .. } => close.tail.len(),
            Self::Cancel { .. } | Self::Credit { .. } | Self::Ping { .. } => 0,
            Self::Hello(_) | Self::Drain { .. } => 0,
        };
        carried + FRAME_BYTES_OVERHEAD
    }
}

fn tail_bytes(close: &Option<Close>) -> usize {
    close.as_ref().map_or(0, |close| close.tail.len())
}

/// Reads one batch: all of its frames, or what is wrong with the first bad one.
pub fn read_batch(batch: wire::Batch) -> Result<Vec<Frame>, Malformed> {
    at_most("frames", batch.frames.len(), BATCH_FRAMES_MAX)?;
    let frames = batch.frames.into_iter().map(read_frame).collect::<Result<Vec<_>, _>>()?;
    let carried = frames.iter().map(Frame::cost_bytes).sum();
    at_most("batch", carried, BATCH_BYTES_MAX)?;
    Ok(frames)
}

// The largest frame fits into an empty batch, so a writer never has to exceed one.
const _: () = assert!(
    HEADER_BYTES_MAX + HEAD_BYTES_MAX + DATA_BYTES_MAX + TAIL_BYTES_MAX + FRAME_BYTES_OVERHEAD
        <= BATCH_BYTES_MAX
);

/// One batch of frames, in their order.
pub fn write_batch(frames: Vec<Frame>) -> wire::Batch {
    wire::Batch { frames: frames.into_iter().map(write_frame).collect() }
}

fn read_frame(frame: wire::Frame) -> Result<Frame, Malformed> {
    use wire::frame::Kind;
    match frame.kind.ok_or(Malformed::missing("frame"))? {
        Kind::Open(open) => {
            let exchange = numbered(open.exchange)?;
            read_open(open).map(|open| Frame::Open { exchange, open })
        }
        Kind::Data(data) => {
            at_most("data.body", data.body.len(), DATA_BYTES_MAX)?;
            if data.body.is_empty() {
                return Err(Malformed::new("data.body", "is empty"));
            }
            Ok(Frame::Data { exchange: numbered(data.exchange)?, body: data.body })
        }
        Kind::Close(close) => {
            let exchange = numbered(close.exchange)?;
            read_close(close).map(|close| Frame::Close { exchange, close })
        }
        Kind::Cancel(cancel) => {
            let problem = cancel.problem.ok_or(Malformed::missing("cancel.problem"))?;
            Ok(Frame::Cancel {
                exchange: numbered(cancel.exchange)?,
                problem: read_problem(problem)?,
            })
        }
        Kind::Credit(credit) if credit.bytes == 0 => Err(Malformed::new("credit.bytes", "is 0")),
        Kind::Credit(credit) => {
            Ok(Frame::Credit { exchange: numbered(credit.exchange)?, bytes: credit.bytes })
        }
        Kind::Hello(hello) => read_hello(*hello).map(|hello| Frame::Hello(Box::new(hello))),
        Kind::Ping(ping) => Ok(Frame::Ping { sequence: ping.sequence, reply: ping.reply }),
        Kind::Drain(drain) => Ok(Frame::Drain { grace: Duration::from_millis(drain.grace_ms) }),
        Kind::Witness(_) => Err(Malformed::too_new("witness")),
        Kind::Renewal(_) => Err(Malformed::too_new("renewal")),
    }
}

fn numbered(exchange: u64) -> Result<u64, Malformed> {
    if exchange == 0 { Err(Malformed::new("exchange", "is 0")) } else { Ok(exchange) }
}

fn read_open(open: wire::Open) -> Result<Open, Malformed> {
    at_most("open.header", open.header.len(), HEADER_BYTES_MAX)?;
    at_most("open.head", open.head.len(), HEAD_BYTES_MAX)?;
    at_most("open.body", open.body.len(), DATA_BYTES_MAX)?;
    absent("open.signature", open.signature.is_none())?;
    if open.header.is_empty() {
        return Err(Malformed::missing("open.header"));
    }
    let close = open.close.map(|close| {
        if close.exchange == 0 {
            read_close(close)
        } else {
            Err(Malformed::new("open.close.exchange", "is not 0"))
        }
    });
    Ok(Open {
        header: open.header,
        head: open.head,
        body: open.body,
        hop: read_hop(open.hop.ok_or(Malformed::missing("open.hop"))?)?,
        close: close.transpose()?,
    })
}

fn read_close(close: wire::Close) -> Result<Close, Malformed> {
    at_most("close.tail", close.tail.len(), TAIL_BYTES_MAX)?;
    absent("close.stamp", close.stamp.is_none())?;
    Ok(Close { length: close.end.map(read_end).transpose()?, tail: close.tail })
}

/// Body bytes in all: what an end says before ends are signed.
fn read_end(end: exchange::End) -> Result<u64, Malformed> {
    absent("end.signature", end.signature.is_none())?;
    at_most("end.body", end.body.len(), END_BYTES_MAX)?;
    let body =
        exchange::EndBody::decode(end.body).map_err(|why| Malformed::new("end.body", why))?;
    absent("end.exchange_id", body.exchange_id.is_empty())?;
    absent("end.direction", body.direction == 0)?;
    absent("end.chunk_root", body.chunk_root.is_empty())?;
    absent("end.outcome", body.outcome == 0)?;
    Ok(body.length)
}

fn read_hop(hop: exchange::HopSection) -> Result<Hop, Malformed> {
    absent("hop.stamp", hop.stamp.is_none())?;
    at_most("hop.hops", hop.hops.len(), HOPS_MAX)?;
    let hops = hop.hops.into_iter().map(|time| {
        let elapsed = Duration::from_micros(time.elapsed_us);
        Ok(HopTime { hop: parse("hop.hops.hop", &time.hop)?, elapsed })
    });
    Ok(Hop {
        remaining: Duration::from_micros(hop.remaining_us).min(DEADLINE_MAX),
        hops: hops.collect::<Result<_, _>>()?,
    })
}

/// Reads a problem as a peer sent it. A reason that only newer nodes know becomes `Internal` at the
/// same hop, with its name in the detail: it ends one exchange and is no reason to lose the lane.
pub fn read_problem(problem: exchange::Problem) -> Result<Problem, Malformed> {
    absent("problem.signed_body", problem.signed_body.is_empty())?;
    absent("problem.signature", problem.signature.is_none())?;
    let exchange::Problem { reason: name, hop, detail, retry_after_ms, .. } = problem;
    let upper_snake = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    if !(1..=REASON_BYTES_MAX).contains(&name.len()) || !name.bytes().all(upper_snake) {
        return Err(Malformed::new("problem.reason", "is no name of a reason"));
    }
    let hop = parse("problem.hop", &hop)?;
    // `Problem::new` cuts the sentence: a peer's long one is no reason to lose the lane either.
    let problem = match name.parse() {
        Ok(reason) => Problem::new(reason, hop, detail),
        Err(_) => Problem::new(Reason::Internal, hop, format!("{name}: {detail}")),
    };
    Ok(match retry_after_ms {
        0 => problem,
        wait_ms => problem.wait(Duration::from_millis(wait_ms)),
    })
}

/// A problem as it travels.
pub fn write_problem(problem: &Problem) -> exchange::Problem {
    exchange::Problem {
        reason: problem.reason.to_string(),
        hop: problem.hop.to_string(),
        detail: problem.detail.to_string(),
        signed_body: Bytes::new(),
        signature: None,
        retry_after_ms: problem.wait.map_or(0, |wait| wait.as_millis() as u64),
    }
}

fn read_hello(hello: wire::Hello) -> Result<Hello, Malformed> {
    let lane = match wire::Lane::try_from(hello.lane) {
        Ok(wire::Lane::Quick) => LaneKind::Quick,
        Ok(wire::Lane::Bulk) => LaneKind::Bulk,
        Ok(wire::Lane::Unspecified) | Err(_) => {
            return Err(Malformed::new("hello.lane", format!("{} is no lane", hello.lane)));
        }
    };
    if hello.version_min == 0 || hello.version_max < hello.version_min {
        return Err(Malformed::new("hello.version_max", "is below version_min, or that is 0"));
    }
    if hello.credit_bytes == 0 || hello.exchanges_max == 0 {
        return Err(Malformed::new("hello.credit_bytes", "it and exchanges_max are at least 1"));
    }
    at_most("hello.node", hello.node.len(), mesh_core::node::DNS_NAME_BYTES_MAX)?;
    at_most("hello.software", hello.software.len(), SOFTWARE_BYTES_MAX)?;
    absent("hello.replica", hello.replica.is_empty())?;
    Ok(Hello {
        version_min: hello.version_min,
        version_max: hello.version_max,
        node: hello.node,
        lane,
        link_id: exactly("hello.link_id", &hello.link_id)?,
        exchanges_max: hello.exchanges_max,
        credit_bytes: hello.credit_bytes,
        directory: read_position(hello.directory)?,
        software: hello.software,
    })
}

fn write_frame(frame: Frame) -> wire::Frame {
    use wire::frame::Kind;
    let kind = match frame {
        Frame::Open { exchange, open } => Kind::Open(write_open(exchange, open)),
        Frame::Data { exchange, body } => Kind::Data(wire::Data { exchange, body }),
        Frame::Close { exchange, close } => Kind::Close(write_close(exchange, close)),
        Frame::Cancel { exchange, problem } => {
            Kind::Cancel(wire::Cancel { exchange, problem: Some(write_problem(&problem)) })
        }
        Frame::Credit { exchange, bytes } => Kind::Credit(wire::Credit { exchange, bytes }),
        Frame::Hello(hello) => Kind::Hello(Box::new(write_hello(*hello))),
        Frame::Ping { sequence, reply } => Kind::Ping(wire::Ping { sequence, reply }),
        Frame::Drain { grace } => Kind::Drain(wire::Drain { grace_ms: grace.as_millis() as u64 }),
    };
    wire::Frame { kind: Some(kind) }
}

fn write_open(exchange: u64, open: Open) -> wire::Open {
    let Open { header, head, body, hop, close } = open;
    let hops = hop.hops.into_iter().map(|time| exchange::HopTime {
        hop: time.hop.to_string(),
        elapsed_us: time.elapsed.as_micros() as u64,
    });
    let hop = exchange::HopSection {
        remaining_us: hop.remaining.as_micros() as u64,
        hops: hops.collect(),
        stamp: None,
    };
    let close = close.map(|close| write_close(0, close));
    wire::Open { exchange, header, head, body, hop: Some(hop), signature: None, close }
}

fn write_close(exchange: u64, close: Close) -> wire::Close {
    let end = close.length.map(write_end);
    wire::Close { exchange, end, tail: close.tail, stamp: None }
}

fn write_end(length: u64) -> exchange::End {
    let body = exchange::EndBody { length, ..exchange::EndBody::default() };
    exchange::End { body: body.encode_to_vec().into(), signature: None }
}

fn write_hello(hello: Hello) -> wire::Hello {
    let lane = match hello.lane {
        LaneKind::Quick => wire::Lane::Quick,
        LaneKind::Bulk => wire::Lane::Bulk,
    };
    wire::Hello {
        version_min: hello.version_min,
        version_max: hello.version_max,
        node: hello.node,
        lane: lane.into(),
        link_id: Bytes::copy_from_slice(&hello.link_id),
        exchanges_max: hello.exchanges_max,
        credit_bytes: hello.credit_bytes,
        directory: Some(write_position(hello.directory)),
        software: hello.software,
        replica: String::new(),
    }
}

#[cfg(test)]
mod tests;
