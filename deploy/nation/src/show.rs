//! What a person sees: one inquiry hop by hop, what is refused, and what to try next.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use mesh_core::address::{ServiceAddress, SystemAddress};
use sample_registry::{SEED_DEFAULT, first_national_id};
use serde_json::json;
use tokio::net::TcpStream;

use crate::layout::Layout;

/// Largest answer that is shown.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One inquiry of a system, as an application would ask it on loopback.
#[derive(Clone, Debug)]
pub struct Inquiry {
    pub title: &'static str,
    pub title_fa: &'static str,
    pub consumer: SystemAddress,
    pub service: ServiceAddress,
    pub path: String,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub elapsed_us: u64,
}

/// An inquiry that could not be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{consumer} has no agent in this nation")]
    NoAgent { consumer: SystemAddress },
    #[error("the agent at {agent} cannot be reached")]
    Reach { agent: SocketAddr, source: std::io::Error },
    #[error("the agent at {agent} did not answer HTTP")]
    Http { agent: SocketAddr, source: hyper::Error },
    #[error("the request is not well formed")]
    Request(#[from] http::Error),
    #[error("the answer is too large or broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The inquiries that the two-cluster plan is for: one answered, one that the centre never sees,
/// and one refused.
pub fn worked() -> Vec<Inquiry> {
    let person = first_national_id(SEED_DEFAULT);
    let parse = |text: &str| text.parse().expect("an address of the plan");
    let service: ServiceAddress =
        "ir/gov/civil-registration/persons/identity.v1".parse().expect("a service of the plan");
    let inquiry = |title, title_fa, consumer: &str, path: String| Inquiry {
        title,
        title_fa,
        consumer: parse(consumer),
        service: service.clone(),
        path,
    };
    vec![
        inquiry(
            "A licence counter asks who a present citizen is: another cluster, through the centre",
            "میز صدور مجوز، هویت متقاضی حاضر را از ثبت احوال می‌پرسد",
            "ir/gov/licensing/desk",
            format!("/persons/{person}"),
        ),
        inquiry(
            "The registration desk asks inside its own cluster: the centre is not touched",
            "میز ثبت احوال در خوشهٔ خود می‌پرسد؛ مرکز ملی در مسیر نیست",
            "ir/gov/civil-registration/desk",
            format!("/persons/{person}/kin"),
        ),
        inquiry(
            "The licence counter asks for the citizen's kin, for which it has no permission",
            "میز صدور مجوز برای خویشاوندی اجازه ندارد",
            "ir/gov/licensing/desk",
            format!("/persons/{person}/kin"),
        ),
    ]
}

/// Asks, as the application beside the consumer's agent would.
pub async fn ask(layout: &Layout, inquiry: &Inquiry) -> Result<Shown, AskError> {
    let agent = agent_of(layout, &inquiry.consumer)?;
    let began = Instant::now();
    let socket =
        TcpStream::connect(agent).await.map_err(|source| AskError::Reach { agent, source })?;
    let http = |source| AskError::Http { agent, source };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(http)?;
    let driver = tokio::spawn(connection);
    let request = Request::get(format!("/r1/{}{}", inquiry.service, inquiry.path))
        .header("host", agent.to_string())
        .header("x-road-client", inquiry.consumer.to_string())
        .body(Empty::<Bytes>::new())?;
    let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(AskError::Body)?;
    let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    drop(sender);
    driver.abort();
    Ok(Shown { status: head.status, headers: head.headers, body: body.to_bytes(), elapsed_us })
}

/// One inquiry as text for a terminal.
pub fn text(inquiry: &Inquiry, shown: &Shown) -> String {
    let mut text = format!("\n■ {}\n  {}\n", inquiry.title, inquiry.title_fa);
    let _ = writeln!(text, "  {} asks {}", inquiry.consumer, inquiry.service);
    let _ = writeln!(text, "  GET {}", inquiry.path);
    let hops = hops(&shown.headers);
    if !hops.is_empty() {
        text.push_str("  path, and the time from request to answer as each hop saw it:\n");
        for (hop, ms) in hops {
            let _ = writeln!(text, "    {ms:>9.3} ms  {hop}");
        }
    }
    let answer = String::from_utf8_lossy(&shown.body);
    let _ = writeln!(text, "  answer: {} {}", shown.status.as_u16(), answer.trim());
    text
}

/// One inquiry for a program.
pub fn json(inquiry: &Inquiry, shown: &Shown) -> serde_json::Value {
    let hops: Vec<_> =
        hops(&shown.headers).into_iter().map(|(hop, ms)| json!({"hop": hop, "ms": ms})).collect();
    let body: serde_json::Value = serde_json::from_slice(&shown.body).unwrap_or_default();
    json!({
        "consumer": inquiry.consumer.to_string(),
        "service": inquiry.service.to_string(),
        "status": shown.status.as_u16(),
        "elapsed_us": shown.elapsed_us,
        "hops": hops,
        "answer": body,
    })
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

/// What to try while the nation is up; each line can be copied into another terminal.
pub fn next_steps(layout: &Layout, hubctl: &str) -> String {
    let mut text = String::from("\n■ Try next, in another terminal\n");
    let config = layout.hubctl_config.display();
    if let Some(inquiry) = worked().first()
        && let Ok(agent) = agent_of(layout, &inquiry.consumer)
    {
        let Inquiry { consumer, service, path, .. } = inquiry;
        let _ = writeln!(
            text,
            "  curl -i -H 'X-Road-Client: {consumer}' http://{agent}/r1/{service}{path}"
        );
    }
    let _ = writeln!(text, "  {hubctl} --config {config} status");
    let _ = writeln!(text, "  {hubctl} --config {config} topology");
    for node in &layout.nodes {
        if let mesh_core::node::NodeName::Hub(_) = node.name {
            let _ = writeln!(text, "  tail -f {}", node.log.display());
            break;
        }
    }
    text
}

fn agent_of(layout: &Layout, consumer: &SystemAddress) -> Result<SocketAddr, AskError> {
    let is_agent = |name: &mesh_core::node::NodeName| match name {
        mesh_core::node::NodeName::Agent { system, .. } => system == consumer,
        _ => false,
    };
    let node = layout.nodes.iter().find(|node| is_agent(&node.name));
    let local = node.and_then(|node| node.local);
    local.ok_or_else(|| AskError::NoAgent { consumer: consumer.clone() })
}
