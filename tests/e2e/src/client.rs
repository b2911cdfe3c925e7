//! The application beside the consumer's agent: one HTTP/1.1 request on a connection of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing may hang: an answer that is not there by then is a failure of the test.
const HANG_MAX: Duration = Duration::from_secs(60);

/// One request, being put together.
#[derive(Debug)]
pub struct Ask {
    agent: SocketAddr,
    request: http::request::Builder,
    body: UnsyncBoxBody<Bytes, std::io::Error>,
}

/// What came back. A body that broke off has `broken`.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub broken: Option<String>,
    pub elapsed: Duration,
}

/// An answer whose head is there and whose body is still to come.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub headers: HeaderMap,
    body: Incoming,
    began: Instant,
}

impl Ask {
    pub fn new(agent: SocketAddr, method: &str, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).header("host", "agent");
        Self { agent, request, body: Empty::new().map_err(|never| match never {}).boxed_unsync() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// A body of known length.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
        self
    }

    /// A body of unknown length, as it comes.
    pub fn stream(mut self, parts: BoxStream<'static, Bytes>) -> Self {
        let frames = parts.map(|part| Ok(Frame::data(part)));
        self.body = StreamBody::new(frames.boxed()).boxed_unsync();
        self
    }

    /// Sends it, and reads the whole answer.
    pub async fn send(self) -> Answer {
        let head = self.head().await;
        head.whole().await
    }

    /// Sends it, and reads the answer's head.
    pub async fn head(self) -> Head {
        self.try_head().await.expect("the agent answers HTTP")
    }

    /// Sends it; an error when the agent breaks the connection off.
    pub async fn try_head(self) -> Result<Head, String> {
        let began = Instant::now();
        let exchange = async {
            let socket = TcpStream::connect(self.agent).await.map_err(|why| why.to_string())?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(socket))
                    .await
                    .map_err(|why| why.to_string())?;
            tokio::spawn(connection);
            let request = self.request.body(self.body).map_err(|why| why.to_string())?;
            let (head, body) =
                sender.send_request(request).await.map_err(|why| why.to_string())?.into_parts();
            Ok(Head { status: head.status.as_u16(), headers: head.headers, body, began })
        };
        timeout(HANG_MAX, exchange).await.expect("nothing hangs")
    }
}

impl Head {
    /// The next part of the body; `None` at its end.
    pub async fn part(&mut self) -> Option<Result<Bytes, String>> {
        let frame = timeout(HANG_MAX, self.body.frame()).await.expect("nothing hangs")?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()).map_err(|e| e.to_string()))
    }

    pub async fn whole(mut self) -> Answer {
        let mut body = Vec::new();
        let mut broken = None;
        while let Some(part) = self.part().await {
            match part {
                Ok(part) => body.extend_from_slice(&part),
                Err(why) => {
                    broken = Some(why);
                    break;
                }
            }
        }
        let Self { status, headers, began, .. } = self;
        Answer { status, headers, body: body.into(), broken, elapsed: began.elapsed() }
    }
}

impl Answer {
    /// The answer as JSON; panics with the answer if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// Reason and hop of a problem.
    pub fn problem(&self) -> (String, String) {
        let problem = self.json();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.headers["x-road-error"].to_str().ok(), problem["reason"].as_str());
        (text("reason"), text("hop"))
    }

    /// The hops that the answer passed, nearest first, as `Server-Timing` names them.
    pub fn hops(&self) -> Vec<String> {
        nation::ask::hops(&self.headers).into_iter().map(|(hop, _)| hop).collect()
    }
}
