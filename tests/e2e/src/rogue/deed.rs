//! What a rogue does with one request, as the last segment of its path says.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use mesh_core::exchange::{
    AnswerHeader, BodyDescriptor, Digest, DirectoryPosition, ExchangeId, Outcome,
};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::frame::{Close, Frame, Hello, Hop, HopTime, LaneKind, Open};
use mesh_proto::head::{AnswerHead, read_request_head, write_answer_head};
use mesh_proto::header::{read_request, write_answer};
use mesh_proto::wire::link::v1::{Batch, Frame as WireFrame};

use crate::bed::HOPS;

/// The body of a sound answer.
const BODY: Bytes = Bytes::from_static(b"hello");

/// One step of a deed.
pub(super) enum Step {
    Say(Frame),
    /// What no frame of the link library can say.
    Write(Batch),
    /// Ends the link, after what was said has arrived.
    BreakOff,
}

/// An answer that is still to be written down.
pub(super) struct Forged {
    header: AnswerHeader,
    open: Open,
}

/// The deed that a request asks for.
pub(super) fn how(request: &Open) -> String {
    let path = read_request_head(&request.head).map(|head| head.path).unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    Digest(digest(&SHA256, bytes).as_ref().try_into().expect("32 bytes"))
}

fn hop(name: &str) -> HopName {
    name.parse().expect("a hop")
}

/// An answer that is right in all parts.
pub(super) fn sound(request: &Open) -> Forged {
    let head = AnswerHead { status: 200, fields: Vec::new(), detail: "a sentence".into() };
    let head = write_answer_head(head).expect("a small head");
    let header = AnswerHeader {
        exchange: read_request(&request.header).expect("a hub checked it").exchange,
        request_digest: sha256(&request.header),
        outcome: Outcome::Answered,
        answered_at_unix_ms: 1,
        body: BodyDescriptor::Inline { digest: sha256(&BODY), length: BODY.len() as u32 },
        head_digest: sha256(&head),
        directory: DirectoryPosition::default(),
    };
    let mut hops = request.hop.hops.clone();
    hops.push(HopTime { hop: hop(HOPS[4]), elapsed: Duration::ZERO });
    let hop = Hop { remaining: Duration::ZERO, hops };
    let close = Some(Close::default());
    Forged { header, open: Open { header: Bytes::new(), head, body: BODY, hop, close } }
}

impl Forged {
    /// The answer to `exchange`.
    pub(super) fn frame(self, exchange: u64) -> Frame {
        let header = write_answer(&self.header);
        Frame::Open { exchange, open: Open { header, ..self.open } }
    }

    /// The same with a header of these bytes.
    fn headed(self, header: Bytes, exchange: u64) -> Frame {
        Frame::Open { exchange, open: Open { header, ..self.open } }
    }

    fn streamed(mut self, declared: Option<u64>, body: &'static [u8]) -> Self {
        self.header.body = BodyDescriptor::Stream { chunk_bytes: 16_384, length: declared };
        self.open.body = Bytes::from_static(body);
        self.open.close = None;
        self
    }

    fn ending(mut self, length: Option<u64>) -> Self {
        self.open.close = Some(Close { length, ..Close::default() });
        self
    }

    fn with_body(mut self, body: &'static [u8]) -> Self {
        self.open.body = Bytes::from_static(body);
        self
    }
}

/// Answers, or does something else, as `how` says; a sound answer to what it does not know.
pub(super) fn deed(how: &str, exchange: u64, request: &Open) -> Vec<Step> {
    let part = Frame::Data { exchange, body: Bytes::from_static(b"part") };
    let begun = || sound(request).streamed(None, b"part").frame(exchange);
    let say = Step::Say;
    let cancel = |reason, at: &str| {
        let problem = Problem::new(reason, hop(at), "the rogue says so");
        vec![say(Frame::Cancel { exchange, problem })]
    };
    match how {
        "silent" => vec![],
        "before" => vec![Step::BreakOff],
        "in-stream" => vec![say(begun()), Step::BreakOff],
        "in-inline" => {
            let mut forged = sound(request).with_body(b"he");
            forged.open.close = None;
            vec![say(forged.frame(exchange)), Step::BreakOff]
        }
        "cancel" => cancel(Reason::Internal, HOPS[4]),
        "blame" => cancel(Reason::CentreUnreachable, HOPS[2]),
        "cancel-in-stream" => {
            let mut steps = vec![say(begun())];
            steps.extend(cancel(Reason::ProviderBrokeOff, HOPS[4]));
            steps
        }
        "data-first" => vec![say(part)],
        "twice" => vec![say(begun()), say(begun())],
        "after-end" => vec![say(sound(request).frame(exchange)), say(part)],
        "unopened" => vec![say(sound(request).frame(exchange + 1_000_000))],
        "credit" => vec![say(Frame::Credit { exchange, bytes: u32::MAX })],
        "hello" => vec![say(hello())],
        "no-frame" => vec![Step::Write(Batch { frames: vec![WireFrame { kind: None }] })],
        "no-header" => vec![say(sound(request).headed(Bytes::new(), exchange))],
        _ => vec![say(answer(how, exchange, request))],
    }
}

/// An answer that is wrong in one part.
fn answer(how: &str, exchange: u64, request: &Open) -> Frame {
    let mut forged = sound(request);
    match how {
        "other-exchange" => forged.header.exchange = ExchangeId::new(1, [0; 10]),
        "other-request" => forged.header.request_digest = sha256(b"another"),
        "other-head" => forged.header.head_digest = sha256(b"another"),
        "head-garbage" => {
            forged.open.head = Bytes::from_static(b"\xff\xff\xff");
            forged.header.head_digest = sha256(&forged.open.head);
        }
        "header-garbage" => {
            return forged.headed(Bytes::from_static(b"\xff\xff\xff"), exchange);
        }
        "unknown-reason" => {
            forged.header.outcome = Outcome::Refused(Reason::Internal);
            let header = write_answer(&forged.header);
            return forged.headed(replaced(&header, b"INTERNAL", b"NONSENSE"), exchange);
        }
        "refused" => forged.header.outcome = Outcome::Refused(Reason::Overloaded),
        "failed" => forged.header.outcome = Outcome::Failed(Reason::ProviderBrokeOff),
        "no-body" => forged = forged.with_body(b""),
        "short" => forged = forged.with_body(b"hell"),
        "long" => forged = forged.with_body(b"hello!"),
        "digest" => forged = forged.with_body(b"hullo"),
        "stream" => forged = forged.streamed(Some(5), b"hello").ending(Some(5)),
        "stream-short" => forged = forged.streamed(Some(5), b"hell").ending(Some(4)),
        "stream-long" => forged = forged.streamed(Some(5), b"hello!").ending(Some(6)),
        "stream-lies" => forged = forged.streamed(None, b"hello").ending(Some(6)),
        "stream-endless" => forged = forged.streamed(None, b"hello").ending(None),
        "hops-missing" => forged.open.hop.hops.clear(),
        "hops-false" => {
            forged.open.hop.hops.push(HopTime { hop: hop(HOPS[2]), elapsed: Duration::ZERO });
            forged.header.outcome = Outcome::Failed(Reason::Internal);
        }
        _ => {}
    }
    forged.frame(exchange)
}

/// `bytes` with `to` in the place of `from`, which is as long.
fn replaced(bytes: &[u8], from: &[u8; 8], to: &[u8; 8]) -> Bytes {
    let at = bytes.windows(from.len()).position(|found| found == from).expect("it is there");
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes.into()
}

/// A second hello, whatever it says.
fn hello() -> Frame {
    Frame::Hello(Box::new(Hello {
        version_min: 1,
        version_max: 1,
        node: "hub.centre.mesh.test".into(),
        lane: LaneKind::Quick,
        link_id: [9; 16],
        exchanges_max: 1,
        credit_bytes: u32::MAX,
        directory: DirectoryPosition::default(),
        software: "rogue".into(),
    }))
}
