//! A register as its callers meet it: a real server on port 0, asked over real TCP connections.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sample_registry::{Bound, Company, Config, Drained, Kind, Nation, Person, companies};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const SEED: u64 = 42;
pub(crate) const PERSONS: u32 = 300;

/// A well-formed national ID, legal ID and a postal code that are nobody's.
pub(crate) const NO_PERSON: &str = "0012345679";
pub(crate) const NO_COMPANY: &str = "10380284790";
pub(crate) const NO_ADDRESS: &str = "1111111111";

/// A server that runs until the test stops or drops it.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) done: JoinHandle<Drained>,
    config: Config,
    folder: TempDir,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Running {
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::start_nation(kind, SEED, PERSONS).await
    }

    pub(crate) async fn start_nation(kind: Kind, seed: u64, persons: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(kind, &folder, seed, persons);
        Self::run(config, folder, Duration::from_secs(5)).await
    }

    pub(crate) async fn start_with_grace(kind: Kind, grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(kind, &folder, SEED, PERSONS);
        Self::run(config, folder, grace).await
    }

    async fn run(config: Config, folder: TempDir, grace: Duration) -> Self {
        let bound = Bound::build(config.clone()).await.unwrap();
        let address = bound.address();
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(bound.run(async { drop(stopped.await) }, grace));
        Self { address, stop, done, config, folder }
    }

    /// Ends in order, and starts again with the same file.
    pub(crate) async fn restart(self) -> Self {
        self.stop.send(()).unwrap();
        assert_eq!(self.done.await.unwrap(), Drained::Finished);
        Self::run(self.config, self.folder, Duration::from_secs(5)).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        self.ask_with(method, path, &[], body).await
    }

    pub(crate) async fn ask_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let length = head.headers["content-length"].to_str().unwrap();
        assert_eq!(length, bytes.len().to_string());
        let body = serde_json::from_slice(&bytes).unwrap();
        Reply { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn look(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, "").await
    }

    /// Sends `value` as JSON.
    pub(crate) async fn post(&self, path: &str, value: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        self.ask_with(Method::POST, path, &headers, value.to_string()).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Reply {
    /// Asserts that this is a problem of `status` in both languages, and answers its sentence.
    pub(crate) fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        let is_persian = |text: &Value| {
            text.as_str().unwrap().chars().any(|found| ('\u{600}'..='\u{6ff}').contains(&found))
        };
        assert!(is_persian(&self.body["title_fa"]) && is_persian(&self.body["detail_fa"]));
        self.body["detail"].as_str().unwrap()
    }

    pub(crate) fn answer(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        &self.body
    }
}

fn config(kind: Kind, folder: &TempDir, seed: u64, persons: u32) -> Config {
    let database = folder.path().join("register.db");
    Config { listen: "127.0.0.1:0".parse().unwrap(), database, kind, seed, persons }
}

/// The kind called `name`, published by `health` if it has a publisher.
pub(crate) fn kind(name: &str) -> Kind {
    let publisher = (name == "cards").then(|| "health".parse().unwrap());
    Kind::new(name, publisher).unwrap()
}

pub(crate) fn people() -> Vec<Person> {
    Nation::new(SEED).take(PERSONS as usize).collect()
}

pub(crate) fn firms() -> Vec<Company> {
    companies(SEED, &people())
}

/// The same digits as someone with a Persian keyboard writes them, percent-encoded.
pub(crate) fn persian(digits: &str) -> String {
    digits.bytes().map(|byte| format!("%DB%B{}", byte - b'0')).collect()
}

pub(crate) fn arabic(digits: &str) -> String {
    digits.bytes().map(|byte| format!("%D9%A{}", byte - b'0')).collect()
}
