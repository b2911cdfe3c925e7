//! The provider's own service: a real HTTP/1.1 server that behaves as the path asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

mod faulty;

/// See the module. It lives as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct Backend {
    pub address: SocketAddr,
    /// Answers with bytes that its path asks for, most of them no HTTP.
    pub raw_address: SocketAddr,
    /// Nobody listens there.
    pub closed_address: SocketAddr,
    /// Requests that came, and those whose connection the agent broke off.
    pub requests: Arc<AtomicU64>,
    pub abandoned: Arc<AtomicU64>,
    _closed: Arc<TcpSocket>,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Backend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let raw = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        // Bound and never listening: it refuses connections, and nobody else gets its port.
        let closed = TcpSocket::new_v4().expect("a socket");
        closed.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let backend = Self {
            address: listener.local_addr().expect("it is bound"),
            raw_address: raw.local_addr().expect("it is bound"),
            closed_address: closed.local_addr().expect("it is bound"),
            requests: Arc::default(),
            abandoned: Arc::default(),
            _closed: Arc::new(closed),
        };
        tokio::spawn(backend.clone().serve(listener));
        tokio::spawn(faulty::serve(raw, Arc::clone(&backend.requests)));
        backend
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((socket, _)) = listener.accept().await {
            let backend = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| answer(backend.clone(), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service);
                // An error is what some paths ask for.
                let _ = connection.await;
            });
        }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Requests that nobody waits for any more.
    pub fn abandoned(&self) -> u64 {
        self.abandoned.load(Ordering::SeqCst)
    }
}

/// Counts a request as abandoned when it is dropped before it is done.
struct Watch {
    abandoned: Arc<AtomicU64>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
    }
}

async fn answer(
    backend: Backend,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    backend.requests.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method().clone(), &segments[..]) {
        (Method::GET | Method::HEAD, ["cards", id]) => Ok(card(&request, id)),
        (Method::GET, ["bytes", count]) => Ok(bytes(count.parse().expect("a count"))),
        (Method::POST, ["digest"]) => digest(request).await,
        (Method::POST, ["echo"]) => {
            Ok(Response::new(request.into_body().map_err(std::io::Error::other).boxed_unsync()))
        }
        (Method::POST, ["submit", "typed"]) => Ok(typed(&request)),
        (Method::GET, ["act", how]) | (Method::POST, ["submit", how]) => act(&backend, how).await,
        _ => Ok(text(StatusCode::NOT_FOUND, "no such path")),
    }
}

async fn act(backend: &Backend, how: &str) -> Result<Response<Body>, std::io::Error> {
    let watch = || Watch { abandoned: Arc::clone(&backend.abandoned) };
    match how {
        "hang" => {
            let _watch = watch();
            std::future::pending().await
        }
        "abort" => Err(std::io::Error::other("as asked")),
        "redirect" => Ok(with("location", "/cards/1", text(StatusCode::FOUND, ""))),
        "odd-type" => Ok(with("content-type", "nonsense", text(StatusCode::OK, "{}"))),
        "forge" => Ok(with("x-road-error", "INTERNAL", text(StatusCode::OK, "forged"))),
        "empty" => Ok(text(StatusCode::OK, "")),
        "error" => Ok(text(StatusCode::INTERNAL_SERVER_ERROR, "the service failed")),
        "refuse" => Ok(text(StatusCode::UNPROCESSABLE_ENTITY, "the service's own fault")),
        // Known length, and not all of it.
        "short" => {
            let parts = [Ok(Frame::data(Bytes::from_static(b"0123456789")))];
            let broken = [Err(std::io::Error::other("as asked"))];
            let body = StreamBody::new(stream::iter(parts.into_iter().chain(broken)));
            let mut answer = Response::new(body.boxed_unsync());
            answer.headers_mut().insert("content-length", 200_000.into());
            Ok(answer)
        }
        "cut" => {
            let steps = stream::unfold(0, |step| async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let part = match step {
                    0..5 => Ok(Frame::data(Bytes::from_static(b"part"))),
                    _ => Err(std::io::Error::other("as asked")),
                };
                Some((part, step + 1))
            });
            Ok(Response::new(StreamBody::new(steps).boxed_unsync()))
        }
        "trickle" => {
            let drops = stream::unfold(watch(), |watch| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok(Frame::data(Bytes::from_static(b"."))), watch))
            });
            Ok(Response::new(StreamBody::new(drops).boxed_unsync()))
        }
        _ => Ok(text(StatusCode::NOT_FOUND, "no such act")),
    }
}

/// Takes JSON alone.
fn typed(request: &Request<Incoming>) -> Response<Body> {
    let kind = request.headers().get("content-type");
    if kind.is_some_and(|kind| kind == "application/json") {
        return text(StatusCode::OK, "");
    }
    text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "only application/json")
}

fn card(request: &Request<Incoming>, id: &str) -> Response<Body> {
    let fields = |headers: &HeaderMap| {
        let pairs = headers.keys().map(|name| {
            let values = headers.get_all(name).iter().map(|value| value.as_bytes());
            let joined: Vec<_> = values.map(String::from_utf8_lossy).collect();
            (name.to_string(), joined.join(", ").into())
        });
        serde_json::Value::Object(pairs.collect())
    };
    let body = json!({
        "card": id,
        "method": request.method().as_str(),
        "query": request.uri().query(),
        "headers": fields(request.headers()),
    });
    let answer = with("content-type", "application/json", text(StatusCode::OK, &body.to_string()));
    let answer = with("connection", "x-private", with("etag", "\"v1\"", answer));
    with("x-private", "hop by hop", answer)
}

fn with(name: &'static str, value: &'static str, mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}

/// `count` bytes of a pattern, in parts, with no length announced.
fn bytes(count: u64) -> Response<Body> {
    let parts = stream::unfold(count, move |left| async move {
        let length = left.min(30_000);
        let part = Bytes::from(pattern(count - left, length as usize));
        (0 < left).then(|| (Ok(Frame::data(part)), left - length))
    });
    Response::new(StreamBody::new(parts).boxed_unsync())
}

/// Bytes `from..from + length` of an endless pattern.
pub fn pattern(from: u64, length: usize) -> Vec<u8> {
    (from..).take(length).map(|at| (at % 251) as u8).collect()
}

async fn digest(request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut length = 0;
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let part = frame.map_err(std::io::Error::other)?.into_data().unwrap_or_default();
        digest.update(&part);
        length += part.len();
    }
    let sha256 = hex(digest.finish().as_ref());
    Ok(text(StatusCode::OK, &json!({"length": length, "sha256": sha256}).to_string()))
}

/// SHA-256 in hexadecimal, as `POST /digest` says it.
pub fn sha256(body: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    let mut answer = Response::new(body.map_err(|never: Infallible| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}
