//! The catalogue's gRPC service on the admin port: messages in and out; what is known of services
//! is the node's.

use std::sync::Arc;

use bytes::Bytes;
use mesh_core::address::ServiceAddress;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::service::{DESCRIPTION_BYTES_MAX, MediaType};
use mesh_proto::catalogue::{
    AccessQuestion, Described, read_access_question, read_put, write_described,
};
use mesh_proto::directory::write_description;
use mesh_proto::malformed::Malformed;
use mesh_proto::status::write_status;
use mesh_proto::wire::catalogue::v1::catalogue_service_server::{
    CatalogueService, CatalogueServiceServer,
};
use mesh_proto::wire::catalogue::v1::{
    CheckAccessRequest, CheckAccessResponse, GetDescriptionRequest, GetDescriptionResponse,
    PutDescriptionRequest, PutDescriptionResponse,
};
use tonic::{Request, Response, Status};

/// Full name of the service.
pub(super) const SERVICE: &str = "mesh.catalogue.v1.CatalogueService";

/// A description, and what stands around it in its message.
const PUT_BYTES_MAX: usize = DESCRIPTION_BYTES_MAX + 4096;

/// What operators look up of services. The port has checked who they are.
#[tonic::async_trait]
pub trait CatalogueDesk: Send + Sync + 'static {
    /// May the consumer that is asked about use the operation, by what the node knows now?
    fn check_access(&self, question: &AccessQuestion) -> CheckAccessResponse;

    /// Keeps a description; tells the calls that it describes.
    async fn put_description(
        &self,
        media_type: MediaType,
        content: Bytes,
    ) -> Result<(Described, Vec<String>), Problem>;

    /// The description of a service.
    async fn description(&self, service: &ServiceAddress) -> Result<Described, Problem>;
}

/// The service, with the limits of its messages.
pub(super) fn service(
    hop: HopName,
    desk: Arc<dyn CatalogueDesk>,
) -> CatalogueServiceServer<Catalogue> {
    CatalogueServiceServer::new(Catalogue { hop, desk }).max_decoding_message_size(PUT_BYTES_MAX)
}

pub(super) struct Catalogue {
    hop: HopName,
    desk: Arc<dyn CatalogueDesk>,
}

impl Catalogue {
    fn malformed(&self, why: &Malformed) -> Status {
        let problem = Problem::new(Reason::RequestMalformed, self.hop.clone(), why.to_string());
        write_status(&problem, None)
    }
}

#[tonic::async_trait]
impl CatalogueService for Catalogue {
    async fn check_access(
        &self,
        request: Request<CheckAccessRequest>,
    ) -> Result<Response<CheckAccessResponse>, Status> {
        let question = read_access_question(request.get_ref());
        let question = question.map_err(|why| self.malformed(&why))?;
        Ok(Response::new(self.desk.check_access(&question)))
    }

    async fn put_description(
        &self,
        request: Request<PutDescriptionRequest>,
    ) -> Result<Response<PutDescriptionResponse>, Status> {
        let put = read_put(request.into_inner()).map_err(|why| self.malformed(&why))?;
        let (media_type, content) = put;
        let kept = self.desk.put_description(media_type, content).await;
        let (described, calls) = kept.map_err(|problem| write_status(&problem, None))?;
        let description = Some(write_description(&described.description));
        Ok(Response::new(PutDescriptionResponse { description, calls }))
    }

    async fn get_description(
        &self,
        request: Request<GetDescriptionRequest>,
    ) -> Result<Response<GetDescriptionResponse>, Status> {
        let service = request.get_ref().service.parse::<ServiceAddress>();
        let service =
            service.map_err(|why| self.malformed(&Malformed::new("description.service", why)))?;
        let described = self.desk.description(&service).await;
        let described = described.map_err(|problem| write_status(&problem, None))?;
        Ok(Response::new(write_described(described)))
    }
}
