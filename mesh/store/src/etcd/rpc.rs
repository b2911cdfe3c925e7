//! etcd's calls as values: what is asked, who answers it, and the header that answers carry.

use std::time::Duration;

use futures_util::stream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Generated from `proto/etcd.proto`.
#[allow(clippy::all, missing_debug_implementations, unreachable_pub, unused_qualifications)]
mod wire {
    tonic::include_proto!("etcdserverpb");
}

pub(super) use wire::request_op::Request as Operation;
pub(super) use wire::response_op::Response as Outcome;
pub(super) use wire::*;

use wire::kv_client::KvClient;
use wire::lease_client::LeaseClient;
use wire::maintenance_client::MaintenanceClient;

/// The largest message that is taken from a member. A page is cut to be much smaller.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request with one answer.
pub(super) trait Rpc: Clone + Send + Sync {
    type Answer: Headed + Send;

    /// Asks one member, once. The member is told how long we wait.
    fn send(
        self,
        channel: Channel,
        wait_max: Duration,
    ) -> impl Future<Output = Result<Self::Answer, Status>> + Send;
}

/// An answer that says which cluster it is of.
pub(super) trait Headed {
    fn header(&self) -> Option<&ResponseHeader>;
}

/// `message => client :: method -> answer`, for calls of one message each way.
macro_rules! unary {
    ($($message:ident => $client:ident :: $method:ident -> $answer:ident;)*) => {$(
        impl Rpc for $message {
            type Answer = $answer;

            async fn send(self, channel: Channel, wait_max: Duration) -> Result<$answer, Status> {
                let mut request = Request::new(self);
                request.set_timeout(wait_max);
                let client = $client::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
                let mut client = client;
                client.$method(request).await.map(Response::into_inner)
            }
        }
    )*};
}

unary! {
    RangeRequest => KvClient::range -> RangeResponse;
    TxnRequest => KvClient::txn -> TxnResponse;
    CompactionRequest => KvClient::compact -> CompactionResponse;
    LeaseGrantRequest => LeaseClient::lease_grant -> LeaseGrantResponse;
    LeaseRevokeRequest => LeaseClient::lease_revoke -> LeaseRevokeResponse;
    LeaseTimeToLiveRequest => LeaseClient::lease_time_to_live -> LeaseTimeToLiveResponse;
    AlarmRequest => MaintenanceClient::alarm -> AlarmResponse;
    StatusRequest => MaintenanceClient::status -> StatusResponse;
}

impl Rpc for LeaseKeepAliveRequest {
    type Answer = LeaseKeepAliveResponse;

    /// A stream by etcd's interface. One that is kept open would have to be watched over; leases
    /// are kept seldom enough to open one each time.
    async fn send(self, channel: Channel, wait_max: Duration) -> Result<Self::Answer, Status> {
        let mut request = Request::new(stream::iter([self]));
        request.set_timeout(wait_max);
        let mut answers = LeaseClient::new(channel).lease_keep_alive(request).await?.into_inner();
        answers.message().await?.ok_or_else(|| Status::unavailable("the stream ended"))
    }
}

macro_rules! headed {
    ($($answer:ident)*) => {$(
        impl Headed for $answer {
            fn header(&self) -> Option<&ResponseHeader> {
                self.header.as_ref()
            }
        }
    )*};
}

headed! {
    RangeResponse TxnResponse CompactionResponse LeaseGrantResponse LeaseRevokeResponse
    LeaseKeepAliveResponse LeaseTimeToLiveResponse AlarmResponse StatusResponse WatchResponse
}

/// Opens a watch at one member. It stays open while the stream of answers is held.
pub(super) async fn open_watch(
    channel: Channel,
    create: WatchCreateRequest,
) -> Result<tonic::Streaming<WatchResponse>, Status> {
    use futures_util::StreamExt as _;
    let request_union = Some(watch_request::RequestUnion::CreateRequest(create));
    let requests = stream::iter([WatchRequest { request_union }]).chain(stream::pending());
    let mut request = Request::new(requests);
    // A member that has lost its majority then ends the watch, instead of falling silent.
    request.metadata_mut().insert("hasleader", "true".parse().expect("it is ASCII"));
    let client = watch_client::WatchClient::new(channel);
    let mut client = client.max_decoding_message_size(MESSAGE_BYTES_MAX);
    client.watch(request).await.map(Response::into_inner)
}
