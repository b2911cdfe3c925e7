//! The agent beside one information system: takes what the system's programs ask into the mesh, and
//! what the mesh asks to the system's services.
//!
//! It opens one port, on loopback; the link to its hub it dials itself. What its application may
//! not ask does not leave it, and what others may not ask does not reach its services.

mod agent;
mod answer;
mod ask;
mod backend;
mod clearance;
mod config;
mod fields;
mod inflow;
mod local;
mod payload;
mod problem;
mod provide;
mod pulse;
mod r1;
mod sunset;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::node::{Home, NodeName};
use mesh_node::operators::{Operators, Sides};
use mesh_node::told::{Kept, Tell, Told};
use mesh_node::upper::{Upper, start_uplink};
use mesh_node::{Named, Node, NodeError, NodeFiles, Who};
use mesh_rt::clock::{Clock, SystemClock};
use mesh_rt::drain::{Drained, asked_to_stop};
use mesh_rt::exit::{CmdError, Program, Rehearse};
use mesh_rt::telemetry;
use mesh_rt::tls::Trust;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tracing::{info, warn};

pub use self::agent::Agent;
pub use self::ask::Consumer;
pub use self::backend::Backends;
pub use self::config::{Backend, BackendUrl, Config, ParseUrlError};
pub use self::local::Local;
pub use self::provide::Provider;
use self::pulse::Pulse;

/// The name and version that the program shows.
pub const PROGRAM: Program = Program { name: "agent", version: env!("CARGO_PKG_VERSION") };

/// An agent whose ports are bound.
#[derive(Debug)]
pub struct Bound {
    node: Node,
    kept: Option<Kept>,
    agent: Agent,
    local: Local,
    upper: Upper,
    operators: Operators,
    backends: Backends,
    grace: Duration,
    random: StdRng,
}

/// What an agent is made of before it binds anything.
struct Loaded {
    node: Node,
    kept: Option<Kept>,
    upper: Upper,
}

/// The whole life of the program.
pub async fn run(config: Config) -> Result<(), CmdError> {
    telemetry::init(&config.log).map_err(CmdError::failure)?;
    let random = StdRng::from_seed(rand::random());
    let bound = Bound::build(config, random).await.map_err(CmdError::failure)?;
    bound.run(asked_to_stop()).await.map_err(CmdError::failure)?;
    Ok(())
}

impl Rehearse for Config {
    fn rehearse(&self) -> Result<(), CmdError> {
        Loaded::read(self, Told::look).map(drop).map_err(CmdError::usage)
    }
}

impl Loaded {
    fn read(config: &Config, told: Tell) -> Result<Self, NodeError> {
        let Config { system, mesh, tls, .. } = config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let files = NodeFiles { mesh: mesh.domain(), tls };
        let named = Named::load(&PROGRAM, files, &Who::AgentOf(system))?;
        let Told { knows, kept } = told(&config.directory, &named, &clock)?;
        let node = Node::new(named, knows, clock);
        // Where its home is, its certificate says; the directory lets it in there or not.
        let upper = match &node.me.node {
            NodeName::Agent { home: Home::Cluster(cluster), .. } => NodeName::Hub(cluster.clone()),
            _ => NodeName::Centre,
        };
        let trust = Trust::load(&tls.trust_file)?;
        let upper = Upper { address: config.upper.address, node: upper, trust };
        Ok(Self { node, kept, upper })
    }
}

impl Bound {
    /// Reads what `config` names and binds its ports; port 0 takes any. `random` makes exchange
    /// ids, so two agents must not share a seed.
    pub async fn build(config: Config, random: StdRng) -> Result<Self, NodeError> {
        let Loaded { node, kept, upper } = Loaded::read(&config, Told::open)?;
        let address = config.local.listen;
        let local = Local::bind(address).await.map_err(|source| NodeError::Listen {
            field: "local.listen",
            address: address.to_string(),
            source,
        })?;
        let operators = Operators::bind(config.admin.listen, None).await?;
        let agent = Agent {
            system: config.system,
            hop: node.hop(),
            directory: node.directory.clone(),
            standing: node.standing.clone(),
            counters: node.counters.clone(),
            clock: Arc::clone(&node.clock),
            spawn: node.spawn(),
        };
        let (backends, grace) = (Backends::new(config.backends), config.drain.grace());
        Ok(Self { node, kept, agent, local, upper, operators, backends, grace, random })
    }

    /// Where the system's programs ask.
    pub fn local_addr(&self) -> SocketAddr {
        self.local.local_addr()
    }

    pub fn admin_addr(&self) -> SocketAddr {
        self.operators.local_addr()
    }

    /// Serves until `stop` completes, then drains.
    pub async fn run(
        self,
        stop: impl Future<Output = std::io::Result<()>>,
    ) -> Result<Drained, NodeError> {
        let Self { node, kept, agent, local, upper, operators, backends, grace, mut random } = self;
        let (listens, admin) = (local.local_addr(), operators.local_addr());
        let system = &agent.system;
        info!(%system, local = %listens, %admin, "agent listens");
        let directory = node.directory.now();
        let unknown = backends.services().filter(|service| directory.service(service).is_none());
        // A node that was told nothing yet knows no service at all.
        let unknown = unknown.filter(|_| !node.directory.heads().is_empty());
        for service in unknown {
            warn!(%service, "the directory has no such service, so nobody can ask for it");
        }
        let hub = upper.node.clone();
        let pulse = Pulse::new(backends.all(), Arc::clone(&node.clock));
        let provider = Arc::new(Provider::new(agent.clone(), backends));
        let uplink = start_uplink(&node, (upper, kept), provider, random.random())?;
        let consumer = Consumer::new(agent, Arc::clone(&uplink), hub.clone(), random);
        let services_away = pulse.services_away();
        let upper = Some((hub, Arc::clone(&uplink)));
        let served = operators.serve(&node, Sides { upper, services_away, ..Sides::default() });
        node.drain.spawn(pulse.watch(node.drain.clone()));
        let drain = node.drain.clone();
        node.drain.spawn(async move {
            // The link goes last: what applications have under way still needs it.
            local.serve(Arc::new(consumer), drain).await;
            uplink.drain(grace).await;
        });
        Ok(served.until(&node, stop, grace).await)
    }
}
