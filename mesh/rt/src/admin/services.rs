//! The gRPC services of the admin port.

use std::sync::Arc;

use mesh_proto::DESCRIPTORS;
use mesh_proto::wire::admin::v1::admin_service_server::{AdminService, AdminServiceServer};
use mesh_proto::wire::admin::v1::{
    StatusRequest, StatusResponse, TopologyRequest, TopologyResponse,
};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;

use super::{AdminPort, MESSAGE_BYTES_MAX, NodeView, catalogue, registry};

/// Health as `health` reports it, reflection in both of its versions, the admin service, and the
/// registry where there is one.
pub(super) fn routes(
    port: &AdminPort,
    health: HealthReporter,
) -> Result<Routes, tonic_reflection::server::Error> {
    let admin = AdminServiceServer::new(Admin { view: port.view.clone() });
    let health = HealthServer::new(HealthService::from_health_reporter(health));
    // grpcurl and its like ask v1 today; v1alpha is what older ones know.
    let reflection_v1 = reflection(port).build_v1()?;
    let reflection_alpha = reflection(port).build_v1alpha()?;
    let routes = Routes::new(admin.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(health.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(reflection_v1.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(reflection_alpha.max_decoding_message_size(MESSAGE_BYTES_MAX));
    let routes = match &port.catalogue {
        None => routes,
        Some(desk) => routes.add_service(catalogue::service(port.hop.clone(), desk.clone())),
    };
    Ok(match &port.registry {
        None => routes,
        Some(desk) => routes.add_service(registry::service(port.hop.clone(), desk.clone())),
    })
}

/// Knows all messages of the mesh, and lists the services that this port has, not the links'.
fn reflection(port: &AdminPort) -> Builder<'static> {
    let known = Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .with_service_name(<AdminServiceServer<Admin> as NamedService>::NAME)
        .with_service_name(<HealthServer<HealthService> as NamedService>::NAME)
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection");
    let known = match port.catalogue {
        None => known,
        Some(_) => known.with_service_name(catalogue::SERVICE),
    };
    match port.registry {
        None => known,
        Some(_) => known.with_service_name(registry::SERVICE),
    }
}

struct Admin {
    view: Arc<dyn NodeView>,
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Ok(Response::new(self.view.status()))
    }

    async fn topology(
        &self,
        _: Request<TopologyRequest>,
    ) -> Result<Response<TopologyResponse>, Status> {
        Ok(Response::new(self.view.topology()))
    }
}
