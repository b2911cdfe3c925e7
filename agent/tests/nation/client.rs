//! An application that asks its agent: by a real HTTP client, or by the bytes of a request.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{CONSUMER, IDENTITY};

pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Whole {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// One connection to an agent.
pub struct Application {
    sender: SendRequest<Body>,
    connection: tokio::task::JoinHandle<()>,
}

impl Application {
    pub async fn connect(local: SocketAddr) -> Self {
        let stream = TcpStream::connect(local).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(async move {
            // A broken connection shows in the answer.
            let _ = connection.await;
        });
        Self { sender, connection }
    }

    pub async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// Goes away without a word.
    pub fn leave(self) {
        self.connection.abort();
    }
}

/// A request of the consumer's own system, without a body.
pub fn get(service: &str, below: &str) -> Request<Body> {
    ask("GET", service, below, whole(""))
}

pub fn ask(method: &str, service: &str, below: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("/r1/{service}{below}"))
        .header("host", "localhost")
        .header("x-road-client", CONSUMER)
        .body(body)
        .unwrap()
}

pub fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of unknown length: `parts` of 10,000 bytes, as [`pattern`] has them.
pub fn parts(count: usize) -> Body {
    let all = pattern(count * 10_000);
    let frames =
        (0..count).map(move |part| Ok(Frame::data(all.slice(part * 10_000..(part + 1) * 10_000))));
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// Bytes that differ from place to place.
pub fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

/// Sends one request on a connection of its own, and reads all of the answer.
pub async fn fetch(local: SocketAddr, request: Request<Body>) -> Whole {
    let mut application = Application::connect(local).await;
    let answer = application.send(request).await.unwrap();
    read(answer).await.unwrap()
}

pub async fn read(answer: Response<Incoming>) -> hyper::Result<Whole> {
    let (head, body) = answer.into_parts();
    let body = tokio::time::timeout(Duration::from_secs(20), body.collect()).await;
    let body = body.expect("the answer never ends")?.to_bytes();
    Ok(Whole { status: head.status, headers: head.headers, body })
}

/// Sends bytes as they are, and reads until the agent closes.
pub async fn raw(local: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(local).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it never closes").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

impl Whole {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem that the answer is, as `REASON@hop status: detail`.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let value: Value = serde_json::from_slice(&self.body).unwrap();
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        assert_eq!(text("reason"), self.header("x-road-error"));
        assert_eq!(text("exchange_id"), self.header("x-road-request-id"));
        assert_eq!(value["status"], self.status.as_u16());
        format!("{}@{} {}: {}", text("reason"), text("hop"), value["status"], text("detail"))
    }
}

/// A request for a person, which the sound backend answers.
pub fn person(id: &str) -> Request<Body> {
    get(IDENTITY, &format!("/persons/{id}"))
}
