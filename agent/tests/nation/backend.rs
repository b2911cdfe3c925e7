//! What answers behind the provider's agent: one service that is sound, and one that is not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::client::pattern;

/// Uploads that were whole.
static UPLOADS: AtomicUsize = AtomicUsize::new(0);

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Tells what it was asked; `POST /echo` gives the request's body back as it comes.
pub async fn sound() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let serve = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
            tokio::spawn(connection);
        }
    });
    address
}

fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let plain = Response::builder();
    let path = request.uri().path().to_owned();
    match (request.method(), path.strip_prefix("/base").unwrap()) {
        (&Method::POST, "/echo") => Response::new(request.into_body().boxed_unsync()),
        (_, "/persons/none") => {
            let gone = plain.status(404).header("content-type", "application/problem+json");
            gone.body(whole("{\"title\":\"no such person\"}")).unwrap()
        }
        (_, "/persons/moved") => {
            let moved = plain.status(302).header("location", "/base/persons/1");
            moved.body(whole("")).unwrap()
        }
        (_, "/persons/deleted") => plain.status(204).body(whole("")).unwrap(),
        (_, "/persons/large") => Response::new(whole(pattern(300_000))),
        (_, "/persons/middling") => Response::new(whole(pattern(40_000))),
        (_, slow @ ("/persons/slow" | "/persons/slower")) => {
            sleep(Duration::from_millis(if slow == "/persons/slow" { 500 } else { 5000 })).await;
            Response::new(whole("late"))
        }
        (_, "/persons/upload") => match request.into_body().collect().await {
            Ok(_) => {
                let uploads = 1 + UPLOADS.fetch_add(1, Ordering::SeqCst);
                plain.header("uploads", uploads).body(whole("")).unwrap()
            }
            Err(_) => plain.status(400).body(whole("")).unwrap(),
        },
        (_, "/persons/early") => plain.status(413).body(whole("too much for me")).unwrap(),
        (_, "/persons/fields") => plain
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("x-road-error", "FORGED")
            .header("x-road-client", "forged")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(whole("x"))
            .unwrap(),
        _ => Response::new(whole(told(request).await)),
    }
}

/// The request as it came here, one line for its first line and one for each field.
async fn told(request: Request<Incoming>) -> String {
    let (head, body) = request.into_parts();
    let mut lines = vec![format!("{} {}", head.method, head.uri)];
    for (name, value) in &head.headers {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    lines[1..].sort_unstable();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    lines.push(String::from_utf8_lossy(&body).into_owned());
    lines.join("\n")
}

/// Does what the last part of the path says.
pub async fn faulty() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(misbehave(stream));
        }
    });
    address
}

async fn misbehave(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    let _ = stream.read_line(&mut first).await;
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|length| 2 < length) {
        line.clear();
    }
    let fault = first.split(' ').nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or("");
    let head = "HTTP/1.1 200 OK\r\ncontent-length: ";
    let mut say = async |text: &str| {
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.flush().await;
    };
    match fault {
        "aborts" => {}
        "silent" => sleep(Duration::from_secs(30)).await,
        "garbage" => say("220 mail.example ESMTP\r\n").await,
        "half" => say(&format!("{head}10\r\n\r\n12345")).await,
        "half-chunk" => {
            say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n").await;
        }
        "bad-chunk" => {
            say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n").await;
        }
        "half-stream" => {
            say(&format!("{head}200000\r\n\r\n{}", "x".repeat(100_000))).await;
            sleep(Duration::from_millis(50)).await;
        }
        "large-head" => {
            say(&format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(40_000))).await;
        }
        "many-fields" => {
            say(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: 1\r\n".repeat(129))).await;
        }
        "strange-status" => say("HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n").await,
        "two-lengths" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked";
            say(&format!("{head}\r\n\r\n3\r\nabc\r\n0\r\n\r\n")).await;
        }
        "switches" => say("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n").await,
        "trickles" => {
            say(&format!("{head}1000\r\n\r\n")).await;
            for _ in 0..200 {
                say("x").await;
                sleep(Duration::from_millis(20)).await;
            }
        }
        "trickles-chunks" => {
            say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            for _ in 0..200 {
                say("1\r\nx\r\n").await;
                sleep(Duration::from_millis(20)).await;
            }
        }
        other => say(&format!("{head}{}\r\n\r\n{other}", other.len())).await,
    }
}
