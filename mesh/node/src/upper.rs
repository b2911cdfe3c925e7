//! The link upwards: whom a node dials, and what it says when nobody is there.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use mesh_core::node::NodeName;
use mesh_link::dial::{Connect, Dialling, Uplink};
use mesh_link::lane::Accept;
use mesh_rt::exit::sentence;
use mesh_rt::server::{feed_endpoint, mesh_endpoint};
use mesh_rt::tls::{Connector, TcpDialer, Trust, explain};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::transport::{Channel, Endpoint};

use crate::catalogue::FromAbove;
use crate::feed::follow::Following;
use crate::feed::heed;
use crate::node::{Node, NodeError};
use crate::told::Kept;

/// The upper neighbour: where it is, who it must be, and what vouches for it.
#[derive(Debug)]
pub struct Upper {
    pub address: SocketAddr,
    pub node: NodeName,
    pub trust: Trust,
}

/// Begins to dial, makes the node ready only while the link is up, and follows the directory of
/// whoever is there.
pub fn start_uplink<A: Accept>(
    node: &Node,
    (upper, kept): (Upper, Option<Kept>),
    accept: Arc<A>,
    seed: u64,
) -> Result<Arc<Uplink>, NodeError> {
    let Upper { address, node: name, trust } = upper;
    let mesh = node.me.mesh.clone();
    let connector = Connector::new(&node.identity, trust, name.clone(), mesh.clone())?
        .with_admit_key(node.admit_upper());
    let uri = http::Uri::builder()
        .scheme("https")
        .authority(mesh.dns_name(&name))
        .path_and_query("/")
        .build()
        .expect("a node's DNS name is an authority");
    let dialer = TcpDialer::new(address, connector).with_cut(node.until_cut());
    let dial = |endpoint| Arc::new(Dial { dialer: dialer.clone(), uri: uri.clone(), endpoint });
    let mut random = StdRng::seed_from_u64(seed);
    let uplink = Uplink::start(Dialling {
        me: node.me.clone(),
        upper: name.clone(),
        connect: dial(mesh_endpoint),
        accept,
        spawn: node.spawn(),
        seed: random.random(),
    });
    keep_readiness(node, &name, &uplink);
    node.texts.set(Arc::new(FromAbove::new(node.clone(), dial(mesh_endpoint))));
    heed::start(node, &name);
    let connect = dial(feed_endpoint);
    let (node, up, seed) = (node.clone(), uplink.up(), random.random());
    Following { node, kept, connect, up, seed }.start();
    Ok(uplink)
}

/// Keeps readiness in step with the link, and drains the link with the node.
fn keep_readiness(node: &Node, upper: &NodeName, uplink: &Arc<Uplink>) {
    let condition = node.readiness.condition(format!("link to {upper}"));
    let mut up = uplink.up();
    let drain = node.drain.clone();
    node.drain.spawn(async move {
        loop {
            condition.set(*up.borrow_and_update());
            tokio::select! {
                () = drain.begun() => return,
                changed = up.changed() => if changed.is_err() { return },
            }
        }
    });
}

struct Dial {
    dialer: TcpDialer,
    uri: http::Uri,
    endpoint: fn(http::Uri) -> Endpoint,
}

#[tonic::async_trait]
impl Connect for Dial {
    async fn connect(&self) -> Result<Channel, Box<dyn Error + Send + Sync>> {
        let endpoint = (self.endpoint)(self.uri.clone());
        Ok(endpoint.connect_with_connector(self.dialer.clone()).await?)
    }

    fn explain(&self, error: &(dyn Error + 'static)) -> String {
        explain(error).unwrap_or_else(|| sentence(error))
    }
}
