//! Small nodes for tests: a hub that takes links, and what dials it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Extensions;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_core::reason::{HopName, Problem};
use mesh_link::Spawn;
use mesh_link::dial::{Dialling, Uplink};
use mesh_link::exchange::{Event, Exchange, Incoming};
use mesh_link::hello::Me;
use mesh_link::lane::{Accept, Lane};
use mesh_link::peers::Peers;
use mesh_link::serve::{self, Admit};
use mesh_proto::frame::{Close, Hop, LaneKind, Open};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use crate::net::{Door, From, Road, Socket, Traveller};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// More than any queue of a test holds.
const QUEUE_MAX: usize = 8192;

pub(crate) fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

/// A node by its name in the mesh, such as `hub.health`.
pub(crate) fn node(name: &str) -> NodeName {
    mesh().parse_node(&format!("{name}.mesh.ir")).unwrap()
}

pub(crate) fn hop(name: &str) -> HopName {
    HopName::from(&node(name))
}

pub(crate) fn me(name: &str) -> Me {
    Me::new(mesh(), node(name), "test")
}

/// Spawns on the runtime of the test, and forgets.
pub(crate) fn spawn() -> Spawn {
    Spawn::new(|task| drop(tokio::spawn(task)))
}

/// Puts what arrives into a queue that the test reads.
#[derive(Debug)]
struct Queue(mpsc::Sender<Incoming>);

impl Accept for Queue {
    fn accept(&self, incoming: Incoming) {
        self.0.try_send(incoming).expect("the test reads, or sends less");
    }
}

pub(crate) type Arrivals = mpsc::Receiver<Incoming>;

/// A node that takes links.
pub(crate) struct Hub {
    pub(crate) door: Door,
    pub(crate) peers: Arc<Peers>,
    pub(crate) arrivals: Arrivals,
}

struct Program {
    queue: Queue,
    peers: Arc<Peers>,
}

impl Accept for Program {
    fn accept(&self, incoming: Incoming) {
        self.queue.accept(incoming);
    }
}

impl Admit for Program {
    fn admit(&self, connection: &Extensions) -> Result<NodeName, Problem> {
        let From(node) = connection.get().expect("every connection knows who dialled");
        Ok(node.clone())
    }

    fn joined(&self, lane: &Lane, _connection: &Extensions) {
        self.peers.add(lane.clone());
        let (peers, lane) = (Arc::clone(&self.peers), lane.clone());
        tokio::spawn(async move { peers.forget(&lane).await });
    }
}

/// Begins to serve as `me`.
pub(crate) fn hub(me: Me) -> Hub {
    hub_with(me, spawn())
}

pub(crate) fn hub_with(me: Me, spawn: Spawn) -> Hub {
    let (queue, arrivals) = mpsc::channel(QUEUE_MAX);
    let peers = Arc::new(Peers::default());
    let program = Program { queue: Queue(queue), peers: Arc::clone(&peers) };
    let links = serve::service(me, Arc::new(program), spawn);
    let (door, sockets) = mpsc::channel::<Socket>(64);
    let sockets = tokio_stream::StreamExt::map(ReceiverStream::new(sockets), std::io::Result::Ok);
    tokio::spawn(Server::builder().add_service(links).serve_with_incoming(sockets));
    Hub { door, peers, arrivals }
}

/// A node that dials.
pub(crate) struct Lower {
    pub(crate) uplink: Arc<Uplink>,
    pub(crate) road: Arc<Road>,
    pub(crate) arrivals: Arrivals,
}

/// Begins to dial `upper` as `me`.
pub(crate) fn lower(me: Me, upper: &str, door: &Door) -> Lower {
    lower_with(me, upper, door, spawn())
}

pub(crate) fn lower_with(me: Me, upper: &str, door: &Door, spawn: Spawn) -> Lower {
    let road = Road::new(me.node.clone(), door.clone());
    let (queue, arrivals) = mpsc::channel(QUEUE_MAX);
    let uplink = Uplink::start(Dialling {
        me,
        upper: node(upper),
        connect: Arc::new(Traveller(Arc::clone(&road))),
        accept: Arc::new(Queue(queue)),
        spawn,
        seed: 7,
    });
    Lower { uplink, road, arrivals }
}

impl Lower {
    /// Waits until both lanes are up.
    pub(crate) async fn up(&self) {
        let mut up = self.uplink.up();
        soon("the link comes up", up.wait_for(|up| *up)).await.unwrap();
    }

    pub(crate) fn lane(&self) -> Lane {
        self.uplink.lane(LaneKind::Quick).expect("the link is up")
    }
}

/// A hub and what dials it, both up.
pub(crate) async fn linked() -> (Hub, Lower) {
    linked_as(me("hub.health"), me("portal.tax.gov.health")).await
}

pub(crate) async fn linked_as(upper: Me, lower_me: Me) -> (Hub, Lower) {
    let name = upper.hop();
    let hub = hub(upper);
    let lower = lower(lower_me, name.as_str(), &hub.door);
    lower.up().await;
    (hub, lower)
}

impl Hub {
    /// The lane to a node below.
    pub(crate) async fn lane(&self, name: &str, kind: LaneKind) -> Lane {
        let found = || self.peers.lane(&node(name), kind).filter(|lane| lane.kind() == kind);
        eventually("the lane joins", || found().is_some()).await;
        found().unwrap()
    }
}

/// What `step` gives; fails the test if it takes absurdly long.
pub(crate) async fn soon<T>(what: &str, step: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(100), step).await.unwrap_or_else(|_| panic!("{what}: never"))
}

/// Waits until a condition holds that nothing tells of.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// An opening with time left, and nothing behind it when `whole`.
pub(crate) fn opening(body: impl Into<Bytes>, whole: bool) -> Open {
    opening_for(HOUR, body, whole)
}

pub(crate) fn opening_for(remaining: Duration, body: impl Into<Bytes>, whole: bool) -> Open {
    Open {
        header: Bytes::from_static(b"header"),
        head: Bytes::from_static(b"head"),
        body: body.into(),
        hop: Hop { remaining, hops: Vec::new() },
        close: whole.then(Close::default),
    }
}

/// The answer to what came with this opening, by the hops that it passed.
pub(crate) fn answer_to(request: &Open, body: impl Into<Bytes>, whole: bool) -> Open {
    let hop = Hop { remaining: HOUR, hops: request.hop.hops.clone() };
    Open { hop, ..opening(body, whole) }
}

/// Opens on `lane` for an hour.
pub(crate) fn open(lane: &Lane, body: impl Into<Bytes>, whole: bool) -> Exchange {
    lane.open("test".into(), opening(body, whole), Instant::now() + HOUR).unwrap()
}

pub(crate) async fn arrival(arrivals: &mut Arrivals) -> Incoming {
    soon("an exchange arrives", arrivals.recv()).await.expect("the node lives")
}

/// Reads an answer to its end.
pub(crate) async fn whole_answer(exchange: &Exchange) -> Result<Vec<u8>, Problem> {
    let Event::Open(open) = exchange.receive().await? else { panic!("no answer came first") };
    let mut body = open.body.to_vec();
    if open.close.is_none() {
        body.extend(rest(exchange).await?);
    }
    Ok(body)
}

/// Reads what follows an opening.
pub(crate) async fn rest(exchange: &Exchange) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    loop {
        match exchange.receive().await? {
            Event::Data(part) => body.extend_from_slice(&part),
            Event::Close(_) => return Ok(body),
            Event::Open(_) => panic!("an opening in the middle of a body"),
        }
    }
}

/// Answers everything that arrives with what it said.
pub(crate) fn echo(mut arrivals: Arrivals) {
    tokio::spawn(async move {
        while let Some(incoming) = arrivals.recv().await {
            tokio::spawn(async move {
                let Incoming { open, exchange, .. } = incoming;
                exchange.answer(answer_to(&open, open.body.clone(), open.close.is_some()))?;
                if open.close.is_none() {
                    let body = rest(&exchange).await?;
                    exchange.send(body.into()).await?;
                    exchange.close(Close::default())?;
                }
                Ok::<_, Problem>(())
            });
        }
    });
}

/// A body that repeats nowhere.
pub(crate) fn body(length: usize, seed: u64) -> Bytes {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
