//! The register as its callers meet it: a real server on port 0, asked over real TCP connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sample_registry::{Bound, Config, Drained, Nation, Person};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

const SEED: u64 = 42;
const PERSONS: u32 = 300;

/// A server that runs until the test stops or drops it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Drained>,
    _folder: TempDir,
}

struct Reply {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

impl Running {
    async fn start() -> Self {
        Self::start_with_grace(Duration::from_secs(5)).await
    }

    async fn start_with_grace(grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let database = folder.path().join("register.db");
        let config = Config { listen, database, seed: SEED, persons: PERSONS };
        let bound = Bound::build(config).await.unwrap();
        let address = bound.address();
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(bound.run(async { drop(stopped.await) }, grace));
        Self { address, stop, done, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .body(Full::new(body.into()))
            .unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let length = head.headers["content-length"].to_str().unwrap();
        assert_eq!(length, bytes.len().to_string());
        let body = serde_json::from_slice(&bytes).unwrap();
        Reply { status: head.status, headers: head.headers, body }
    }

    async fn look(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, "").await
    }

    async fn claim(&self, claim: &Value) -> Reply {
        self.ask(Method::POST, "/persons/match", claim.to_string()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Reply {
    /// Asserts that this is a problem of `status`, and answers its sentence.
    fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        self.body["detail"].as_str().unwrap()
    }

    fn answer(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        &self.body
    }
}

fn people() -> Vec<Person> {
    Nation::new(SEED).take(PERSONS as usize).collect()
}

fn relative(person: &Person) -> Value {
    json!({
        "national_id": person.national_id.as_str(),
        "first_name": person.first_name,
        "last_name": person.last_name,
    })
}

/// The same digits as someone with a Persian keyboard writes them, percent-encoded.
fn persian(digits: &str) -> String {
    digits.bytes().map(|byte| format!("%DB%B{}", byte - b'0')).collect()
}

fn arabic(digits: &str) -> String {
    digits.bytes().map(|byte| format!("%D9%A{}", byte - b'0')).collect()
}

#[tokio::test]
async fn answers_about_a_person() {
    let server = Running::start().await;
    for person in people().iter().step_by(37) {
        let want = json!({
            "national_id": person.national_id.as_str(),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "birth_date": person.birth_date,
            "alive": person.alive,
        });
        let id = person.national_id.as_str();
        for id in [id, &persian(id), &arabic(id)] {
            assert_eq!(*server.look(&format!("/persons/{id}")).await.answer(200), want);
        }
    }
}

#[tokio::test]
async fn answers_about_kin() {
    let server = Running::start().await;
    let people = people();
    for person in people.iter().take(20) {
        let father = people.iter().find(|other| Some(&other.national_id) == person.father.as_ref());
        let mut children: Vec<&Person> = people
            .iter()
            .filter(|other| other.father.as_ref() == Some(&person.national_id))
            .collect();
        children.sort_by_key(|child| (&child.birth_date, &child.national_id));
        let want = json!({
            "father": father.map(relative),
            "children": children.into_iter().map(relative).collect::<Vec<_>>(),
        });
        let path = format!("/persons/{}/kin", person.national_id.as_str());
        assert_eq!(*server.look(&path).await.answer(200), want);
    }
    let first = people[0].national_id.as_str();
    let reply = server.look(&format!("/persons/{first}/kin")).await;
    assert!(!reply.body["children"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn matches_claims() {
    let server = Running::start().await;
    let people = people();
    let person = people.iter().find(|person| person.first_name.contains('ی')).unwrap();
    let (id, first, last) = (person.national_id.as_str(), person.first_name, person.last_name);
    let arabic_letters = format!(" {} ", first.replace('ی', "ي"));
    #[rustfmt::skip]
    let cases = [
        // Why                     National ID   First name       Last name  Want
        ("the register's words",   id,           first,           last,      true),
        ("Arabic letters",         id,           &arabic_letters, last,      true),
        ("another first name",     id,           "ناشناس",        last,      false),
        ("another last name",      id,           first,           "ناشناس",  false),
        ("names exchanged",        id,           last,            first,     false),
        ("no names",               id,           "",              "",        false),
        ("an unknown person",      "0012345679", first,           last,      false),
    ];
    for (why, national_id, first_name, last_name, want) in cases {
        let claim = json!({
            "national_id": national_id, "first_name": first_name, "last_name": last_name,
        });
        assert_eq!(*server.claim(&claim).await.answer(200), json!({"match": want}), "{why}");
    }
}

#[tokio::test]
async fn a_person_whom_it_does_not_know_is_not_found() {
    let server = Running::start().await;
    for path in ["/persons/0012345679", "/persons/0012345679/kin"] {
        assert_eq!(*server.look(path).await.answer(404), json!({"found": false}));
    }
}

#[tokio::test]
async fn refuses_bad_identifiers_without_repeating_them() {
    let server = Running::start().await;
    #[rustfmt::skip]
    let cases = [
        "0012345678", "001234567", "1111111111", "00123x5679", "%FF", "%00", "x%27%20OR%201=1",
    ];
    for id in cases {
        for path in [format!("/persons/{id}"), format!("/persons/{id}/kin")] {
            let reply = server.look(&path).await;
            assert!(!reply.problem(400).is_empty());
            assert!(!reply.body.to_string().contains(id), "{path}");
        }
    }
    let claim = json!({"national_id": "0012345678", "first_name": "a", "last_name": "b"});
    let reply = server.claim(&claim).await;
    assert!(!reply.problem(400).contains("0012345678"));
}

#[tokio::test]
async fn refuses_bad_claims() {
    let server = Running::start().await;
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
    let server = Running::start().await;
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
    let server = Running::start().await;
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
    let server = Running::start().await;
    assert_eq!(*server.look("/health").await.answer(200), json!({"status": "ok"}));
}

#[tokio::test]
async fn what_is_not_http_gets_400_and_harms_nobody() {
    let server = Running::start().await;
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
    let server = Running::start().await;
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
    let server = Arc::new(Running::start().await);
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
    let server = Running::start().await;
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
    let server = Running::start_with_grace(Duration::from_millis(100)).await;
    let mut stuck = server.connect().await;
    let head = "POST /persons/match HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
                content-length: 9\r\n\r\n";
    stuck.write_all(head.as_bytes()).await.unwrap();
    stuck.read_exact(&mut [0; 25]).await.unwrap();
    server.stop.send(()).unwrap();
    assert_eq!(server.done.await.unwrap(), Drained::BrokeOff { connections: 1 });
}
