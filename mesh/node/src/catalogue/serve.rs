//! Descriptions for the nodes below: an agent reads for its own system, a hub for the systems that
//! are at home with it, and each only about services that the system has to do with.

use mesh_core::access::may_read_about;
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::node::{Home, NodeName};
use mesh_core::permit::Denied;
use mesh_core::reason::{Problem, Reason};
use mesh_core::time::UnixMs;
use mesh_proto::catalogue::{Described, write_described};
use mesh_proto::malformed::Malformed;
use mesh_proto::status::write_status;
use mesh_proto::wire::catalogue::v1::description_service_server::{
    DescriptionService, DescriptionServiceServer,
};
use mesh_proto::wire::catalogue::v1::{FetchRequest, GetDescriptionResponse};
use mesh_rt::tls::PeerIdentity;
use tonic::{Request, Response, Status};

use super::Catalogue;
use crate::node::Node;

/// Two addresses, and little more.
const REQUEST_BYTES_MAX: usize = 4096;

/// The service on a mesh port.
pub(crate) fn service(node: Node) -> DescriptionServiceServer<Serve> {
    let serve = Serve { catalogue: Catalogue::new(node) };
    DescriptionServiceServer::new(serve).max_decoding_message_size(REQUEST_BYTES_MAX)
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Serve {
    catalogue: Catalogue,
}

impl Serve {
    async fn answer(
        &self,
        peer: Option<&PeerIdentity>,
        request: &FetchRequest,
    ) -> Result<Described, Problem> {
        let node = &self.catalogue.node;
        let malformed = |field, why: String| {
            let why = Malformed::new(field, why).to_string();
            node.problem(Reason::RequestMalformed, why)
        };
        let service = request.service.parse::<ServiceAddress>();
        let service = service.map_err(|why| malformed("fetch.service", why.to_string()))?;
        let reader = request.consumer.parse::<SystemAddress>();
        let reader = reader.map_err(|why| malformed("fetch.consumer", why.to_string()))?;
        // The acceptor puts it there.
        let peer = peer.ok_or_else(|| {
            node.problem(Reason::Internal, "the connection has no verified certificate")
        })?;
        let directory = node.directory.now();
        let speaks_for = match &peer.node {
            NodeName::Agent { system, .. } => *system == reader,
            NodeName::Hub(cluster) => {
                directory.home(&reader) == Some(Home::Cluster(cluster.clone()))
            }
            NodeName::Centre | NodeName::Operator(_) => false,
        };
        if !speaks_for {
            let detail = format!("{} may not ask in the name of {reader}", peer.node);
            return Err(node.problem(Reason::SourceMismatch, detail));
        }
        // Whether the service exists is nobody's business who has nothing to do with it.
        let now = UnixMs(node.clock.unix_ms());
        if !may_read_about(&directory, &reader, &service, now) {
            return Err(node.problem(Reason::NotPermitted, Denied::NotPermitted.to_string()));
        }
        self.catalogue.described(&service, Some(&reader)).await
    }
}

#[tonic::async_trait]
impl DescriptionService for Serve {
    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<GetDescriptionResponse>, Status> {
        let peer = request.extensions().get::<PeerIdentity>();
        let described = self.answer(peer, request.get_ref()).await;
        let described = described.map_err(|problem| write_status(&problem, None))?;
        Ok(Response::new(write_described(described)))
    }
}
