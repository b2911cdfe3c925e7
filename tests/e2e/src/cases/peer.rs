//! A neighbour on a link that misbehaves: the provider's agent in other hands, with its genuine
//! certificate and key. The application must never see a wrong answer, nor a part that looks whole.

use mesh_core::reason::Reason::{
    AnswerMismatch, BodyCorrupt, CentreUnreachable, DeadlineExceeded, Internal, LinkLost,
    Overloaded, ProtocolViolation, ProviderBrokeOff,
};

use crate::bed::Bed;
use crate::client::Ask;
use crate::scenario::Act::{Ask as With, Do};
use crate::scenario::At::{ConsumersAgent, ProvidersAgent as Peer, WhoWaited};
use crate::scenario::Want::{Broken, Failed};
use crate::scenario::{Group, Scenario, Seen, case};

pub const PEER: Group =
    Group { title: "Peer failures on a link", cases: CASES, left_out: &[], breaks_links: true };

fn by(bed: &Bed, how: &str) -> Ask {
    bed.ask("GET", &format!("/act/{how}"))
}

/// Two requests at once, each of which gets the other's answer.
async fn swapped(bed: &Bed) -> Seen {
    let (first, second) = tokio::join!(by(bed, "swapped").send(), by(bed, "swapped").send());
    let both_refused = first.status == second.status;
    Seen::Answer(if both_refused || second.status != 200 { first } else { second })
}

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("peer_abort_before_answer", "the peer closes its link before it answers",
        With(|bed| by(bed, "before")), Failed(503, LinkLost, Peer)),
    case("peer_abort_mid_answer", "the peer closes its link in the middle of a body",
        With(|bed| by(bed, "in-stream")), Broken(503, LinkLost, Peer)),
    case("peer_abort_mid_inline", "the peer closes its link in the middle of a small body of known \
        length: the application sees nothing of it",
        With(|bed| by(bed, "in-inline")), Failed(503, LinkLost, Peer)),
    case("peer_cancel_mid_answer", "the peer takes its answer back in the middle of a body",
        With(|bed| by(bed, "cancel-in-stream")), Broken(502, ProviderBrokeOff, Peer)),
    case("peer_silent", "the peer takes the request and never answers",
        With(|bed| by(bed, "silent").header("mesh-timeout-ms", "700")),
        Failed(504, DeadlineExceeded, WhoWaited)),
    case("peer_late_answer", "the peer answers when the exchange is over: dropped",
        With(|bed| by(bed, "late").header("mesh-timeout-ms", "700")),
        Failed(504, DeadlineExceeded, WhoWaited)),
    case("peer_http_error", "the peer refuses, with a reason of the mesh: handed back",
        With(|bed| by(bed, "refused")), Failed(503, Overloaded, Peer)),
    case("peer_failed", "the peer says that its service failed: handed back",
        With(|bed| by(bed, "failed")), Failed(502, ProviderBrokeOff, Peer)),
    case("peer_invalid_fault", "the peer refuses with a reason that does not exist",
        With(|bed| by(bed, "unknown-reason")), Failed(502, AnswerMismatch, Peer)),
    case("peer_false_blame", "the peer says that the centre is at fault: a leaf can only speak for \
        itself, so its name is put in the place",
        With(|bed| by(bed, "blame")), Failed(503, CentreUnreachable, Peer)),
    case("peer_processing_error", "the peer breaks off because it failed itself",
        With(|bed| by(bed, "cancel")), Failed(500, Internal, Peer)),
    case("peer_body_missing", "the answer has no body, and its header describes one",
        With(|bed| by(bed, "no-body")), Failed(502, BodyCorrupt, ConsumersAgent)),
    case("peer_truncated", "the body is shorter than its header says",
        With(|bed| by(bed, "short")), Failed(502, BodyCorrupt, ConsumersAgent)),
    case("peer_body_longer", "the body is longer than its header says",
        With(|bed| by(bed, "long")), Failed(502, BodyCorrupt, ConsumersAgent)),
    case("peer_body_altered", "the body has another digest than its header says",
        With(|bed| by(bed, "digest")), Failed(502, BodyCorrupt, ConsumersAgent)),
    case("peer_stream_truncated", "a stream ends before the length that its header says",
        With(|bed| by(bed, "stream-short")), Broken(502, BodyCorrupt, ConsumersAgent)),
    case("peer_stream_longer", "a stream is longer than its header says",
        With(|bed| by(bed, "stream-long")), Broken(502, BodyCorrupt, ConsumersAgent)),
    case("peer_stream_miscounted", "the end of a stream says another length than what came",
        With(|bed| by(bed, "stream-lies")), Broken(502, BodyCorrupt, ConsumersAgent)),
    case("peer_stream_uncounted", "the end of a stream says no length",
        With(|bed| by(bed, "stream-endless")), Broken(502, BodyCorrupt, ConsumersAgent)),
    case("response_mismatch", "the answer names another exchange",
        With(|bed| by(bed, "other-exchange")), Failed(502, AnswerMismatch, Peer)),
    case("response_mismatch_request", "the answer is bound to another request",
        With(|bed| by(bed, "other-request")), Failed(502, AnswerMismatch, Peer)),
    case("response_mismatch_swapped", "two exchanges get each other's answer",
        Do(|bed| Box::pin(swapped(bed))), Failed(502, AnswerMismatch, Peer)),
    case("peer_head_altered", "the answer's head has another digest than its header says",
        With(|bed| by(bed, "other-head")), Failed(502, AnswerMismatch, Peer)),
    case("peer_content_type", "the answer's head is no message of the protocol: links have no \
        content types, each frame is of one kind",
        With(|bed| by(bed, "head-garbage")), Failed(502, AnswerMismatch, Peer)),
    case("peer_header_garbage", "the answer's header is no message of the protocol",
        With(|bed| by(bed, "header-garbage")), Failed(502, AnswerMismatch, Peer)),
    case("peer_header_missing", "the answer has no header",
        With(|bed| by(bed, "no-header")), Failed(502, ProtocolViolation, Peer)),
    case("peer_hops_missing", "the answer leaves out the hops that its request passed",
        With(|bed| by(bed, "hops-missing")), Failed(502, AnswerMismatch, Peer)),
    case("peer_hops_false", "the answer names a hop behind the peer, to put the blame there",
        With(|bed| by(bed, "hops-false")), Failed(502, AnswerMismatch, Peer)),
    case("peer_wrong_method", "a frame of the wrong kind: a body before its opening",
        With(|bed| by(bed, "data-first")), Failed(502, ProtocolViolation, Peer)),
    case("peer_answers_twice", "the peer answers one exchange twice",
        With(|bed| by(bed, "twice")), Broken(502, ProtocolViolation, Peer)),
    case("peer_unopened", "the peer answers what was never asked",
        With(|bed| by(bed, "unopened")), Failed(502, ProtocolViolation, Peer)),
    case("peer_second_hello", "the peer says hello twice",
        With(|bed| by(bed, "hello")), Failed(502, ProtocolViolation, Peer)),
    case("peer_empty_frame", "a frame of no kind",
        With(|bed| by(bed, "no-frame")), Failed(502, ProtocolViolation, Peer)),
    case("peer_credit_overflow", "the peer gives more credit than there is",
        With(|bed| by(bed, "credit")), Failed(502, ProtocolViolation, Peer)),
];
