//! One node's admin port as its operator sees it: status, topology, health, or why there is none.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use mesh_core::address::ServiceAddress;
use mesh_core::id::OperatorId;
use mesh_core::node::NodeName;
use mesh_core::reason::Problem;
use mesh_core::service::MediaType;
use mesh_proto::catalogue::{AccessQuestion, Described, read_described, write_access_question};
use mesh_proto::registry::{Page, write_page};
use mesh_proto::status::read_status;
use mesh_proto::wire::admin::v1::admin_service_client::AdminServiceClient;
use mesh_proto::wire::admin::v1::{
    StatusRequest, StatusResponse, TopologyRequest, TopologyResponse,
};
use mesh_proto::wire::catalogue::v1::catalogue_service_client::CatalogueServiceClient;
use mesh_proto::wire::catalogue::v1::{
    CheckAccessResponse, GetDescriptionRequest, PutDescriptionRequest, PutDescriptionResponse,
};
use mesh_proto::wire::registry::v1::registry_service_client::RegistryServiceClient;
use mesh_proto::wire::registry::v1::{
    ChangeSet, DecideRequest, DumpRequest, DumpResponse, GetChangeSetRequest,
    ListChangeSetsRequest, ListChangeSetsResponse, ReadResponse, SubmitRequest,
};
use mesh_rt::exit::sentence;
use mesh_rt::server::mesh_endpoint;
use mesh_rt::tls::{Connector, HandshakeError, Identity, TcpDialer, TlsError, Trust, explain};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::{Access, Certificates, Config, Node};

/// Longest time from a question to its answer, the handshake included.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// One page of the registry: what a store gives at once, and one value more.
const PAGE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Nodes that are asked at once.
pub const NODES_ASKED_MAX: usize = 16;

/// A node that can be asked. It is dialled with the first question, and again when it was lost.
#[derive(Clone, Debug)]
pub struct NodeClient {
    node: NodeName,
    /// Full DNS name, by which the node calls itself in its answers.
    dns_name: String,
    address: SocketAddr,
    channel: Channel,
    /// Who asks, by the certificate; nobody in particular where the port takes none.
    operator: Option<OperatorId>,
}

/// What must be changed before the node can be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{}: has no node {name:?}, want one of {known}", config.display())]
    UnknownNode { config: PathBuf, name: String, known: String },
    #[error("{node} cannot be asked")]
    Tls { node: Box<NodeName>, source: TlsError },
}

/// A node that did not answer, and why.
#[derive(Debug, thiserror::Error)]
#[error("{node}: {reason}")]
pub struct AskError {
    pub node: Box<NodeName>,
    pub reason: Unanswered,
}

/// Why a node did not answer, and what to check.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error(
        "{address} cannot be reached: {why}; check that the node runs and that this is its admin \
         port"
    )]
    Unreachable { address: SocketAddr, why: String },
    #[error("no TLS with {address}: {why}")]
    Handshake { address: SocketAddr, why: String },
    #[error(
        "{address} broke off: {why}; check that it is the node's admin port, and the log of the \
         node"
    )]
    BrokeOff { address: SocketAddr, why: String },
    #[error(
        "{address} gave no answer within {} ms; check that the node does not stand still and that \
         nothing between drops packets", limit.as_millis()
    )]
    Silent { address: SocketAddr, limit: Duration },
    #[error("it refused: {0}")]
    Refused(Problem),
    #[error("{address} answered {code:?}: {message}; check that this is the node's admin port")]
    Status { address: SocketAddr, code: Code, message: String },
    #[error("{address} is the admin port of {found:?}; correct the address of the node")]
    OtherNode { address: SocketAddr, found: String },
    #[error("its answer cannot be read: {why}; check that its version fits this program")]
    Malformed { why: String },
}

impl NodeClient {
    /// The node that `config` has under `name`, below the mesh domain or in full. Reads the files
    /// that it needs, and dials nobody yet. Must be called on a runtime.
    pub fn connect(config: &Config, name: &str) -> Result<Self, ConnectError> {
        let node = config.node(name).ok_or_else(|| {
            let known: Vec<_> = config.nodes.iter().map(|node| node.name.to_string()).collect();
            let known = known.join(", ");
            ConnectError::UnknownNode { config: config.file.clone(), name: name.into(), known }
        })?;
        Self::to(config, node)
    }

    fn to(config: &Config, node: &Node) -> Result<Self, ConnectError> {
        let Node { name, address, access } = node;
        let dns_name = config.mesh.dns_name(name);
        let wrong = |source| ConnectError::Tls { node: Box::new(name.clone()), source };
        let (dialer, operator) = match access {
            Access::Plain => (None, None),
            Access::Tls(certificates) => {
                let (connector, operator) = connector(config, name, certificates).map_err(wrong)?;
                (Some(TcpDialer::new(*address, connector)), operator)
            }
        };
        let channel = match &dialer {
            None => endpoint(&address.to_string()).connect_lazy(),
            Some(dialer) => endpoint(&dns_name).connect_with_connector_lazy(dialer.clone()),
        };
        Ok(Self { node: name.clone(), dns_name, address: *address, channel, operator })
    }

    /// Who asks.
    pub fn operator(&self) -> Option<&OperatorId> {
        self.operator.as_ref()
    }

    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Who the node is, whether it is ready, what it carries.
    pub async fn status(&self) -> Result<StatusResponse, AskError> {
        let mut client = AdminServiceClient::new(self.channel.clone());
        let answer = self.answer(client.status(StatusRequest {})).await?;
        self.only_from_it(&answer.node)?;
        Ok(answer)
    }

    /// The node's links, and the neighbours it expects that have none.
    pub async fn topology(&self) -> Result<TopologyResponse, AskError> {
        let mut client = AdminServiceClient::new(self.channel.clone());
        let answer = self.answer(client.topology(TopologyRequest {})).await?;
        self.only_from_it(&answer.node)?;
        Ok(answer)
    }

    /// Is the node there, and would it carry an exchange now? [`Self::status`] says why not.
    pub async fn health(&self) -> bool {
        let mut client = HealthClient::new(self.channel.clone());
        let answer = self.answer(client.check(HealthCheckRequest::default())).await;
        answer.is_ok_and(|answer| answer.status() == ServingStatus::Serving)
    }

    /// One page of the registry, which only the centre has.
    pub async fn registry_page(&self, page: &Page) -> Result<ReadResponse, AskError> {
        self.answer(self.registry().read(write_page(page))).await
    }

    /// Proposes a change set.
    pub async fn submit(&self, request: SubmitRequest) -> Result<ChangeSet, AskError> {
        self.answer(self.registry().submit(request)).await
    }

    /// Approves, rejects or withdraws a change set.
    pub async fn decide(&self, request: DecideRequest) -> Result<ChangeSet, AskError> {
        self.answer(self.registry().decide(request)).await
    }

    pub async fn change_set(&self, request: GetChangeSetRequest) -> Result<ChangeSet, AskError> {
        self.answer(self.registry().get_change_set(request)).await
    }

    pub async fn change_sets(
        &self,
        request: ListChangeSetsRequest,
    ) -> Result<ListChangeSetsResponse, AskError> {
        self.answer(self.registry().list_change_sets(request)).await
    }

    /// One page of everything that the registry's store holds.
    pub async fn dump(&self, request: DumpRequest) -> Result<DumpResponse, AskError> {
        self.answer(self.registry().dump(request)).await
    }

    fn registry(&self) -> RegistryServiceClient<Channel> {
        RegistryServiceClient::new(self.channel.clone()).max_decoding_message_size(PAGE_BYTES_MAX)
    }

    /// Whether a consumer may use an operation, by what the node knows.
    pub async fn check_access(
        &self,
        question: &AccessQuestion,
    ) -> Result<CheckAccessResponse, AskError> {
        let mut client = CatalogueServiceClient::new(self.channel.clone());
        self.answer(client.check_access(write_access_question(question))).await
    }

    /// Has the centre keep an interface description.
    pub async fn put_description(
        &self,
        media_type: MediaType,
        content: Bytes,
    ) -> Result<PutDescriptionResponse, AskError> {
        let media_type = media_type.name().into();
        let mut client = CatalogueServiceClient::new(self.channel.clone());
        self.answer(client.put_description(PutDescriptionRequest { media_type, content })).await
    }

    /// The interface description of a service, as the node has it or gets it.
    pub async fn description(&self, service: &ServiceAddress) -> Result<Described, AskError> {
        let request = GetDescriptionRequest { service: service.to_string() };
        let mut client = CatalogueServiceClient::new(self.channel.clone());
        let answer = self.answer(client.get_description(request)).await?;
        read_described(answer)
            .map_err(|why| self.unanswered(Unanswered::Malformed { why: why.to_string() }))
    }

    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, AskError> {
        let (address, limit) = (self.address, ANSWER_TIME_MAX);
        let judged = async {
            match call.await {
                Ok(answer) => Ok(answer.into_inner()),
                Err(status) => Err(self.judge(&status).await),
            }
        };
        let judged = timeout(limit, judged).await;
        judged
            .unwrap_or(Err(Unanswered::Silent { address, limit }))
            .map_err(|reason| self.unanswered(reason))
    }

    /// A plain port shows no certificate, so that what the node says of itself is all there is.
    fn only_from_it(&self, found: &str) -> Result<(), AskError> {
        if found == self.dns_name {
            return Ok(());
        }
        let found = found.chars().take(mesh_core::node::DNS_NAME_BYTES_MAX).collect();
        Err(self.unanswered(Unanswered::OtherNode { address: self.address, found }))
    }

    pub(crate) fn unanswered(&self, reason: Unanswered) -> AskError {
        AskError { node: Box::new(self.node.clone()), reason }
    }

    async fn judge(&self, status: &Status) -> Unanswered {
        let address = self.address;
        if let Some(problem) = read_status(status) {
            return Unanswered::Refused(problem);
        }
        if status.source().is_none() {
            let message = status.message().into();
            return Unanswered::Status { address, code: status.code(), message };
        }
        if let Some(why) = explain(status) {
            return Unanswered::Handshake { address, why };
        }
        if let Some(error) = cause::<HandshakeError>(status) {
            return not_met(address, error);
        }
        match cause::<io::Error>(status) {
            Some(error) if was_refused(error) => {
                Unanswered::Unreachable { address, why: in_words(error) }
            }
            Some(error) => Unanswered::BrokeOff { address, why: in_words(error) },
            None => Unanswered::BrokeOff { address, why: innermost(status) },
        }
    }
}

/// A client for each of `names`, or for every node of `config` if there is none.
pub(crate) fn clients(config: &Config, names: &[String]) -> Result<Vec<NodeClient>, ConnectError> {
    if names.is_empty() {
        return config.nodes.iter().map(|node| NodeClient::to(config, node)).collect();
    }
    let mut clients: Vec<NodeClient> = Vec::new();
    for name in names {
        let client = NodeClient::connect(config, name)?;
        if clients.iter().all(|earlier| earlier.node != client.node) {
            clients.push(client);
        }
    }
    Ok(clients)
}

/// Asks all nodes, [`NODES_ASKED_MAX`] at once; answers come in the order of `clients`.
pub(crate) async fn ask_all<T>(
    clients: &[NodeClient],
    ask: impl AsyncFn(&NodeClient) -> Result<T, AskError>,
) -> Vec<Result<T, AskError>> {
    let ask = &ask;
    let answers = clients.iter().map(|client| async move { ask(client).await });
    stream::iter(answers).buffered(NODES_ASKED_MAX).collect().await
}

fn connector(
    config: &Config,
    node: &NodeName,
    certificates: &Certificates,
) -> Result<(Connector, Option<OperatorId>), TlsError> {
    let Certificates { chain_file, key_file, trust_file } = certificates;
    let identity = Identity::load(chain_file, key_file)?;
    // A certificate that breaks a rule is refused by the node, which says which.
    let operator = match identity.describe(&config.mesh).map(|described| described.node) {
        Ok(NodeName::Operator(operator)) => Some(operator),
        Ok(_) | Err(_) => None,
    };
    let trust = Trust::load(trust_file)?;
    let connector = Connector::new(&identity, trust, node.clone(), config.mesh.clone())?;
    Ok((connector, operator))
}

fn endpoint(host: &str) -> tonic::transport::Endpoint {
    let uri = format!("http://{host}").parse().expect("a DNS name or socket address is a host");
    // Dialling is bounded by the time for the answer as a whole.
    mesh_endpoint(uri)
}

fn not_met(address: SocketAddr, error: &HandshakeError) -> Unanswered {
    match error {
        HandshakeError::Dial { source, .. } => {
            Unanswered::Unreachable { address, why: in_words(source) }
        }
        HandshakeError::Timeout { limit } => Unanswered::Silent { address, limit: *limit },
        other => Unanswered::BrokeOff { address, why: sentence(other) },
    }
}

fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.last().map(ToString::to_string).unwrap_or_default()
}

fn was_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | TimedOut)
}

/// The kind alone where the system has one: numbers of errors tell an operator nothing.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other => error.to_string(),
        kind => kind.to_string(),
    }
}
