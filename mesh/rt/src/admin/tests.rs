//! The admin port over real TCP, asked by real clients.

use mesh_proto::wire::admin::v1::admin_service_client::AdminServiceClient;
use mesh_proto::wire::admin::v1::{Counters, StatusRequest, TopologyRequest};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::codegen::tokio_stream as streams;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus as Serving;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::{v1, v1alpha};

use super::*;

const LINK: &str = "mesh.link.v1.Link";

struct Sample;

impl NodeView for Sample {
    fn status(&self) -> StatusResponse {
        let counters = Counters { exchanges_opened: 7, ..Counters::default() };
        let node = "hub.health.mesh.ir".into();
        StatusResponse { node, counters: Some(counters), ..StatusResponse::default() }
    }

    fn topology(&self) -> TopologyResponse {
        TopologyResponse { node: "hub.health.mesh.ir".into(), neighbours: Vec::new() }
    }
}

/// A served admin port.
struct Served {
    readiness: Readiness,
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), AdminError>>,
}

impl Served {
    async fn start() -> Self {
        let readiness = Readiness::default();
        let port = AdminPort {
            hop: "hub.health".parse().unwrap(),
            view: Arc::new(Sample),
            readiness: readiness.clone(),
            services: vec![LINK.into()],
            admits: None,
            catalogue: None,
            registry: None,
        };
        let bound = AdminBound::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = bound.local_addr();
        let (stop, stopped) = oneshot::channel();
        let until = async { drop(stopped.await) };
        let served = tokio::spawn(port.serve(bound.into_incoming(), until));
        Self { readiness, addr, stop, served }
    }

    async fn channel(&self) -> Channel {
        let uri = format!("http://{}", self.addr).parse().unwrap();
        Channel::builder(uri).connect().await.unwrap()
    }
}

async fn next_health(watch: &mut Streaming<HealthCheckResponse>) -> Serving {
    watch.message().await.unwrap().expect("a watch goes on").status()
}

fn asked(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: service.into() })
}

#[tokio::test]
async fn health_follows_readiness() {
    let served = Served::start().await;
    let link = served.readiness.condition("link to hub.centre");
    let mut health = HealthClient::new(served.channel().await);
    let mut watch = health.watch(asked("")).await.unwrap().into_inner();
    // The first answer may be from before the condition.
    while next_health(&mut watch).await != Serving::NotServing {}
    for (met, want) in [(true, Serving::Serving), (false, Serving::NotServing)] {
        link.set(met);
        assert_eq!(next_health(&mut watch).await, want);
        assert_eq!(health.check(asked("")).await.unwrap().get_ref().status(), want);
    }
    link.set(true);
    assert_eq!(next_health(&mut watch).await, Serving::Serving);
    served.readiness.turn_draining();
    assert_eq!(next_health(&mut watch).await, Serving::NotServing);
    let unknown = health.check(asked("mesh.other")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let named = health.check(asked(LINK)).await.unwrap();
    assert_eq!(named.get_ref().status(), Serving::NotServing);
}

#[tokio::test]
async fn answers_operators_and_knows_no_other_service() {
    let served = Served::start().await;
    let channel = served.channel().await;
    let mut admin = AdminServiceClient::new(channel.clone());
    let status = admin.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status, Sample.status());
    let topology = admin.topology(TopologyRequest {}).await.unwrap().into_inner();
    assert_eq!(topology, Sample.topology());

    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<StatusRequest, StatusResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/mesh.link.v1.Link/Open");
    let unknown = grpc.unary(Request::new(StatusRequest {}), path, codec).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test]
async fn reflection_lists_the_services_of_this_port_in_both_versions() {
    let served = Served::start().await;
    let want = [
        "mesh.admin.v1.AdminService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];

    macro_rules! listed {
        ($version:ident, $question:expr) => {{
            use $version::server_reflection_response::MessageResponse;
            let mut client = $version::server_reflection_client::ServerReflectionClient::new(
                served.channel().await,
            );
            let message_request = Some($question);
            let request =
                $version::ServerReflectionRequest { host: String::new(), message_request };
            let answers = client.server_reflection_info(streams::once(request)).await.unwrap();
            match answers.into_inner().message().await.unwrap().unwrap().message_response {
                Some(MessageResponse::ListServicesResponse(list)) => {
                    list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
                }
                Some(MessageResponse::FileDescriptorResponse(files)) => {
                    vec![files.file_descriptor_proto.len().to_string()]
                }
                other => panic!("{other:?}"),
            }
        }};
    }
    use v1::server_reflection_request::MessageRequest as V1;
    use v1alpha::server_reflection_request::MessageRequest as V1Alpha;
    assert_eq!(listed!(v1, V1::ListServices(String::new())), want);
    assert_eq!(listed!(v1alpha, V1Alpha::ListServices(String::new())), want);
    for service in want {
        assert_eq!(listed!(v1, V1::FileContainingSymbol(service.into())), ["1"], "{service}");
        let alpha = listed!(v1alpha, V1Alpha::FileContainingSymbol(service.into()));
        assert_eq!(alpha, ["1"], "{service}");
    }
}

#[tokio::test]
async fn refuses_a_message_beyond_the_bound() {
    let served = Served::start().await;
    let mut health = HealthClient::new(served.channel().await);
    let large = health.check(asked(&"x".repeat(MESSAGE_BYTES_MAX))).await.unwrap_err();
    let problem = mesh_proto::status::read_status(&large).expect("a reason");
    assert_eq!(problem.reason, mesh_core::reason::Reason::AdminMessageTooLarge);
}

#[tokio::test]
async fn streams_count_as_requests_over_all_connections() {
    let served = Served::start().await;
    let mut one = HealthClient::new(served.channel().await);
    let mut other = HealthClient::new(served.channel().await);
    let mut watches = Vec::new();
    for _ in 0..REQUESTS_MAX / 2 {
        watches.push(one.watch(asked("")).await.unwrap().into_inner());
        watches.push(other.watch(asked("")).await.unwrap().into_inner());
    }
    let refused: Status = other.check(asked("")).await.unwrap_err();
    let problem = mesh_proto::status::read_status(&refused).expect("the mesh's own refusal");
    assert_eq!(problem.to_string().split(':').next(), Some("OVERLOADED at hub.health"));

    // A place is free soon after a watcher has left; the server hears of it by a reset.
    watches.pop();
    while other.check(asked("")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn one_connection_too_many_waits_for_a_place() {
    let served = Served::start().await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        held.push(served.channel().await);
        let mut health = HealthClient::new(held.last().unwrap().clone());
        health.check(asked("")).await.unwrap();
    }
    let mut late = HealthClient::new(served.channel().await);
    let mut check = pin!(late.check(asked("")));
    let waiting = tokio::time::timeout(Duration::from_millis(50), &mut check).await;
    assert!(waiting.is_err(), "{waiting:?}");
    held.pop();
    check.await.unwrap();
}

#[tokio::test]
async fn closes_though_somebody_watches() {
    let served = Served::start().await;
    let mut health = HealthClient::new(served.channel().await);
    let mut watch = health.watch(asked("")).await.unwrap().into_inner();
    assert_eq!(next_health(&mut watch).await, Serving::Serving);
    served.stop.send(()).unwrap();
    served.served.await.unwrap().unwrap();
    watch.message().await.expect_err("the connection is gone");
    TcpStream::connect(served.addr).await.expect_err("nobody listens any more");
}
