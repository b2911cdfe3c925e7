//! The accept loop under tonic: who calls is known, and no client holds up another.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use mesh_rt::tls::{
    Acceptor, CONNECTIONS_MAX, HandshakeError, PeerIdentity, TcpDialer, explain, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::nation::Nation;

/// Serves gRPC health on `acceptor`, and answers with the caller's name in the metadata.
async fn serve_health(acceptor: Acceptor) -> (std::net::SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let incoming = serve(listener, acceptor, CONNECTIONS_MAX, async {
        let _ = stopped.await;
    });
    let (_, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, |request: Request<()>| {
        match request.extensions().get::<PeerIdentity>() {
            Some(peer) => Err(Status::already_exists(peer.node.to_string())),
            None => Err(Status::internal("the caller is not known")),
        }
    });
    tokio::spawn(async move {
        let incoming = std::pin::pin!(incoming);
        Server::builder().add_service(health).serve_with_incoming(incoming).await.unwrap();
    });
    (addr, stop)
}

async fn call(dialer: TcpDialer) -> Status {
    let channel =
        Endpoint::from_static("http://hub.centre.mesh.ir").connect_with_connector_lazy(dialer);
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(channel).check(request).await.expect_err("the interceptor always refuses")
}

#[tokio::test]
async fn a_service_knows_who_calls() {
    let nation = Nation::new();
    let acceptor = nation.listener("hub.centre");
    let (addr, _stop) = serve_health(acceptor.clone()).await;
    for name in ["hub.health", "hub.economy", "persons.registry.gov.edge"] {
        let dialer = TcpDialer::new(addr, nation.dialler(name, "hub.centre"));
        assert_eq!(dialer.last_peer(), None);
        let status = call(dialer.clone()).await;
        assert_eq!((status.code(), status.message()), (Code::AlreadyExists, name));
        assert_eq!(dialer.last_peer().unwrap().node, nation.node("hub.centre"));
    }
    assert_eq!((acceptor.handshakes_ok(), acceptor.handshakes_failed()), (3, 0));
}

#[tokio::test]
async fn a_refused_caller_learns_why_from_the_error_of_its_call() {
    let nation = Nation::new();
    let (addr, _stop) = serve_health(nation.listener("hub.centre")).await;
    let connector = nation.dialler("sara.operators", "hub.centre");
    let status = call(TcpDialer::new(addr, connector)).await;
    let reason = explain(&status).unwrap_or_else(|| panic!("no TLS error in {status:?}"));
    assert!(reason.contains("our node may not dial there"), "{reason}");

    // What we refuse ourselves is told in the same way.
    let connector = nation.dialler("desk.licensing.gov.health", "hub.health");
    let status = call(TcpDialer::new(addr, connector)).await;
    let reason = explain(&status).unwrap_or_else(|| panic!("no TLS error in {status:?}"));
    assert!(reason.contains("not in our trust file"), "{reason}");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    let nation = Nation::new();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dialer = TcpDialer::new(free, nation.dialler("hub.health", "hub.centre"));
    let error = dialer.dial().await.unwrap_err();
    assert!(matches!(error, HandshakeError::Dial { .. }), "{error:?}");
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}

/// Polls `incoming` in the background, as a server would, and hands its links over.
fn drive<S, L>(incoming: S) -> mpsc::Receiver<L>
where
    S: Stream<Item = std::io::Result<L>> + Send + 'static,
    L: Send + 'static,
{
    let (links, received) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut incoming = std::pin::pin!(incoming);
        while let Some(link) = incoming.next().await {
            let _ = links.send(link.unwrap()).await;
        }
    });
    received
}

#[tokio::test]
async fn silent_clients_hold_up_nobody() {
    let nation = Nation::new();
    let acceptor = nation.listener("hub.centre").with_handshake_max(Duration::from_secs(2));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut links = drive(serve(listener, acceptor.clone(), 400, std::future::pending()));
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    let dialer = TcpDialer::new(addr, nation.dialler("hub.health", "hub.centre"));
    dialer.dial().await.unwrap();
    let link = timeout(Duration::from_millis(1500), links.recv()).await.unwrap().unwrap();
    assert_eq!(link.peer().node, nation.node("hub.health"));

    // Each of them is cut in its time.
    for mut socket in silent {
        assert_eq!(socket.read(&mut [0]).await.unwrap_or(0), 0);
    }
    assert_eq!((acceptor.handshakes_ok(), acceptor.handshakes_failed()), (1, 300));
}

#[tokio::test]
async fn connections_are_limited_and_places_come_back() {
    let nation = Nation::new();
    let acceptor = nation.listener("hub.centre");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut links = drive(serve(listener, acceptor.clone(), 1, std::future::pending()));
    let dialer = TcpDialer::new(addr, nation.dialler("hub.health", "hub.centre"));
    let _first = dialer.dial().await.unwrap();
    let first = links.recv().await.unwrap();
    dialer.dial().await.expect_err("there is one place");
    assert_eq!(acceptor.handshakes_failed(), 1);

    drop(first);
    dialer.dial().await.expect("the place came back");
    links.recv().await.unwrap();
}

#[tokio::test]
async fn stopping_ends_the_stream_and_what_is_under_way() {
    let nation = Nation::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let acceptor = nation.listener("hub.centre");
    let incoming = serve(listener, acceptor, CONNECTIONS_MAX, async {
        let _ = stopped.await;
    });
    let mut links = drive(incoming);
    let dialer = TcpDialer::new(addr, nation.dialler("hub.health", "hub.centre"));
    let mut link = dialer.dial().await.unwrap();
    let mut accepted = links.recv().await.unwrap();
    let mut half_way = TcpStream::connect(addr).await.unwrap();

    stop.send(()).unwrap();
    assert!(links.recv().await.is_none());
    TcpStream::connect(addr).await.expect_err("nobody listens any more");
    assert_eq!(half_way.read(&mut [0]).await.unwrap_or(0), 0);
    // A link that was handed over is its owner's, and goes on.
    accepted.write_all(b"x").await.unwrap();
    accepted.flush().await.unwrap();
    link.read_exact(&mut [0]).await.unwrap();
}
