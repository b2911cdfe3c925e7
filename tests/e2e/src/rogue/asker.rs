//! A rogue in the place of the consumer's agent: asks with whatever header and head it likes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use mesh_core::exchange::{BodyDescriptor, DirectoryPosition, ExchangeId, RequestHeader};
use mesh_core::operation::{Method, OperationKind};
use mesh_core::reason::Problem;
use mesh_proto::frame::{Close, Frame, Hop, HopTime, Open, write_batch};
use mesh_proto::head::{RequestHead, write_request_head};
use tokio::time::timeout;

use super::Rogue;
use super::deed::sha256;
use crate::bed::{Bed, CARDS, DESK, HOPS};

/// Only ends a test that hangs.
const HANG_MAX: Duration = Duration::from_secs(20);

/// A request for one card that is right in all parts: its header, and its head.
pub fn request(bed: &Bed) -> (RequestHeader, Bytes) {
    let head = RequestHead {
        method: Method::Get,
        path: "/cards/1".into(),
        query: None,
        fields: Vec::new(),
        message_id: None,
        user_id: None,
        issue: None,
    };
    let head = write_request_head(head).expect("a small head");
    let header = RequestHeader {
        exchange: ExchangeId::new(1_795_000_000_000, [3; 10]),
        consumer: DESK.parse().expect("a system"),
        service: CARDS.parse().expect("a service"),
        operation: "getCard".parse().expect("an operation"),
        kind: OperationKind::Inquiry,
        agreement: bed.agreement("desk-cards"),
        purpose: "licence-issue".parse().expect("a purpose"),
        deadline: Duration::from_secs(5),
        issued_at_unix_ms: 1_795_000_000_000,
        body: BodyDescriptor::Inline { digest: sha256(b""), length: 0 },
        head_digest: sha256(&head),
        operator: None,
        idempotency_key: None,
        retry_of: None,
        directory: DirectoryPosition::default(),
    };
    (header, head)
}

/// Puts a request on a link of the consumer's agent; answers how it was refused.
///
/// # Panics
///
/// If it was answered, or the link ended before.
pub async fn put(bed: &Bed, header: Bytes, head: Bytes) -> Problem {
    let refused = async {
        let rogue = Rogue::new(bed, HOPS[0], HOPS[1]);
        let (say, inbound) = rogue.dial().await.expect("it dials");
        let mut inbound = std::pin::pin!(inbound);
        let me = HopTime { hop: HOPS[0].parse().expect("a hop"), elapsed: Duration::ZERO };
        let hop = Hop { remaining: Duration::from_secs(5), hops: vec![me] };
        let close = Some(Close::default());
        let open = Open { header, head, body: Bytes::new(), hop, close };
        say.send(write_batch(vec![Frame::Open { exchange: 1, open }])).await.expect("it is sent");
        while let Some(frames) = inbound.next().await {
            for frame in frames.expect("the link stands") {
                match frame {
                    Frame::Cancel { problem, .. } => return problem,
                    Frame::Open { .. } => panic!("it was answered: {frame:?}"),
                    _ => {}
                }
            }
        }
        panic!("the link ended")
    };
    timeout(HANG_MAX, refused).await.expect("it is refused")
}
