//! The national hub: the one place through which clusters exchange.
//!
//! Cluster hubs and agents at the edge dial it; it dials nobody. It decides by the certificate of
//! the link and by the directory, and carries heads and bodies that it does not read. It keeps the
//! registry, and tells all nodes of each change.

mod compaction;
mod config;
mod descriptions;
mod registry;
mod route;
mod standards;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::change_set::Rules;
use mesh_core::directory::{Directory, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::{Home, NodeName};
use mesh_node::directory::LiveDirectory;
use mesh_node::feed::heartbeats;
use mesh_node::lower::Lower;
use mesh_node::operators::{Expected, Operators, Sides};
use mesh_node::{Knows, Named, Node, NodeError, NodeFiles, Standing, Who};
use mesh_registry::place::OpenStore;
use mesh_rt::clock::{Clock, SystemClock};
use mesh_rt::drain::{Drained, asked_to_stop};
use mesh_rt::exit::{CmdError, Program, Rehearse};
use mesh_rt::members::Members;
use mesh_rt::telemetry;
use mesh_rt::tls::{Admit, Trust};
use tracing::info;

pub use self::config::Config;
use self::descriptions::Descriptions;
pub use self::registry::OpenError;
use self::registry::{Desk, Opened, Registry};
use self::route::Centre;

/// The name and version that the program shows.
pub const PROGRAM: Program = Program { name: "hub-central", version: env!("CARGO_PKG_VERSION") };

/// The national hub with its ports bound.
#[derive(Debug)]
pub struct Bound {
    node: Node,
    lower: Lower,
    operators: Operators,
    registry: Registry,
    kept: OpenStore,
    grace: Duration,
}

/// What the hub is made of before it binds anything.
struct Loaded {
    node: Node,
    below: Trust,
    operators: Trust,
    rules: Rules,
    members: Option<Members>,
}

/// A centre that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Registry(#[from] OpenError),
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
        // A running centre has the store, so that it cannot be opened; all else is loaded.
        self.registry.is_there().map_err(CmdError::usage)?;
        registry::signer(&self.directory).map_err(CmdError::usage)?;
        let (mesh, position) = (self.mesh.domain().clone(), DirectoryPosition::default());
        let empty = Directory::build(mesh, position, Objects::default());
        let empty = LiveDirectory::in_memory(empty.map_err(CmdError::failure)?);
        Loaded::read(self, empty).map(drop).map_err(CmdError::usage)
    }
}

impl Loaded {
    fn read(config: &Config, directory: LiveDirectory) -> Result<Self, StartError> {
        let Config { mesh, tls, limits, .. } = config;
        let files = NodeFiles { mesh: mesh.domain(), tls };
        let named = Named::load(&PROGRAM, files, &Who::Node(NodeName::Centre))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let standing = Standing::at_the_centre(Arc::clone(&clock));
        let mut node = Node::new(named, Knows { directory, standing }, clock);
        node.me.exchanges_max = limits.exchanges_max.get();
        node.me.credit_bytes = limits.credit_bytes.get();
        let below = Node::trust(&tls.trust_file)?;
        let operators = Node::trust(&config.admin.trust_file)?;
        let rules = registry::rules(&config.registry)?;
        let members = config.members.as_ref();
        let members = members.map(|it| Members::load(mesh.domain(), &it.trust_file));
        let members = members.transpose().map_err(NodeError::from)?;
        Ok(Self { node, below, operators, rules, members })
    }
}

impl Bound {
    /// Reads what `config` names and binds its ports; port 0 takes any.
    pub async fn build(config: Config) -> Result<Self, StartError> {
        let Config { registry, directory, mesh, .. } = &config;
        let opened = Opened::read(registry, directory, mesh.domain()).await?;
        let Opened { kept, directory, head_written } = opened;
        let Loaded { node, below, operators, rules, members } = Loaded::read(&config, directory)?;
        let lower = Lower::bind(&node, config.listen.mesh, below, Admit::CentreListener).await?;
        let operators = Operators::bind(config.admin.listen, Some(operators)).await?;
        node.texts.set(Arc::new(Descriptions::new(node.clone(), kept.store())));
        let desk = Desk::new(node.clone(), kept.store(), (rules, members), head_written);
        let registry = Registry::new(desk);
        Ok(Self { node, lower, operators, registry, kept, grace: config.drain.grace() })
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
        let Self { node, lower, operators, registry, kept, grace } = self;
        let (mesh, admin) = (lower.local_addr(), operators.local_addr());
        info!(%mesh, %admin, "centre listens");
        let sides = Sides {
            lower: Some((lower.peers(), lower.handshakes())),
            expected: Expected(Arc::new(neighbours)),
            registry: Some(Arc::new(registry)),
            ..Sides::default()
        };
        let centre = Arc::new(Centre::new(node.clone(), lower.peers()));
        heartbeats::start(&node);
        compaction::start(&node, kept.store());
        lower.serve(&node, centre, grace);
        let served = operators.serve(&node, sides);
        let drained = served.until(&node, stop, grace).await;
        kept.close().await;
        Ok(drained)
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
