//! The provider's own service: a real HTTP/1.1 server that behaves as the path asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

/// See the module. It lives as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct Backend {
    pub address: SocketAddr,
    /// Answers a line that is not HTTP.
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
        tokio::spawn(serve_raw(raw));
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
        (Method::GET, ["act", how]) => act(&backend, how).await,
        (Method::POST, ["submit", how]) => act(&backend, how).await,
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
        "redirect" => {
            let mut answer = text(StatusCode::FOUND, "");
            let location = http::HeaderValue::from_static("http://elsewhere.test/");
            answer.headers_mut().insert("location", location);
            Ok(answer)
        }
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

fn card(request: &Request<Incoming>, id: &str) -> Response<Body> {
    let fields = |headers: &HeaderMap| {
        let pairs = headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
        });
        serde_json::Value::Object(pairs.collect())
    };
    let body = json!({
        "card": id,
        "method": request.method().as_str(),
        "query": request.uri().query(),
        "headers": fields(request.headers()),
    });
    let mut answer = text(StatusCode::OK, &body.to_string());
    let kind = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert("content-type", kind);
    answer.headers_mut().insert("etag", http::HeaderValue::from_static("\"v1\""));
    answer.headers_mut().insert("connection", http::HeaderValue::from_static("x-private"));
    answer.headers_mut().insert("x-private", http::HeaderValue::from_static("hop by hop"));
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
    let sha256: String =
        digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(text(StatusCode::OK, &json!({"length": length, "sha256": sha256}).to_string()))
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    let mut answer = Response::new(body.map_err(|never: Infallible| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

async fn serve_raw(listener: TcpListener) {
    while let Ok((mut socket, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = [0; 1024];
            // Either may fail: the agent may have left.
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(b"this is no HTTP\r\n\r\n").await;
        });
    }
}
