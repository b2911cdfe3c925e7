//! Bytes that no HTTP client would send, on the local port. What is no request gets a reason too,
//! with the status that HTTP has for it, and its connection closed.

use bytes::Bytes;
use mesh_core::reason::Reason::{PathUnknown, ProviderBrokeOff, RequestMalformed, RequestTooLarge};

use crate::bed::{CARDS, DESK};
use crate::client::Answer;
use crate::raw;
use crate::scenario::Act::{Do, Raw};
use crate::scenario::At::{ConsumersAgent as Here, ProvidersAgent};
use crate::scenario::Want::{Answered, Broken, Closed, Failed, Refused};
use crate::scenario::{Group, Scenario, case};

pub const HTTP: Group = Group {
    title: "Bytes that are no HTTP, or only nearly",
    cases: CASES,
    left_out: &[],
    breaks_links: false,
};

/// A sound request of one card, with `more` header lines.
fn get(more: &str) -> Bytes {
    text(&format!("GET /r1/{CARDS}/cards/1 HTTP/1.1"), more, "")
}

/// An upload to `path`, whose length `more` must say.
fn post(path: &str, more: &str, body: &str) -> Bytes {
    text(&format!("POST /r1/{CARDS}{path} HTTP/1.1"), more, body)
}

fn text(line: &str, more: &str, body: &str) -> Bytes {
    let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
    format!(
        "{line}\r\nHost: agent\r\nConnection: close\r\nX-Road-Client: {DESK}\r\n{more}\r\n{body}"
    )
    .into()
}

/// A request without the lines that HTTP/1.1 wants.
fn bare(line: &str, more: &str) -> Bytes {
    format!("{line}\r\nX-Road-Client: {DESK}\r\n{more}\r\n").into()
}

fn any(_: &Answer) -> bool {
    true
}

fn told(answer: &Answer, name: &str) -> Option<String> {
    answer.json()["headers"][name].as_str().map(str::to_owned)
}

/// A request that would be read as a second one by whoever takes the wrong end for the first.
const SMUGGLED: &str = "GET /r1/x HTTP/1.1\r\nHost: agent\r\n\r\n";

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("http_absolute_form_ok", "the request target is a whole URL",
        Raw(|_| text(&format!("GET http://agent/r1/{CARDS}/cards/1 HTTP/1.1"), "", "")),
        Answered(200, any)),
    case("http_authority_form", "`CONNECT`: the agent is no proxy",
        Raw(|_| text("CONNECT agent:80 HTTP/1.1", "", "")), Refused(404, PathUnknown, Here)),
    case("http_asterisk_form", "`OPTIONS *`",
        Raw(|_| text("OPTIONS * HTTP/1.1", "", "")), Refused(404, PathUnknown, Here)),
    case("http_host_missing", "HTTP/1.1 without `Host`",
        Raw(|_| bare(&format!("GET /r1/{CARDS}/cards/1 HTTP/1.1"), "Connection: close\r\n")),
        Refused(400, RequestMalformed, Here)),
    case("http_host_duplicate", "`Host` twice",
        Raw(|_| get("Host: agent")), Refused(400, RequestMalformed, Here)),
    case("http_1_0_ok", "HTTP/1.0 without `Host`",
        Raw(|_| bare(&format!("GET /r1/{CARDS}/cards/1 HTTP/1.0"), "")), Answered(200, any)),
    case("http_1_0_stream_ok", "HTTP/1.0, and an answer of unknown length: its end is that of the \
        connection",
        Raw(|_| bare(&format!("GET /r1/{CARDS}/bytes/100000 HTTP/1.0"), "")),
        Answered(200, |answer| answer.body.len() == 100_000)),
    case("http_1_0_cut", "HTTP/1.0, and an answer of unknown length breaks off: the connection is \
        reset, so that the part does not look whole",
        Raw(|_| bare(&format!("GET /r1/{CARDS}/act/cut HTTP/1.0"), "")),
        Broken(502, ProviderBrokeOff, ProvidersAgent)),
    case("http_version_unknown", "`HTTP/3.0` in the request line",
        Raw(|_| text(&format!("GET /r1/{CARDS}/cards/1 HTTP/3.0"), "", "")),
        Refused(400, RequestMalformed, Here)),
    case("http_2_preface", "the first bytes of an HTTP/2 client",
        Raw(|_| Bytes::from_static(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), Closed),
    case("http_line_garbage", "a line that is no request",
        Raw(|_| Bytes::from_static(b"hello\r\n\r\n")), Refused(400, RequestMalformed, Here)),
    case("http_tls_garbage", "the first bytes of a TLS client",
        Raw(|_| Bytes::from_static(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03")),
        Refused(400, RequestMalformed, Here)),
    case("http_length_twice_ok", "`Content-Length` twice with one value",
        Raw(|_| post("/digest", "Content-Length: 2\r\nContent-Length: 2", "ab")),
        Answered(200, |answer| answer.json()["length"] == 2)),
    case("http_length_twice", "`Content-Length` twice with two values",
        Raw(|_| post("/digest", "Content-Length: 2\r\nContent-Length: 3", "abc")),
        Refused(400, RequestMalformed, Here)),
    case("http_length_list", "`Content-Length` with two values in one line",
        Raw(|_| post("/digest", "Content-Length: 2, 2", "ab")),
        Refused(400, RequestMalformed, Here)),
    case("http_length_signed", "`Content-Length` with a sign",
        Raw(|_| post("/digest", "Content-Length: +2", "ab")), Refused(400, RequestMalformed, Here)),
    case("http_length_and_chunked", "`Content-Length` and `Transfer-Encoding` both: the chunks \
        count, and what stands behind them is never a request",
        Raw(|_| {
            let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
            post("/digest", both, &format!("2\r\nab\r\n0\r\n\r\n{SMUGGLED}"))
        }),
        Answered(200, |answer| answer.json()["length"] == 2)),
    case("http_coding_unknown", "a `Transfer-Encoding` that does not end in chunks",
        Raw(|_| post("/digest", "Transfer-Encoding: gzip", "ab")),
        Refused(400, RequestMalformed, Here)),
    case("http_chunk_malformed", "a chunk whose size is no number",
        Raw(|_| post("/digest", "Transfer-Encoding: chunked", "2\r\nab\r\nzz\r\n")),
        Failed(400, RequestMalformed, Here)),
    case("http_chunk_overflow", "a chunk whose size is beyond all numbers",
        Raw(|_| post("/digest", "Transfer-Encoding: chunked", "fffffffffffffffff\r\nab")),
        Failed(400, RequestMalformed, Here)),
    case("http_chunk_trailer", "a trailer of chunks that names another client: dropped",
        Raw(|_| {
            let body = "2\r\nab\r\n0\r\nX-Road-Client: ir/gov/tax/other\r\n\r\n";
            post("/digest", "Transfer-Encoding: chunked", body)
        }),
        Answered(200, |answer| answer.json()["length"] == 2)),
    case("http_body_cut", "the application leaves in the middle of a body of known length",
        Do(|bed| Box::pin(async {
            raw::leave(bed, &post("/digest", "Content-Length: 100", "ab")).await
        })),
        Closed),
    case("http_chunks_cut", "the application leaves in the middle of a body in chunks",
        Do(|bed| Box::pin(async {
            raw::leave(bed, &post("/digest", "Transfer-Encoding: chunked", "2\r\nab\r\n")).await
        })),
        Closed),
    case("http_head_unfinished", "the head stops in the middle, and the application waits",
        Raw(|_| Bytes::from_static(b"GET /r1/x HTTP/1.1\r\nHost: ag")), Closed),
    case("http_header_many", "more than 100 headers",
        Raw(|_| get("A: b\r\n".repeat(101).trim_end())), Refused(431, RequestTooLarge, Here)),
    case("http_header_too_long", "one header of 400,000 bytes: more than the agent reads at all",
        Raw(|_| get(&format!("X-Own: {}", "x".repeat(400_000)))),
        Refused(431, RequestTooLarge, Here)),
    case("http_target_too_long", "a request target of 100,000 bytes",
        Raw(|_| text(&format!("GET /r1/{} HTTP/1.1", "x".repeat(100_000)), "", "")),
        Refused(414, RequestTooLarge, Here)),
    case("http_line_feeds_ok", "lines that end in a line feed alone, which HTTP lets a server take",
        Raw(|_| format!(
            "GET /r1/{CARDS}/cards/1 HTTP/1.1\nHost: agent\nConnection: close\n\
             X-Road-Client: {DESK}\n\n").into()),
        Answered(200, any)),
    case("http_carriage_return", "a carriage return alone, inside a header",
        Raw(|_| get("X-Own: a\rX-Road-Id: b")), Refused(400, RequestMalformed, Here)),
    case("http_nul", "a zero byte inside a header",
        Raw(|_| get("X-Own: a\0b")), Refused(400, RequestMalformed, Here)),
    case("http_folded", "a header that goes on in the next line",
        Raw(|_| get("X-Own: a\r\n b")), Refused(400, RequestMalformed, Here)),
    case("http_name_malformed", "a header's name with a space before its colon",
        Raw(|_| get("X-Own : a")), Refused(400, RequestMalformed, Here)),
    case("http_connection_option", "`Connection` names a header: it ends at the agent",
        Raw(|_| get("Connection: X-Own\r\nX-Own: a")),
        Answered(200, |answer| told(answer, "x-own").is_none())),
    case("http_underscore_header", "`X_Road_Client`, which some servers read as the real one: \
        dropped",
        Raw(|_| get("X_Road_Client: ir/gov/tax/other")),
        Answered(200, |answer| {
            let forged = told(answer, "x_road_client");
            forged.is_none() && told(answer, "x-road-client").as_deref() == Some(DESK)
        })),
    case("http_upgrade", "a wish for another protocol: passed over",
        Raw(|_| get("Connection: Upgrade\r\nUpgrade: websocket")),
        Answered(200, |answer| told(answer, "upgrade").is_none())),
];
