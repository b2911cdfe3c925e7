//! The registry's gRPC service: who asks, by certificate; messages in and out; the rules are the
//! centre's.

use std::sync::Arc;

use http::Extensions;
use mesh_core::directory::history::ENTRY_BYTES_MAX;
use mesh_core::id::OperatorId;
use mesh_core::node::NodeName;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::malformed::Malformed;
use mesh_proto::registry::{Commit, Page, read_commit, read_page};
use mesh_proto::status::write_status;
use mesh_proto::wire::registry::v1::registry_service_server::{
    RegistryService, RegistryServiceServer,
};
use mesh_proto::wire::registry::v1::{CommitRequest, CommitResponse, ReadRequest, ReadResponse};
use tonic::{Request, Response, Status};

use crate::tls::PeerIdentity;

/// Full name of the service.
pub(super) const SERVICE: &str = "mesh.registry.v1.RegistryService";

/// What operators read and change. The port has checked who they are.
#[tonic::async_trait]
pub trait RegistryDesk: Send + Sync + 'static {
    /// One page of objects.
    fn read(&self, page: &Page) -> Result<ReadResponse, Problem>;

    /// Makes changes in the name of `author`, all or none, and answers when they are durable.
    async fn commit(&self, author: &OperatorId, commit: Commit) -> Result<CommitResponse, Problem>;
}

/// The service, with the limits of its messages.
pub(super) fn service(
    hop: HopName,
    desk: Arc<dyn RegistryDesk>,
) -> RegistryServiceServer<Registry> {
    RegistryServiceServer::new(Registry { hop, desk }).max_decoding_message_size(ENTRY_BYTES_MAX)
}

pub(super) struct Registry {
    hop: HopName,
    desk: Arc<dyn RegistryDesk>,
}

impl Registry {
    fn operator(&self, connection: &Extensions) -> Result<OperatorId, Problem> {
        match connection.get::<PeerIdentity>().map(|peer| &peer.node) {
            Some(NodeName::Operator(operator)) => Ok(operator.clone()),
            _ => {
                let detail = "the registry takes changes from operators with a certificate alone";
                Err(Problem::new(Reason::NodeUnknown, self.hop.clone(), detail))
            }
        }
    }

    fn malformed(&self, why: &Malformed) -> Status {
        let problem = Problem::new(Reason::RequestMalformed, self.hop.clone(), why.to_string());
        refused(&problem)
    }
}

#[tonic::async_trait]
impl RegistryService for Registry {
    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<ReadResponse>, Status> {
        self.operator(request.extensions()).map_err(|problem| refused(&problem))?;
        let page = read_page(request.into_inner()).map_err(|why| self.malformed(&why))?;
        self.desk.read(&page).map(Response::new).map_err(|problem| refused(&problem))
    }

    async fn commit(
        &self,
        request: Request<CommitRequest>,
    ) -> Result<Response<CommitResponse>, Status> {
        let operator = self.operator(request.extensions()).map_err(|problem| refused(&problem))?;
        let commit = read_commit(request.into_inner()).map_err(|why| self.malformed(&why))?;
        let committed = self.desk.commit(&operator, commit).await;
        committed.map(Response::new).map_err(|problem| refused(&problem))
    }
}

fn refused(problem: &Problem) -> Status {
    write_status(problem, None)
}
