//! The hub of one cluster: its agents dial it, it dials the centre, and it knows no other node.
//!
//! What stays in the cluster goes down again; everything else goes up. There is no third way, no
//! other address and no other trust, so no query can pass the centre by.

mod config;
mod route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::directory::Directory;
use mesh_core::id::ClusterId;
use mesh_core::node::{Home, NodeName};
use mesh_node::lower::Lower;
use mesh_node::operators::{Expected, Operators, Sides};
use mesh_node::told::{Kept, Tell, Told};
use mesh_node::upper::{Upper, start_uplink};
use mesh_node::{Named, Node, NodeError, NodeFiles, Who};
use mesh_rt::clock::{Clock, SystemClock};
use mesh_rt::drain::{Drained, asked_to_stop};
use mesh_rt::exit::{CmdError, Program, Rehearse};
use mesh_rt::telemetry;
use mesh_rt::tls::{Admit, Trust};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tracing::info;

pub use self::config::Config;
use self::route::Hub;

/// The name and version that the program shows.
pub const PROGRAM: Program = Program { name: "hub-cluster", version: env!("CARGO_PKG_VERSION") };

/// A hub whose ports are bound.
#[derive(Debug)]
pub struct Bound {
    node: Node,
    kept: Option<Kept>,
    cluster: ClusterId,
    lower: Lower,
    upper: Upper,
    operators: Operators,
    grace: Duration,
    random: StdRng,
}

/// What a hub is made of before it binds anything.
struct Loaded {
    node: Node,
    kept: Option<Kept>,
    below: Trust,
    upper: Upper,
    operators: Trust,
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
        let Config { cluster, mesh, tls, limits, .. } = config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let files = NodeFiles { mesh: mesh.domain(), tls };
        let who = Who::Node(NodeName::Hub(cluster.clone()));
        let named = Named::load(&PROGRAM, files, &who)?;
        let Told { knows, kept } = told(&config.directory, &named, &clock)?;
        let mut node = Node::new(named, knows, clock);
        node.me.exchanges_max = limits.exchanges_max.get();
        node.me.credit_bytes = limits.credit_bytes.get();
        let below = Trust::load(&tls.trust_file)?;
        let operators = Trust::load(&config.admin.trust_file)?;
        let upper = Upper {
            address: config.upper.address,
            node: NodeName::Centre,
            trust: Trust::load(&config.upper.trust_file)?,
        };
        Ok(Self { node, kept, below, upper, operators })
    }
}

impl Bound {
    /// Reads what `config` names and binds its ports; port 0 takes any. `random` makes link ids
    /// and the waits between dials, so two hubs must not share a seed.
    pub async fn build(config: Config, random: StdRng) -> Result<Self, NodeError> {
        let Loaded { node, kept, below, upper, operators } = Loaded::read(&config, Told::open)?;
        let admit = Admit::HubListener(config.cluster.clone());
        let lower = Lower::bind(&node, config.listen.mesh, below, admit).await?;
        let operators = Operators::bind(config.admin.listen, Some(operators)).await?;
        let (cluster, grace) = (config.cluster, config.drain.grace());
        Ok(Self { node, kept, cluster, lower, upper, operators, grace, random })
    }

    /// Where agents dial.
    pub fn mesh_addr(&self) -> SocketAddr {
        self.lower.local_addr()
    }

    pub fn admin_addr(&self) -> SocketAddr {
        self.operators.local_addr()
    }

    /// Serves until `stop` completes, then drains.
    pub async fn run(
        self,
        stop: impl Future<Output = std::io::Result<()>>,
    ) -> Result<Drained, NodeError> {
        let Self { node, kept, cluster, lower, upper, operators, grace, mut random } = self;
        let (mesh, admin) = (lower.local_addr(), operators.local_addr());
        info!(%cluster, %mesh, %admin, "hub listens");
        let here = cluster.clone();
        let expected = Expected(Arc::new(move |directory| agents(directory, &here)));
        let sides = (lower.peers(), lower.handshakes());
        let hub = Arc::new(Hub::new(node.clone(), cluster, lower.peers()));
        let uplink = start_uplink(&node, (upper, kept), hub.from_above(), random.random())?;
        hub.link_up(Arc::clone(&uplink));
        lower.serve(&node, hub.from_below(), grace);
        let upper = Some((NodeName::Centre, Arc::clone(&uplink)));
        let sides = Sides { upper, lower: Some(sides), expected, ..Sides::default() };
        let served = operators.serve(&node, sides);
        let drain = node.drain.clone();
        node.drain.spawn(async move {
            drain.begun().await;
            uplink.drain(grace).await;
        });
        Ok(served.until(&node, stop, grace).await)
    }
}

/// The agents that the directory says this hub should have.
fn agents(directory: &Directory, cluster: &ClusterId) -> Vec<NodeName> {
    let here = Home::Cluster(cluster.clone());
    let at_home = directory.systems().map(|system| &system.address);
    let at_home = at_home.filter(|system| directory.home(system).as_ref() == Some(&here));
    let agents =
        at_home.map(|system| NodeName::Agent { system: system.clone(), home: here.clone() });
    agents.filter(|agent| directory.has_joined(agent)).collect()
}
