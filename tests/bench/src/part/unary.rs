//! The contender that forwards each exchange as a gRPC call of its own, as most meshes do.
//!
//! It has the TLS, the HTTP/2 windows and the payload of the link, and its forwarder decodes no
//! body either: what differs is that every exchange is a stream of HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use mesh_rt::server::{mesh_endpoint, mesh_server};
use mesh_rt::tls::TcpDialer;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::payload::{Payload, is_whole};
use super::{Failure, listen};
use crate::load::Ask;
use crate::pki::{self, Who};
use crate::wire::Parts;
use crate::wire::forward_service_client::ForwardServiceClient;
use crate::wire::forward_service_server::{ForwardService, ForwardServiceServer};

/// Calls that may be under way on one connection: no caller ever waits for another.
const STREAMS_MAX: u32 = 4096;

/// Answers; completes with the address when it listens.
pub(super) async fn answer(pki: &Path) -> Result<SocketAddr, Failure> {
    serve(pki, Who::Centre, Answerer { answer: parts(Payload::answer()) }).await
}

/// Forwards to `upper`; completes with the address when it listens.
pub(super) async fn forward(
    pki: &Path,
    upper: SocketAddr,
    connections: usize,
) -> Result<SocketAddr, Failure> {
    let dialer = TcpDialer::new(upper, pki::connector(pki, Who::Hub, Who::Centre)?);
    let pool = Pool::connect(&dialer, Who::Centre, connections).await?;
    serve(pki, Who::Hub, Forwarder { pool }).await
}

/// Calls the forwarder at `upper`.
pub(super) async fn caller(
    pki: &Path,
    upper: SocketAddr,
    connections: usize,
) -> Result<impl Ask, Failure> {
    let dialer = TcpDialer::new(upper, pki::connector(pki, Who::Caller, Who::Hub)?);
    let pool = Pool::connect(&dialer, Who::Hub, connections).await?;
    Ok(Caller { pool, question: parts(Payload::question()) })
}

async fn serve(pki: &Path, me: Who, service: impl ForwardService) -> Result<SocketAddr, Failure> {
    let (address, incoming) = listen(pki, me).await?;
    let server = mesh_server()
        // A link needs few streams; here each exchange is one.
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(ForwardServiceServer::new(service));
    tokio::spawn(async move {
        if let Err(error) = server.serve_with_incoming(incoming).await {
            eprintln!("bench: the unary server failed: {error}");
        }
    });
    Ok(address)
}

/// Connections to one peer, used in turn.
struct Pool {
    clients: Vec<ForwardServiceClient<Channel>>,
    turn: AtomicUsize,
}

impl Pool {
    async fn connect(dialer: &TcpDialer, peer: Who, connections: usize) -> Result<Self, Failure> {
        let mut clients = Vec::new();
        for _ in 0..connections {
            let endpoint = mesh_endpoint(pki::uri(peer));
            let channel = endpoint.connect_with_connector(dialer.clone()).await?;
            clients.push(ForwardServiceClient::new(channel));
        }
        Ok(Self { clients, turn: AtomicUsize::new(0) })
    }

    async fn exchange(&self, parts: Parts) -> Result<Parts, Status> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut client = self.clients[turn % self.clients.len()].clone();
        client.exchange(parts).await.map(Response::into_inner)
    }
}

struct Caller {
    pool: Pool,
    question: Parts,
}

impl Ask for Caller {
    async fn ask(&self) -> Result<(), Failure> {
        let answer = self.pool.exchange(self.question.clone()).await?;
        if is_whole(&answer.body) { Ok(()) } else { Err("the answer is not whole".into()) }
    }
}

struct Forwarder {
    pool: Pool,
}

#[tonic::async_trait]
impl ForwardService for Forwarder {
    async fn exchange(&self, request: Request<Parts>) -> Result<Response<Parts>, Status> {
        self.pool.exchange(request.into_inner()).await.map(Response::new)
    }
}

struct Answerer {
    answer: Parts,
}

#[tonic::async_trait]
impl ForwardService for Answerer {
    async fn exchange(&self, _request: Request<Parts>) -> Result<Response<Parts>, Status> {
        Ok(Response::new(self.answer.clone()))
    }
}

fn parts(Payload { header, head, body }: Payload) -> Parts {
    Parts { header, head, body }
}
