//! The contender that is built here: one hop of a link, with the lanes, the relay and the TLS of a
//! hub, and an agent on both sides that dials it.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use mesh_core::limits::DEADLINE_DEFAULT;
use mesh_core::node::NodeName;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_link::dial::{Connect, Dialling, Uplink};
use mesh_link::exchange::{Event, Incoming};
use mesh_link::hello::Me;
use mesh_link::lane::{Accept, Lane};
use mesh_link::peers::Peers;
use mesh_link::relay::{Flows, relay};
use mesh_link::{Flow, Spawn, serve};
use mesh_proto::frame::{Close, Hop, HopTime, LaneKind, Open};
use mesh_rt::exit::sentence;
use mesh_rt::server::{mesh_endpoint, mesh_server};
use mesh_rt::tls::{PeerIdentity, TcpDialer, explain};
use tokio::time::Instant;
use tonic::transport::Channel;

use super::payload::{Payload, is_whole};
use super::{Failure, listen};
use crate::load::Ask;
use crate::pki::{self, Who};

/// Relays what the caller asks to the provider; completes with the address when it listens.
pub(super) async fn forward(pki: &Path) -> Result<SocketAddr, Failure> {
    let (address, incoming) = listen(pki, Who::Hub).await?;
    let me = me(Who::Hub);
    let door = Door {
        hop: me.hop(),
        provider: Who::Provider.node(),
        flows: Flows { request: flow(), answer: flow() },
        peers: Arc::default(),
    };
    let links = serve::service(me, Arc::new(door), spawn());
    tokio::spawn(async move {
        if let Err(error) = mesh_server().add_service(links).serve_with_incoming(incoming).await {
            eprintln!("bench: the hub failed: {error}");
        }
    });
    Ok(address)
}

/// Answers what comes down the link from `upper`; completes when the link is up.
pub(super) async fn answer(pki: &Path, upper: SocketAddr) -> Result<Arc<Uplink>, Failure> {
    let answerer = Answerer { answer: Payload::answer(), me: me(Who::Provider).hop() };
    let uplink = dial(pki, Who::Provider, upper, answerer)?;
    uplink.up().wait_for(|up| *up).await?;
    Ok(uplink)
}

/// Asks through the link to `upper`.
pub(super) fn caller(pki: &Path, upper: SocketAddr) -> Result<impl Ask, Failure> {
    let uplink = dial(pki, Who::Caller, upper, AcceptNone)?;
    let me = me(Who::Caller).hop();
    Ok(Caller { uplink, me, flow: flow(), question: Payload::question() })
}

fn dial(
    pki: &Path,
    who: Who,
    upper: SocketAddr,
    accept: impl Accept,
) -> Result<Arc<Uplink>, Failure> {
    let dialer = TcpDialer::new(upper, pki::connector(pki, who, Who::Hub)?);
    Ok(Uplink::start(Dialling {
        me: me(who),
        upper: Who::Hub.node(),
        connect: Arc::new(Dial { dialer }),
        accept: Arc::new(accept),
        spawn: spawn(),
        seed: u64::from(std::process::id()),
    }))
}

fn me(who: Who) -> Me {
    Me::new(pki::mesh(), who.node(), "bench")
}

fn spawn() -> Spawn {
    Spawn::new(|task| {
        // The process ends with the benchmark, and its tasks with it.
        tokio::spawn(task);
    })
}

fn flow() -> Flow {
    "economy".into()
}

struct Dial {
    dialer: TcpDialer,
}

#[tonic::async_trait]
impl Connect for Dial {
    async fn connect(&self) -> Result<Channel, Failure> {
        let endpoint = mesh_endpoint(pki::uri(Who::Hub));
        Ok(endpoint.connect_with_connector(self.dialer.clone()).await?)
    }

    fn explain(&self, error: &(dyn Error + 'static)) -> String {
        explain(error).unwrap_or_else(|| sentence(error))
    }
}

/// The consumer's agent.
struct Caller {
    uplink: Arc<Uplink>,
    me: HopName,
    flow: Flow,
    question: Payload,
}

impl Ask for Caller {
    async fn ask(&self) -> Result<(), Failure> {
        let lane = self.uplink.lane(LaneKind::Quick).ok_or("the link is not up")?;
        let hops = vec![HopTime { hop: self.me.clone(), elapsed: Duration::ZERO }];
        let hop = Hop { remaining: DEADLINE_DEFAULT, hops };
        let open = open(self.question.clone(), hop);
        let exchange = lane.open(self.flow.clone(), open, Instant::now() + DEADLINE_DEFAULT)?;
        match exchange.receive().await? {
            Event::Open(open) if open.close.is_some() && is_whole(&open.body) => Ok(()),
            other => Err(format!("the answer is not whole: {other:?}").into()),
        }
    }
}

/// The consumer's agent takes nothing.
struct AcceptNone;

impl Accept for AcceptNone {
    fn accept(&self, _incoming: Incoming) {}
}

/// The hub: who dials, and where exchanges go.
struct Door {
    hop: HopName,
    provider: NodeName,
    flows: Flows,
    peers: Arc<Peers>,
}

impl Accept for Door {
    fn accept(&self, incoming: Incoming) {
        let Some(lane) = self.peers.lane(&self.provider, incoming.lane.kind()) else {
            let detail = "the provider has no link";
            let problem = Problem::new(Reason::ProviderUnreachable, self.hop.clone(), detail);
            return incoming.exchange.cancel(problem);
        };
        let (hop, flows) = (self.hop.clone(), self.flows.clone());
        tokio::spawn(async move { relay(incoming, &lane, &hop, flows, &|_| Ok(())).await });
    }
}

impl serve::Admit for Door {
    fn admit(&self, connection: &Extensions) -> Result<NodeName, Problem> {
        let peer = connection.get::<PeerIdentity>().ok_or_else(|| {
            Problem::new(Reason::Internal, self.hop.clone(), "the connection has no certificate")
        })?;
        Ok(peer.node.clone())
    }

    fn joined(&self, lane: &Lane, _connection: &Extensions) {
        self.peers.add(lane.clone());
        let (peers, lane) = (Arc::clone(&self.peers), lane.clone());
        tokio::spawn(async move { peers.forget(&lane).await });
    }
}

/// The provider's agent. Its backend would take time, so it has a task for each exchange.
struct Answerer {
    answer: Payload,
    me: HopName,
}

impl Accept for Answerer {
    fn accept(&self, incoming: Incoming) {
        let (answer, me) = (self.answer.clone(), self.me.clone());
        tokio::spawn(async move {
            let mut hop = incoming.open.hop;
            hop.hops.push(HopTime { hop: me, elapsed: Duration::ZERO });
            let answered = incoming.exchange.answer(open(answer, hop));
            if let Err(problem) = answered {
                eprintln!("bench: the provider cannot answer: {problem}");
            }
        });
    }
}

/// A message with its whole body.
fn open(Payload { header, head, body }: Payload, hop: Hop) -> Open {
    Open { header, head, body, hop, close: Some(Close::default()) }
}
