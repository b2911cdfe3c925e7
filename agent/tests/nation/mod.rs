//! A nation in one process: a consumer's agent, a hub and a provider's agent, on plain TCP.
//! The links are the real ones; who is there, their ports say instead of certificates.

// Each test program uses a part of this.
#![allow(dead_code, unreachable_pub)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::{Agent, Backend, Backends, Consumer, Local, Provider};
use http::Extensions;
use mesh_core::agreement::state::SIGNERS;
use mesh_core::agreement::terms::{Draft, Quota, Terms};
use mesh_core::agreement::{Act, Agreement, AgreementId, Deed};
use mesh_core::directory::{Agency, Cluster, Directory, Objects, Service, System};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::{Home, MeshDomain, NodeName};
use mesh_core::operation::{Operation, OperationKind};
use mesh_core::reason::{HopName, Problem};
use mesh_link::Spawn;
use mesh_link::dial::{Connect, Dialling, Uplink};
use mesh_link::exchange::Incoming;
use mesh_link::hello::Me;
use mesh_link::lane::{Accept, Lane};
use mesh_link::peers::Peers;
use mesh_link::relay::{Flows, relay};
use mesh_link::serve::{Admit, service};
use mesh_node::{LiveDirectory, Standing};
use mesh_proto::directory::write_terms;
use mesh_proto::header::read_request;
use mesh_rt::clock::SystemClock;
use mesh_rt::drain::Drain;
use mesh_rt::metrics::Counters;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

pub mod backend;
pub mod client;

pub const CONSUMER: &str = "ir/gov/licensing/desk";
pub const PROVIDER: &str = "ir/gov/registry/persons";
/// A backend that is sound.
pub const IDENTITY: &str = "ir/gov/registry/persons/identity.v1";
/// A backend that does what its path says, all of it wrong.
pub const FAULTY: &str = "ir/gov/registry/persons/faulty.v1";
/// Its backend's port is closed.
pub const CLOSED: &str = "ir/gov/registry/persons/closed.v1";
/// The agent has no backend for it.
pub const ABSENT: &str = "ir/gov/registry/persons/absent.v1";

/// What a hub does with an exchange from below.
pub type Answer = fn(&Incoming);

pub struct Nation {
    /// Where the consumer's applications ask.
    pub local: SocketAddr,
    pub consumer: Counters,
    pub provider: Counters,
    /// The neighbours of the hub.
    pub peers: Arc<Peers>,
    /// Drains the consumer's agent.
    pub drain: Drain,
    pub directory: Arc<Directory>,
}

impl Nation {
    /// Everything up, and both backends there.
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// A nation whose hub answers by itself.
    pub async fn with_rogue_hub(answer: Answer) -> Self {
        Self::with(Some(answer)).await
    }

    async fn with(answer: Option<Answer>) -> Self {
        let directory = Arc::new(directory());
        let peers = Arc::new(Peers::default());
        let hub = Hub { peers: Arc::clone(&peers), directory: Arc::clone(&directory), answer };

        let url = |service: &str, to: SocketAddr| backend_at(service, &format!("http://{to}/base"));
        let mut quick = url(FAULTY, backend::faulty().await);
        quick.timeout_ms = Some(400);
        let backends = Backends::new([
            url(IDENTITY, backend::sound().await),
            quick,
            url(CLOSED, closed_port().await),
        ]);
        let (below, _) = agent(PROVIDER, &directory, &Drain::default());
        let provider = below.counters.clone();
        let uplink = dial(&hub, PROVIDER, Provider::new(below, backends)).await;
        up(&uplink).await;
        // The link stays up for as long as the process lives.
        Box::leak(Box::new(uplink));

        let drain = Drain::default();
        let (asks, upper) = agent(CONSUMER, &directory, &drain);
        let consumer = asks.counters.clone();
        let nobody = Provider::new(asks.clone(), Backends::new([]));
        let uplink = dial(&hub, CONSUMER, nobody).await;
        up(&uplink).await;
        let local = serve(asks, uplink, upper, &drain).await;
        Self { local, consumer, provider, peers, drain, directory }
    }

    /// An agent whose hub is not there.
    pub async fn without_hub() -> SocketAddr {
        let directory = Arc::new(directory());
        let drain = Drain::default();
        let (asks, upper) = agent(CONSUMER, &directory, &drain);
        let nobody = Provider::new(asks.clone(), Backends::new([]));
        let uplink = start(CONSUMER, nobody, closed_port().await);
        serve(asks, uplink, upper, &drain).await
    }

    /// The hub's lane to the provider's agent.
    pub fn lane_down(&self) -> Lane {
        let kind = mesh_proto::frame::LaneKind::Quick;
        self.peers.lane(&name(PROVIDER), kind).expect("the provider's agent has dialled")
    }

    /// Waits until nothing is in flight at either agent.
    pub async fn until_idle(&self) {
        let busy = |counters: &Counters| {
            counters.read(mesh_rt::metrics::Handshakes::default()).exchanges_in_flight
        };
        let idle = async {
            while 0 < busy(&self.consumer) + busy(&self.provider) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), idle).await.expect("something hangs");
    }
}

async fn serve(asks: Agent, uplink: Arc<Uplink>, upper: NodeName, drain: &Drain) -> SocketAddr {
    let consumer = Consumer::new(asks, uplink, upper, StdRng::seed_from_u64(1));
    let local = Local::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = local.local_addr();
    drain.spawn(local.serve(Arc::new(consumer), drain.clone()));
    address
}

fn agent(system: &str, directory: &Arc<Directory>, drain: &Drain) -> (Agent, NodeName) {
    let owner = drain.clone();
    let agent = Agent {
        system: system.parse().unwrap(),
        hop: HopName::from(&name(system)),
        directory: LiveDirectory::in_memory(Directory::clone(directory)),
        standing: Standing::at_the_centre(Arc::new(SystemClock)),
        counters: Counters::default(),
        clock: Arc::new(SystemClock),
        spawn: Spawn::new(move |task| owner.spawn(task)),
    };
    (agent, NodeName::Hub("economy".parse().unwrap()))
}

pub fn name(system: &str) -> NodeName {
    let home = Home::Cluster("economy".parse().unwrap());
    NodeName::Agent { system: system.parse().unwrap(), home }
}

pub fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

fn backend_at(service: &str, url: &str) -> Backend {
    let url = url.to_owned().try_into().unwrap();
    Backend { service: service.parse().unwrap(), url, timeout_ms: None }
}

/// A port on which nobody listens.
pub async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn up(uplink: &Uplink) {
    uplink.up().wait_for(|up| *up).await.unwrap();
}

/// Links `system` to `hub`, on a port of its own.
async fn dial(hub: &Hub, system: &str, accept: Provider) -> Arc<Uplink> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let me = Me::new(mesh(), NodeName::Hub("economy".parse().unwrap()), "test");
    let door = Door { hub: hub.clone(), peer: name(system) };
    let links = service(me, Arc::new(door), unowned());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(Server::builder().add_service(links).serve_with_incoming(incoming));
    start(system, accept, address)
}

fn start(system: &str, accept: Provider, address: SocketAddr) -> Arc<Uplink> {
    Uplink::start(Dialling {
        me: Me::new(mesh(), name(system), "test"),
        upper: NodeName::Hub("economy".parse().unwrap()),
        connect: Arc::new(Plain(address)),
        accept: Arc::new(accept),
        spawn: unowned(),
        seed: 7,
    })
}

fn unowned() -> Spawn {
    Spawn::new(|task| {
        tokio::spawn(task);
    })
}

struct Plain(SocketAddr);

#[tonic::async_trait]
impl Connect for Plain {
    async fn connect(&self) -> Result<Channel, Box<dyn Error + Send + Sync>> {
        Ok(Endpoint::from_shared(format!("http://{}", self.0))?.connect().await?)
    }

    fn explain(&self, error: &(dyn Error + 'static)) -> String {
        error.to_string()
    }
}

#[derive(Clone)]
struct Hub {
    peers: Arc<Peers>,
    directory: Arc<Directory>,
    answer: Option<Answer>,
}

/// The hub's port for one agent.
struct Door {
    hub: Hub,
    peer: NodeName,
}

impl Accept for Door {
    fn accept(&self, incoming: Incoming) {
        if let Some(answer) = self.hub.answer {
            return answer(&incoming);
        }
        let header = read_request(&incoming.open.header).unwrap();
        let home = self.hub.directory.home(&header.service.system).unwrap();
        let to = NodeName::Agent { system: header.service.system, home };
        let lane = self.hub.peers.lane(&to, incoming.lane.kind()).unwrap();
        let me: HopName = "hub.economy".parse().unwrap();
        let flows = Flows { request: "asks".into(), answer: "answers".into() };
        tokio::spawn(async move { relay(incoming, &lane, &me, flows, &|_| Ok(())).await });
    }
}

impl Admit for Door {
    fn admit(&self, _: &Extensions) -> Result<NodeName, Problem> {
        Ok(self.peer.clone())
    }

    fn joined(&self, lane: &Lane, _connection: &Extensions) {
        self.hub.peers.add(lane.clone());
    }
}

/// The consumer's agreement for `service`. Nobody here looks at signatures.
fn agreement(service: &str) -> Agreement {
    let draft = Draft {
        title: "all but what is hidden".into(),
        operations: ["getPerson", "headPerson", "echo", "addPerson"]
            .map(|id| id.parse().unwrap())
            .into(),
        purposes: [("licence-issue".parse().unwrap(), "act 7".into())].into(),
        granted_fields: ["".parse().unwrap()].into(),
        quota: Quota { per_second: 1, burst: 1, per_day: 1 },
        // Ten years from 2024 on.
        valid_from_unix_ms: 1_704_067_200_000,
        valid_until_unix_ms: 2_019_600_000_000,
        ..Draft::between(CONSUMER.parse().unwrap(), service.parse().unwrap())
    };
    let mut agreement = write_terms(Terms::new(draft).unwrap()).unwrap();
    let signed = SIGNERS.map(|party| Act {
        deed: Deed::Sign,
        party,
        at_unix_ms: 1_704_067_200_000,
        reason: "".into(),
        chain: Vec::new(),
        signature: [0; 64],
    });
    agreement.acts = signed.into();
    agreement
}

pub fn agreement_with(service: &str) -> AgreementId {
    agreement(service).id()
}

fn directory() -> Directory {
    let agency = |address: &str| Agency {
        address: address.parse().unwrap(),
        name_fa: String::new(),
        name_en: String::new(),
    };
    let system = |address: &str| System {
        address: address.parse().unwrap(),
        cluster: Some("economy".parse().unwrap()),
        attributes: [].into(),
    };
    let operation = |(id, method, path, kind): (&str, &str, &str, OperationKind)| {
        let (method, path) = (method.parse().unwrap(), path.parse().unwrap());
        Operation::rest(id.parse().unwrap(), kind, method, path)
    };
    let operations: Vec<Operation> = [
        ("getPerson", "GET", "/persons/{id}", OperationKind::Inquiry),
        ("headPerson", "HEAD", "/persons/{id}", OperationKind::Inquiry),
        ("echo", "POST", "/echo", OperationKind::Inquiry),
        ("addPerson", "POST", "/persons/{id}", OperationKind::Submission),
        ("hidden", "DELETE", "/persons/{id}", OperationKind::Submission),
        // Not permitted, and a path that the permitted one would take too.
        ("allPersons", "GET", "/persons/all", OperationKind::Inquiry),
    ]
    .map(operation)
    .into();
    let services = [IDENTITY, FAULTY, CLOSED, ABSENT];
    let hidden = "ir/gov/registry/persons/hidden.v1";
    let offered = services.into_iter().chain([hidden]).map(|address| Service {
        timeout_ms: 20_000,
        ..Service::new(address.parse().unwrap(), operations.clone())
    });
    let cluster = Cluster {
        id: "economy".parse().unwrap(),
        name_fa: String::new(),
        name_en: String::new(),
        hub: true,
        intra_cluster: mesh_core::directory::IntraCluster::Local,
    };
    let objects = Objects {
        clusters: vec![cluster],
        agencies: vec![agency("ir/gov/licensing"), agency("ir/gov/registry")],
        systems: vec![system(CONSUMER), system(PROVIDER)],
        services: offered.collect(),
        agreements: services.map(agreement).into(),
        ..Objects::default()
    };
    let position = DirectoryPosition { epoch: 1, revision: 7, root: None };
    Directory::build(mesh(), position, objects).unwrap()
}
