//! The national hub: the one place through which clusters exchange.
//!
//! Cluster hubs and agents at the edge dial it; it dials nobody. It decides by the certificate of
//! the link and by the directory, and carries heads and bodies that it does not read. It keeps the
//! registry, and tells all nodes of each change.

mod config;
mod registry;
mod route;
mod signed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::directory::Directory;
use mesh_core::node::{Home, NodeName};
use mesh_node::feed::heartbeats;
use mesh_node::lower::Lower;
use mesh_node::operators::{Expected, Operators, Sides};
use mesh_node::{Knows, Named, Node, NodeError, NodeFiles, Standing, Who};
use mesh_rt::clock::{Clock, SystemClock};
use mesh_rt::drain::{Drained, asked_to_stop};
use mesh_rt::exit::{CmdError, Program, Rehearse};
use mesh_rt::telemetry;
use mesh_rt::tls::{Admit, Trust};
use tracing::info;

pub use self::config::Config;
use self::registry::Registry;
use self::route::Centre;

/// The name and version that the program shows.
pub const PROGRAM: Program = Program { name: "hub-central", version: env!("CARGO_PKG_VERSION") };

/// The national hub with its ports bound.
#[derive(Debug)]
pub struct Bound {
    node: Node,
    directory_file: PathBuf,
    lower: Lower,
    operators: Operators,
    grace: Duration,
}

/// What the hub is made of before it binds anything.
struct Loaded {
    node: Node,
    below: Trust,
    operators: Trust,
}

/// The whole life of the program.
pub async fn run(config: Config) -> Result<(), CmdError> {
    telemetry::init(&config.log).map_err(CmdError::failure)?;
    let bound = Bound::build(config).await.map_err(CmdError::failure)?;
    bound.run(asked_to_stop()).await.map_err(CmdError::failure)?;
    Ok(())
}

impl Rehearse for Config {
    fn rehearse(&self) -> Result<(), CmdError> {
        Loaded::read(self).map(drop).map_err(CmdError::usage)
    }
}

impl Loaded {
    fn read(config: &Config) -> Result<Self, NodeError> {
        let Config { mesh, tls, limits, .. } = config;
        let files = NodeFiles { mesh: mesh.domain(), tls };
        let named = Named::load(&PROGRAM, files, &Who::Node(NodeName::Centre))?;
        let directory = signed::load(config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let standing = Standing::at_the_centre(Arc::clone(&clock));
        let mut node = Node::new(named, Knows { directory, standing }, clock);
        node.me.exchanges_max = limits.exchanges_max.get();
        node.me.credit_bytes = limits.credit_bytes.get();
        let below = Trust::load(&tls.trust_file)?;
        let operators = Trust::load(&config.admin.trust_file)?;
        Ok(Self { node, below, operators })
    }
}

impl Bound {
    /// Reads what `config` names and binds its ports; port 0 takes any.
    pub async fn build(config: Config) -> Result<Self, NodeError> {
        let Loaded { node, below, operators } = Loaded::read(&config)?;
        let lower = Lower::bind(&node, config.listen.mesh, below, Admit::CentreListener).await?;
        let operators = Operators::bind(config.admin.listen, Some(operators)).await?;
        let (directory_file, grace) = (config.directory_file, config.drain.grace());
        Ok(Self { node, directory_file, lower, operators, grace })
    }

    /// Where cluster hubs and edge agents dial.
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
        let Self { node, directory_file, lower, operators, grace } = self;
        let (mesh, admin) = (lower.local_addr(), operators.local_addr());
        info!(%mesh, %admin, "centre listens");
        let sides = Sides {
            lower: Some((lower.peers(), lower.handshakes())),
            expected: Expected(Arc::new(neighbours)),
            registry: Some(Arc::new(Registry::new(node.clone(), directory_file))),
            ..Sides::default()
        };
        let centre = Arc::new(Centre::new(node.clone(), lower.peers()));
        heartbeats::start(&node);
        lower.serve(&node, centre, grace);
        let served = operators.serve(&node, sides);
        Ok(served.until(&node, stop, grace).await)
    }
}

/// The hubs and edge agents that the directory says there should be.
fn neighbours(directory: &Directory) -> Vec<NodeName> {
    let hubs = directory.clusters().filter(|cluster| cluster.hub);
    let hubs = hubs.map(|cluster| NodeName::Hub(cluster.id.clone()));
    let edge = directory.systems().map(|system| &system.address);
    let edge = edge.filter(|system| directory.home(system) == Some(Home::Centre));
    let edge = edge.map(|system| NodeName::Agent { system: system.clone(), home: Home::Centre });
    hubs.chain(edge).filter(|node| directory.has_joined(node)).collect()
}
