//! The service of every kind of register, seen at the civil one: its bounds, refusals and end.

use std::sync::Arc;
use std::time::Duration;

use crate::running::{PERSONS, Running, people};
use http::Method;
use sample_registry::{Drained, Kind};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::test]
async fn refuses_bad_claims() {
    let server = Running::start(Kind::Civil).await;
    let bodies: [&[u8]; 6] = [
        b"",
        b"{",
        b"[]",
        b"{\"national_id\": \"0012345679\"}",
        b"{\"national_id\": 12345679, \"first_name\": \"a\", \"last_name\": \"b\"}",
        b"\xff",
    ];
    for body in bodies {
        let reply = server.ask(Method::POST, "/persons/match", body).await;
        assert!(reply.problem(400).contains("JSON object"));
        assert!(!reply.body.to_string().contains("12345679"));
    }
}

#[tokio::test]
async fn refuses_bodies_over_64_kib() {
    let server = Running::start(Kind::Civil).await;
    let padded = |bytes: usize| {
        let claim = r#"{"national_id": "0012345679", "first_name": "a", "last_name": "b"}"#;
        claim.to_owned() + &" ".repeat(bytes - claim.len())
    };
    let reply = server.ask(Method::POST, "/persons/match", padded(64 * 1024)).await;
    reply.answer(200);
    for bytes in [64 * 1024 + 1, 900 * 1024, 4 * 1024 * 1024] {
        // The largest is refused by its announced length, so the answer can outrun the body and
        // a raw connection has to read it.
        let mut stream = server.connect().await;
        let (mut reading, mut writing) = stream.split();
        let head =
            format!("POST /persons/match HTTP/1.1\r\nhost: a\r\ncontent-length: {bytes}\r\n");
        writing.write_all(head.as_bytes()).await.unwrap();
        writing.write_all(b"\r\n").await.unwrap();
        if bytes < 1024 * 1024 {
            writing.write_all(padded(bytes).as_bytes()).await.unwrap();
        }
        let mut text = String::new();
        reading.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 413 "), "{bytes}: {text}");
        assert!(text.contains("connection: close"), "{bytes}: {text}");
        assert!(text.contains("application/problem+json"), "{bytes}: {text}");
    }
}

#[tokio::test]
async fn refuses_wrong_methods_and_paths() {
    let server = Running::start(Kind::Civil).await;
    #[rustfmt::skip]
    let cases = [
        (Method::POST,   "/persons/0012345679",     405, Some("GET")),
        (Method::DELETE, "/persons/0012345679/kin", 405, Some("GET")),
        (Method::PUT,    "/health",                 405, Some("GET")),
        (Method::GET,    "/persons/match",          405, Some("POST")),
        (Method::GET,    "/",                       404, None),
        (Method::GET,    "/persons/",               404, None),
        (Method::POST,   "/person/match",           404, None),
    ];
    for (method, path, status, allow) in cases {
        let reply = server.ask(method, path, "").await;
        assert!(!reply.problem(status).is_empty());
        let found = reply.headers.get("allow").map(|value| value.to_str().unwrap());
        assert_eq!(found, allow, "{path}");
    }
}

#[tokio::test]
async fn tells_its_health() {
    let server = Running::start(Kind::Civil).await;
    assert_eq!(*server.look("/health").await.answer(200), json!({"status": "ok"}));
}

#[tokio::test]
async fn what_is_not_http_gets_400_and_harms_nobody() {
    let server = Running::start(Kind::Civil).await;
    for bytes in [b"\x16\x03\x01\x02\x00\x01\x00\x01".as_slice(), b"hello\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // The connection may close by a reset, as the server does not read the rest.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "));
    }
    server.look("/health").await.answer(200);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = Running::start(Kind::Civil).await;
    let mut stream = server.connect().await;
    let request = "GET /health HTTP/1.1\r\nhost: a\r\n\r\n";
    let last = "GET /persons/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all([request, request, last].concat().as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(text.matches("HTTP/1.1 400 Bad Request").count(), 1);
}

#[tokio::test]
async fn many_callers_at_once_each_get_their_own_person() {
    let server = Arc::new(Running::start(Kind::Civil).await);
    let mut callers = JoinSet::new();
    for person in people() {
        let server = Arc::clone(&server);
        callers.spawn(async move {
            let id = person.national_id.as_str();
            let reply = server.look(&format!("/persons/{id}")).await;
            assert_eq!(reply.answer(200)["national_id"], id);
        });
    }
    assert_eq!(callers.join_all().await.len(), PERSONS as usize);
}

#[tokio::test]
async fn a_stop_waits_for_the_request_in_flight() {
    let server = Running::start(Kind::Civil).await;
    let mut busy = server.connect().await;
    let body = r#"{"national_id": "0012345679", "first_name": "a", "last_name": "b"}"#;
    let head = format!(
        "POST /persons/match HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    // The interim answer proves that the request is in flight.
    let mut interim = [0; 25];
    busy.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut idle = server.connect().await;
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    idle.read_exact(&mut [0; 17]).await.unwrap();

    server.stop.send(()).unwrap();
    // The idle connection closes, which shows that draining began, before the busy one goes on.
    idle.read_to_end(&mut Vec::new()).await.unwrap();
    busy.write_all(body.as_bytes()).await.unwrap();
    let mut text = String::new();
    busy.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(text.ends_with(r#"{"match":false}"#), "{text}");
    assert_eq!(server.done.await.unwrap(), Drained::Finished);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_stop_breaks_off_what_outlives_the_grace() {
    let server = Running::start_with_grace(Kind::Civil, Duration::from_millis(100)).await;
    let mut stuck = server.connect().await;
    let head = "POST /persons/match HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
                content-length: 9\r\n\r\n";
    stuck.write_all(head.as_bytes()).await.unwrap();
    stuck.read_exact(&mut [0; 25]).await.unwrap();
    server.stop.send(()).unwrap();
    assert_eq!(server.done.await.unwrap(), Drained::BrokeOff { connections: 1 });
}
