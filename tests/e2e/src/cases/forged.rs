//! What a consumer's agent in other hands may put on its link: every hop checks for itself. Forged
//! names and agreements are in `tests/forged.rs`.

use bytes::Bytes;
use mesh_core::exchange::{BodyDescriptor, Digest, RequestHeader};
use mesh_core::operation::OperationKind;
use mesh_core::reason::Reason::{BodyCorrupt, OperationMismatch, RequestMalformed};
use mesh_proto::header::write_request;

use crate::bed::Bed;
use crate::rogue::{put, request};
use crate::scenario::Act::Do;
use crate::scenario::At::{ConsumersAgent, ProvidersAgent};
use crate::scenario::Want::Told;
use crate::scenario::{Group, Scenario, Seen, case};

pub const FORGED: Group =
    Group { title: "Forged requests on a link", cases: CASES, left_out: &[], breaks_links: false };

/// Asks with a header that `change` has made wrong.
async fn with_header(bed: &Bed, change: fn(&mut RequestHeader)) -> Seen {
    let (mut header, head) = request(bed);
    change(&mut header);
    Seen::Told(put(bed, write_request(&header), head).await)
}

/// Asks with a head that is no message, whose digest is right.
async fn with_head(bed: &Bed, head: &'static [u8]) -> Seen {
    let (mut header, _) = request(bed);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, head);
    header.head_digest = Digest(digest.as_ref().try_into().expect("32 bytes"));
    Seen::Told(put(bed, write_request(&header), Bytes::from_static(head)).await)
}

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("peer_content_type_request", "the request's head is no message of the protocol",
        Do(|bed| Box::pin(with_head(bed, b"\xff\xff\xff"))),
        Told(RequestMalformed, ProvidersAgent)),
    case("peer_header_garbage_request", "the request's header is no message of the protocol",
        Do(|bed| Box::pin(async {
            Seen::Told(put(bed, Bytes::from_static(b"\xff\xff\xff"), Bytes::new()).await)
        })),
        Told(RequestMalformed, ConsumersAgent)),
    case("peer_head_altered_request", "the request's head has another digest than its header says",
        Do(|bed| Box::pin(with_header(bed, |header| header.head_digest = Digest([0; 32])))),
        Told(BodyCorrupt, ProvidersAgent)),
    case("peer_body_altered_request", "the request's body has another digest than its header says",
        Do(|bed| Box::pin(with_header(bed, |header| {
            header.body = BodyDescriptor::Inline { digest: Digest([0; 32]), length: 0 };
        }))),
        Told(BodyCorrupt, ProvidersAgent)),
    case("peer_body_missing_request", "the request has no body, and its header describes one",
        Do(|bed| Box::pin(with_header(bed, |header| {
            header.body = BodyDescriptor::Inline { digest: Digest([0; 32]), length: 7 };
        }))),
        Told(BodyCorrupt, ProvidersAgent)),
    case("peer_operation_altered", "the header declares another operation than the head asks for",
        Do(|bed| Box::pin(with_header(bed, |header| {
            header.operation = "headCard".parse().expect("an operation");
        }))),
        Told(OperationMismatch, ProvidersAgent)),
    case("peer_kind_altered", "the header declares a submission, and the operation is an inquiry",
        Do(|bed| Box::pin(with_header(bed, |header| header.kind = OperationKind::Submission))),
        Told(OperationMismatch, ProvidersAgent)),
];
