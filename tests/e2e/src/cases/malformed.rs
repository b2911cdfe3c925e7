//! What an application writes wrongly, and what looks wrong and is not. The agent reads the path
//! and a few headers; a body it carries unread, whatever it says.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use mesh_core::reason::Reason::{
    ClientMissing, ClientUnknown, OperationUnknown, PathUnknown, PurposeNotPermitted,
    RequestMalformed, RequestTooLarge,
};

use crate::backend::{pattern, sha256};
use crate::bed::{Bed, CARDS, DESK, HOPS};
use crate::client::{Answer, Ask};
use crate::scenario::Act::Ask as With;
use crate::scenario::At::ConsumersAgent as Here;
use crate::scenario::Want::{Answered, Refused};
use crate::scenario::{Group, Scenario, case};

pub const MALFORMED: Group = Group {
    title: "Malformed requests from the client information system",
    cases: CASES,
    left_out: &[],
    breaks_links: false,
};

/// A request in nobody's name.
fn nobodys(bed: &Bed, path: &str) -> Ask {
    Ask::new(bed.local(HOPS[0]), "GET", path)
}

/// A request by the consumer for a path that it wrote itself.
fn written(bed: &Bed, path: &str) -> Ask {
    nobodys(bed, path).header("x-road-client", DESK)
}

/// A sound request with one more header.
fn with(bed: &Bed, name: &str, value: &str) -> Ask {
    bed.ask("GET", "/cards/1").header(name, value)
}

fn card() -> String {
    format!("/r1/{CARDS}/cards/1")
}

/// Nothing more is wanted of the answer.
fn any(_: &Answer) -> bool {
    true
}

/// What the service was told under `name`.
fn told(answer: &Answer, name: &str) -> Option<String> {
    answer.json()["headers"][name].as_str().map(str::to_owned)
}

/// A text with the mark that some editors put before UTF-8.
const MARKED: &[u8] = b"\xef\xbb\xbf{\"id\": \"1\"}";

/// Deeper than any parser follows.
fn nested() -> Bytes {
    [vec![b'['; 100_000], vec![b']'; 100_000]].concat().into()
}

/// A document whose entities would grow to gigabytes in a parser that follows them.
const ENTITIES: &str = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
                        <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><l>&c;</l>";

/// Larger than what any hop holds.
const LARGE_BYTES: usize = 12 * 1024 * 1024;

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("req_wrong_method", "GET of a path that the service declares for POST alone",
        With(|bed| bed.ask("GET", "/echo")), Refused(404, OperationUnknown, Here)),
    case("req_method_unknown", "a method that HTTP does not have",
        With(|bed| bed.ask("BREW", "/cards/1")), Refused(400, RequestMalformed, Here)),
    case("req_wrong_content_type", "a body of a kind that the service does not take: the service \
        says so itself, the mesh reads no content types",
        With(|bed| bed.ask("POST", "/submit/typed").header("content-type", "x/y").body("a")),
        Answered(415, |answer| answer.body == "only application/json")),
    case("req_empty", "POST with an empty body: carried as one",
        With(|bed| bed.ask("POST", "/digest").body("")),
        Answered(200, |answer| answer.json()["length"] == 0)),
    case("req_duplicate_header", "`X-Road-Id` twice, even with one value",
        With(|bed| with(bed, "x-road-id", "1").header("x-road-id", "1")),
        Refused(400, RequestMalformed, Here)),
    case("req_duplicate_purpose", "`Mesh-Purpose` twice",
        With(|bed| with(bed, "mesh-purpose", "licence-issue").header("mesh-purpose", "census")),
        Refused(400, RequestMalformed, Here)),
    case("req_duplicate_own_header_ok", "the service's own header twice: both values arrive",
        With(|bed| with(bed, "x-own", "1").header("x-own", "2")),
        Answered(200, |answer| told(answer, "x-own").as_deref() == Some("1, 2"))),
    case("req_header_missing", "`Mesh-Purpose` is missing where two purposes are permitted",
        With(|bed| bed.ask_of("ir/gov/care/cards/brisk.v1", "GET", "/act/refuse")),
        Refused(400, RequestMalformed, Here)),
    case("req_version_missing", "the path does not begin with the protocol version, `/r1`",
        With(|bed| written(bed, &format!("/{CARDS}/cards/1"))), Refused(404, PathUnknown, Here)),
    case("req_version_unsupported", "the path begins with `/r9`",
        With(|bed| written(bed, &format!("/r9/{CARDS}/cards/1"))),
        Refused(404, PathUnknown, Here)),
    case("req_service_version_missing", "the service has no `.v` with a number",
        With(|bed| written(bed, "/r1/ir/gov/care/cards/cards/cards/1")),
        Refused(400, RequestMalformed, Here)),
    case("req_service_version_malformed", "the service has the version `.v01`",
        With(|bed| written(bed, "/r1/ir/gov/care/cards/cards.v01/cards/1")),
        Refused(400, RequestMalformed, Here)),
    case("req_user_missing_ok", "no `X-Road-UserId`: it is optional",
        With(|bed| bed.ask("GET", "/cards/1")),
        Answered(200, |answer| told(answer, "x-road-userid").is_none())),
    case("req_client_missing", "no `X-Road-Client`",
        With(|bed| nobodys(bed, &card())), Refused(400, ClientMissing, Here)),
    case("req_client_duplicate", "`X-Road-Client` twice, even with one value",
        With(|bed| with(bed, "x-road-client", DESK)), Refused(400, RequestMalformed, Here)),
    case("req_client_malformed", "`X-Road-Client` is no address of a system",
        With(|bed| nobodys(bed, &card()).header("x-road-client", "tax")),
        Refused(400, RequestMalformed, Here)),
    case("auth_client_unregistered", "`X-Road-Client` names a system that this agent is not of",
        With(|bed| nobodys(bed, &card()).header("x-road-client", "ir/gov/tax/other")),
        Refused(403, ClientUnknown, Here)),
    case("req_uri_malformed", "a percent sign without two hexadecimal digits",
        With(|bed| bed.ask("GET", "/cards/%zz")), Refused(400, RequestMalformed, Here)),
    case("req_uri_too_short", "the path ends before the service",
        With(|bed| written(bed, "/r1/ir/gov")), Refused(400, RequestMalformed, Here)),
    case("req_path_unknown", "the path is none of this agent's",
        With(|bed| written(bed, "/elsewhere")), Refused(404, PathUnknown, Here)),
    case("req_path_root", "the path is `/`",
        With(|bed| written(bed, "/")), Refused(404, PathUnknown, Here)),
    case("req_path_too_long", "a path of 5,000 bytes",
        With(|bed| bed.ask("GET", &format!("/cards/{}", "x".repeat(5000)))),
        Refused(431, RequestTooLarge, Here)),
    case("req_path_injection", "an encoded line break in the path",
        With(|bed| bed.ask("GET", "/cards/1%0d%0aX-Road-Client:%20x")),
        Refused(400, RequestMalformed, Here)),
    case("req_identifier_encoded_ok", "an identifier in the path is percent-encoded",
        With(|bed| written(bed, "/r1/ir/g%6fv/care/cards/cards.v1/cards/1")), Answered(200, any)),
    case("req_identifier_illegal", "an identifier in the path has capitals",
        With(|bed| written(bed, "/r1/ir/GOV/care/cards/cards.v1/cards/1")),
        Refused(400, RequestMalformed, Here)),
    case("req_bom_ok", "a byte-order mark before the body: carried as the bytes that it is",
        With(|bed| bed.ask("POST", "/echo").body(MARKED)),
        Answered(200, |answer| answer.body == MARKED)),
    case("req_forged_hash_header", "the application sends `X-Road-Request-Hash`: dropped",
        With(|bed| with(bed, "x-road-request-hash", "bogus")),
        Answered(200, |answer| told(answer, "x-road-request-hash").is_none())),
    case("req_wrong_service_type", "a SOAP client posts its envelope to the service's own address, \
        which has no operation there",
        With(|bed| bed.ask("POST", "").header("soapaction", "\"getCard\"").body("<Envelope/>")),
        Refused(404, OperationUnknown, Here)),
    case("req_large_stream_ok", "a body of 12 MiB, in parts: no body is too large",
        With(|bed| {
            let body = Bytes::from(pattern(0, LARGE_BYTES));
            let parts: Vec<Bytes> = body.chunks(50_000).map(Bytes::copy_from_slice).collect();
            bed.ask("POST", "/digest").stream(stream::iter(parts).boxed())
        }),
        Answered(200, |answer| answer.json()["sha256"] == sha256(&pattern(0, LARGE_BYTES)))),
    case("req_oversize", "headers of 40,000 bytes: only the head of a request has a limit",
        With(|bed| with(bed, "x-own", &"x".repeat(40_000))), Refused(431, RequestTooLarge, Here)),
    case("req_nesting_bomb", "JSON 100,000 levels deep: carried unread",
        With(|bed| bed.ask("POST", "/echo").body(nested())),
        Answered(200, |answer| answer.body == nested())),
    case("req_entity_bomb", "XML whose entities grow without end: carried unread",
        With(|bed| bed.ask("POST", "/echo").body(ENTITIES)),
        Answered(200, |answer| answer.body == ENTITIES)),
    case("req_purpose_unknown", "a purpose that is not permitted",
        With(|bed| with(bed, "mesh-purpose", "curiosity")),
        Refused(403, PurposeNotPermitted, Here)),
    case("req_timeout_malformed", "`Mesh-Timeout-Ms` is a word",
        With(|bed| with(bed, "mesh-timeout-ms", "soon")), Refused(400, RequestMalformed, Here)),
    case("req_timeout_zero", "`Mesh-Timeout-Ms` is 0",
        With(|bed| with(bed, "mesh-timeout-ms", "0")), Refused(400, RequestMalformed, Here)),
];
