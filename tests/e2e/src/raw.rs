//! An application that writes bytes as it likes: what no HTTP client would send.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bed::{Bed, HOPS};
use crate::client::Answer;
use crate::scenario::Seen;

/// Nothing may hang: a connection that is not closed by then is a failure of the test.
const HANG_MAX: Duration = Duration::from_secs(60);

/// Sends `bytes` to the consumer's agent and reads to the end of the connection. More than one
/// answer is a panic: the second would be to a request that nobody made.
pub async fn say(bed: &Bed, bytes: &[u8]) -> Seen {
    let mut socket = TcpStream::connect(bed.local(HOPS[0])).await.expect("the agent listens");
    let began = Instant::now();
    let (mut read, mut write) = socket.split();
    let mut came = Vec::new();
    let exchange = async {
        // The agent may close before it has taken everything.
        let (_, ended) = tokio::join!(write.write_all(bytes), read.read_to_end(&mut came));
        ended.err().map(|why| why.to_string())
    };
    let reset = timeout(HANG_MAX, exchange).await.expect("the agent closes the connection");
    if came.is_empty() {
        return Seen::Closed;
    }
    Seen::Answer(read_answer(&came, reset, began.elapsed()))
}

/// Sends `bytes` and goes away without reading.
pub async fn leave(bed: &Bed, bytes: &[u8]) -> Seen {
    let mut socket = TcpStream::connect(bed.local(HOPS[0])).await.expect("the agent listens");
    socket.write_all(bytes).await.expect("the agent reads");
    drop(socket);
    Seen::Closed
}

/// Reads one answer. `reset` is how the connection broke, if it did.
fn read_answer(bytes: &[u8], reset: Option<String>, elapsed: Duration) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    // A version, a space and the first digit of a status.
    let begins = |(at, _): &(usize, &str)| {
        text.as_bytes().get(at + 8) == Some(&b' ')
            && text.as_bytes().get(at + 9).is_some_and(u8::is_ascii_digit)
    };
    let answers = text.match_indices("HTTP/1.").filter(begins).count();
    assert_eq!(answers, 1, "not one answer: {text}");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head ends");
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    let mut lines = head.split("\r\n");
    let first = lines.next().expect("a status line");
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a field");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a field's name");
        (name, HeaderValue::from_str(value).expect("a field's value"))
    };
    let headers: HeaderMap = lines.map(field).collect();
    let body = &bytes[end + 4..];
    let cut = |whole: bool| (!whole).then(|| "the connection ended before the body did".into());
    let length = headers.get("content-length").and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<usize>().ok());
    let (body, broken) = if headers.contains_key("transfer-encoding") {
        let (body, whole) = unchunk(body);
        (body, cut(whole))
    } else if let Some(length) = length {
        (Bytes::copy_from_slice(body), cut(length == body.len()))
    } else {
        // The end of the connection is the end of the body, unless it was reset.
        (Bytes::copy_from_slice(body), reset)
    };
    let status = status.expect("a status");
    Answer { status, headers, body, broken, elapsed }
}

/// The body in the chunks of `rest`; is its last chunk there?
fn unchunk(mut rest: &[u8]) -> (Bytes, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).ok();
        let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(length) = length else { break };
        if length == 0 {
            return (body.into(), rest[end..] == *b"\r\n\r\n");
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + length) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + length + 2..).unwrap_or_default();
    }
    (body.into(), false)
}
