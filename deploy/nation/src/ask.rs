//! One request of an application beside an agent, and what came back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use mesh_core::address::SystemAddress;
use mesh_core::node::NodeName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::layout::Layout;
use crate::story::{Inquiry, Known, Unknown};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A node that stands still must not make the launcher stand still.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// An answer, or a refusal of the mesh.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The request's path, filled in.
    pub path: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub elapsed: Duration,
}

/// A request that could not be made at all.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{consumer} has no agent in this nation")]
    NoAgent { consumer: SystemAddress },
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error("the agent at {agent} cannot be reached")]
    Reach { agent: SocketAddr, source: std::io::Error },
    #[error("the agent at {agent} did not answer HTTP")]
    Http { agent: SocketAddr, source: hyper::Error },
    #[error("the agent at {agent} gave no answer within {} s", ANSWER_MAX.as_secs())]
    Silent { agent: SocketAddr },
    #[error("the request is not well formed")]
    Request(#[from] http::Error),
    #[error("the answer is too large or broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Asks, as the application beside the consumer's agent would.
pub async fn ask(layout: &Layout, inquiry: &Inquiry, known: &Known) -> Result<Answered, AskError> {
    let consumer = &inquiry.consumer;
    let agent = agent_of(layout, consumer)
        .ok_or_else(|| AskError::NoAgent { consumer: consumer.clone() })?;
    let (path, body) = inquiry.filled(known)?;
    let mut request = Request::builder()
        .method(inquiry.method.name())
        .uri(format!("/r1/{}{path}", inquiry.service))
        .header("host", agent.to_string())
        .header("x-road-client", consumer.to_string());
    if let Some(purpose) = &inquiry.purpose {
        request = request.header("mesh-purpose", purpose.as_str());
    }
    if let Some(key) = &inquiry.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let silent = |_| AskError::Silent { agent };
    timeout(ANSWER_MAX, send(agent, path, request)).await.map_err(silent)?
}

async fn send(
    agent: SocketAddr,
    path: String,
    request: Request<Full<Bytes>>,
) -> Result<Answered, AskError> {
    let began = Instant::now();
    let socket =
        TcpStream::connect(agent).await.map_err(|source| AskError::Reach { agent, source })?;
    let http = |source| AskError::Http { agent, source };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(http)?;
    let driver = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(AskError::Body)?;
    let elapsed = began.elapsed();
    drop(sender);
    driver.abort();
    Ok(Answered {
        path,
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
        elapsed,
    })
}

impl Answered {
    /// The body, where it is JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The reason of the mesh, if it is the mesh that refused.
    pub fn refused(&self) -> Option<&str> {
        self.headers.get("x-road-error")?.to_str().ok()
    }

    /// The hops that it passed, nearest first, and the milliseconds that each saw.
    pub fn hops(&self) -> Vec<(String, f64)> {
        hops(&self.headers)
    }
}

/// The hops of an answer, from its `Server-Timing` (W3C).
pub fn hops(headers: &HeaderMap) -> Vec<(String, f64)> {
    let timing = headers.get("server-timing").and_then(|value| value.to_str().ok());
    let entries = timing.into_iter().flat_map(|timing| timing.split(','));
    let read = |entry: &str| {
        let (hop, ms) = entry.trim().split_once(";dur=")?;
        Some((hop.to_owned(), ms.parse().ok()?))
    };
    entries.filter_map(read).collect()
}

/// Where the applications of `consumer` ask.
pub fn agent_of(layout: &Layout, consumer: &SystemAddress) -> Option<SocketAddr> {
    let is_its =
        |name: &NodeName| matches!(name, NodeName::Agent { system, .. } if system == consumer);
    layout.nodes.iter().find(|node| is_its(&node.name))?.local
}
