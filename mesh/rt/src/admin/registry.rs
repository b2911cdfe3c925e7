//! The registry's gRPC service: who asks, by certificate; messages in and out; the rules are the
//! centre's.

use std::sync::Arc;

use bytes::Bytes;
use http::Extensions;
use mesh_core::change_set::CHANGE_SET_BYTES_MAX;
use mesh_core::id::OperatorId;
use mesh_core::node::NodeName;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::malformed::Malformed;
use mesh_proto::registry::{Decide, Page, SetsPage, read_decide, read_page, read_sets_page};
use mesh_proto::status::write_status;
use mesh_proto::wire::registry::v1::registry_service_server::{
    RegistryService, RegistryServiceServer,
};
use mesh_proto::wire::registry::v1::{
    ChangeSet, DecideRequest, DumpRequest, DumpResponse, GetChangeSetRequest,
    ListChangeSetsRequest, ListChangeSetsResponse, ReadRequest, ReadResponse, SubmitRequest,
};
use tonic::{Request, Response, Status};

use crate::tls::PeerIdentity;

/// Full name of the service.
pub(super) const SERVICE: &str = "mesh.registry.v1.RegistryService";

/// One message of a request: a change set, and what stands around it.
const MESSAGE_BYTES_MAX: usize = CHANGE_SET_BYTES_MAX + super::MESSAGE_BYTES_MAX;

/// Bytes of an id, or of as much of one as is named.
const ID_BYTES_MAX: usize = 64;

/// What operators read and change. The port has checked who they are.
#[tonic::async_trait]
pub trait RegistryDesk: Send + Sync + 'static {
    /// One page of objects.
    fn read(&self, page: &Page) -> Result<ReadResponse, Problem>;

    /// Proposes a change set in the name of `author`, and answers when it is durable.
    async fn submit(
        &self,
        author: &OperatorId,
        body: Bytes,
        dry_run: bool,
    ) -> Result<ChangeSet, Problem>;

    /// Takes the decision of `operator`, and answers when it is durable.
    async fn decide(&self, operator: &OperatorId, decide: Decide) -> Result<ChangeSet, Problem>;

    /// The change set whose id begins so.
    async fn change_set(&self, id: &str) -> Result<ChangeSet, Problem>;

    async fn change_sets(&self, page: SetsPage) -> Result<ListChangeSetsResponse, Problem>;

    /// One page of everything that the store holds.
    async fn dump(&self, request: DumpRequest) -> Result<DumpResponse, Problem>;
}

/// The service, with the limits of its messages.
pub(super) fn service(
    hop: HopName,
    desk: Arc<dyn RegistryDesk>,
) -> RegistryServiceServer<Registry> {
    RegistryServiceServer::new(Registry { hop, desk }).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

pub(super) struct Registry {
    hop: HopName,
    desk: Arc<dyn RegistryDesk>,
}

impl Registry {
    /// Who asks. The gate has checked that the key is active still.
    fn operator(&self, connection: &Extensions) -> Result<OperatorId, Status> {
        match connection.get::<PeerIdentity>().map(|peer| &peer.node) {
            Some(NodeName::Operator(operator)) => Ok(operator.clone()),
            _ => {
                let detail = "the registry answers operators with a certificate alone";
                Err(refused(Problem::new(Reason::NodeUnknown, self.hop.clone(), detail)))
            }
        }
    }

    fn malformed(&self, why: &Malformed) -> Status {
        refused(Problem::new(Reason::RequestMalformed, self.hop.clone(), why.to_string()))
    }
}

#[tonic::async_trait]
impl RegistryService for Registry {
    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<ReadResponse>, Status> {
        self.operator(request.extensions())?;
        let page = read_page(request.into_inner()).map_err(|why| self.malformed(&why))?;
        answer(self.desk.read(&page))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<ChangeSet>, Status> {
        let author = self.operator(request.extensions())?;
        let SubmitRequest { body, dry_run } = request.into_inner();
        answer(self.desk.submit(&author, body, dry_run).await)
    }

    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<ChangeSet>, Status> {
        let operator = self.operator(request.extensions())?;
        let decide = read_decide(request.into_inner()).map_err(|why| self.malformed(&why))?;
        answer(self.desk.decide(&operator, decide).await)
    }

    async fn get_change_set(
        &self,
        request: Request<GetChangeSetRequest>,
    ) -> Result<Response<ChangeSet>, Status> {
        self.operator(request.extensions())?;
        let id = request.into_inner().id;
        let is_id = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
        if id.is_empty() || ID_BYTES_MAX < id.len() || !id.bytes().all(is_id) {
            let why = Malformed::new("id", "is no beginning of a change set's id");
            return Err(self.malformed(&why));
        }
        answer(self.desk.change_set(&id).await)
    }

    async fn list_change_sets(
        &self,
        request: Request<ListChangeSetsRequest>,
    ) -> Result<Response<ListChangeSetsResponse>, Status> {
        self.operator(request.extensions())?;
        let page = read_sets_page(request.get_ref()).map_err(|why| self.malformed(&why))?;
        answer(self.desk.change_sets(page).await)
    }

    async fn dump(&self, request: Request<DumpRequest>) -> Result<Response<DumpResponse>, Status> {
        self.operator(request.extensions())?;
        answer(self.desk.dump(request.into_inner()).await)
    }
}

fn answer<T>(answered: Result<T, Problem>) -> Result<Response<T>, Status> {
    answered.map(Response::new).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "it ends the way of a result")]
fn refused(problem: Problem) -> Status {
    write_status(&problem, None)
}
