//! A centre with the genuine certificate of the centre, and a feed of its own making: whoever owns
//! the machine, but not the directory's key, could run it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use http::Extensions;
use mesh_core::node::NodeName;
use mesh_core::reason::Problem;
use mesh_link::Spawn;
use mesh_link::exchange::Incoming;
use mesh_link::hello::Me;
use mesh_link::lane::{Accept, Lane};
use mesh_link::serve::{Admit, service};
use mesh_proto::wire::directory::v1::directory_service_server::{
    DirectoryService, DirectoryServiceServer,
};
use mesh_proto::wire::directory::v1::{FeedEvent, FollowRequest};
use mesh_rt::server::mesh_server;
use mesh_rt::tls::{self, Acceptor, CONNECTIONS_MAX, Identity, PeerIdentity, Trust};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use crate::bed::Bed;

/// What the false centre tells whoever follows it; then it is silent.
pub type Tale = Arc<dyn Fn(&FollowRequest) -> Vec<FeedEvent> + Send + Sync>;

/// Serves links and `tale` for as long as the test's runtime lives. Where it listens.
pub async fn start(bed: &Bed, tale: Tale) -> SocketAddr {
    let centre = bed.node("hub.centre");
    let issued = &centre.issued;
    let identity = Identity::load(&issued.chain_file, &issued.key_file).expect("its certificate");
    let trust = issued.listener_trust_file.as_ref().expect("the centre listens");
    let trust = Trust::load(trust).expect("a trust file");
    let mesh = bed.nation.layout.mesh.clone();
    let acceptor = Acceptor::new(&identity, trust, tls::Admit::CentreListener, mesh.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let incoming = tls::serve(listener, acceptor, CONNECTIONS_MAX, std::future::pending());
    let spawn = Spawn::new(|task| {
        tokio::spawn(task);
    });
    let links = service(Me::new(mesh, NodeName::Centre, "false"), Arc::new(Door), spawn);
    let feed = DirectoryServiceServer::new(Feed(tale));
    let served = mesh_server().add_service(links).add_service(feed);
    tokio::spawn(served.serve_with_incoming(incoming));
    address
}

/// Lets everybody in and answers nobody.
struct Door;

impl Accept for Door {
    fn accept(&self, _: Incoming) {}
}

impl Admit for Door {
    fn admit(&self, connection: &Extensions) -> Result<NodeName, Problem> {
        let peer = connection.get::<PeerIdentity>().expect("the acceptor puts it there");
        Ok(peer.node.clone())
    }

    fn joined(&self, _: &Lane, _: &Extensions) {}
}

struct Feed(Tale);

#[tonic::async_trait]
impl DirectoryService for Feed {
    type FollowStream = Pin<Box<dyn Stream<Item = Result<FeedEvent, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let told = (self.0)(request.get_ref()).into_iter().map(Ok);
        Ok(Response::new(Box::pin(stream::iter(told).chain(stream::pending()))))
    }
}
