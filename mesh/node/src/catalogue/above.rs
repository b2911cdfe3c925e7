//! The texts of descriptions from the neighbour above, over a connection of its own: they are asked
//! for seldom, and must not hold an exchange up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::node::NodeName;
use mesh_core::reason::{Problem, Reason};
use mesh_core::service::{DESCRIPTION_BYTES_MAX, Description, MediaType};
use mesh_link::dial::Connect;
use mesh_proto::catalogue::{Described, read_described};
use mesh_proto::status::read_status;
use mesh_proto::wire::catalogue::v1::FetchRequest;
use mesh_proto::wire::catalogue::v1::description_service_client::DescriptionServiceClient;
use tokio::time::timeout;

use super::Texts;
use crate::node::Node;

/// A description, and what stands around it in its message.
const ANSWER_BYTES_MAX: usize = DESCRIPTION_BYTES_MAX + 4096;

/// From the dial to the whole text. Shorter than the patience of an operator's tool.
const FETCH_TIME_MAX: Duration = Duration::from_secs(4);

/// See the module.
pub(crate) struct FromAbove {
    node: Node,
    connect: Arc<dyn Connect>,
}

impl FromAbove {
    pub(crate) fn new(node: Node, connect: Arc<dyn Connect>) -> Self {
        Self { node, connect }
    }

    async fn fetch(
        &self,
        service: &ServiceAddress,
        reader: &SystemAddress,
    ) -> Result<Described, Problem> {
        let failed = |why: String| {
            let detail = format!("the neighbour above handed out no description: {why}");
            self.node.problem(self.unreachable(), detail)
        };
        let channel = self.connect.connect().await;
        let channel = channel.map_err(|error| failed(self.connect.explain(&*error)))?;
        let mut client =
            DescriptionServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let request = FetchRequest { service: service.to_string(), consumer: reader.to_string() };
        let answer = client.fetch(request).await.map_err(|status| {
            read_status(&status).unwrap_or_else(|| failed(self.connect.explain(&status)))
        })?;
        read_described(answer.into_inner()).map_err(|why| failed(why.to_string()))
    }

    fn unreachable(&self) -> Reason {
        match &self.node.me.node {
            NodeName::Agent { .. } => Reason::HubUnreachable,
            _ => Reason::CentreUnreachable,
        }
    }
}

#[tonic::async_trait]
impl Texts for FromAbove {
    async fn find(
        &self,
        service: &ServiceAddress,
        _: &Description,
        reader: Option<&SystemAddress>,
    ) -> Result<Bytes, Problem> {
        let reader = match (reader, &self.node.me.node) {
            (Some(reader), _) => reader,
            (None, NodeName::Agent { system, .. }) => system,
            (None, _) => {
                let detail = "a hub reads nothing for itself: ask the centre, or an agent";
                return Err(self.node.problem(Reason::NotPermitted, detail));
            }
        };
        let fetched = timeout(FETCH_TIME_MAX, self.fetch(service, reader)).await;
        let fetched = fetched.unwrap_or_else(|_| {
            let limit_ms = FETCH_TIME_MAX.as_millis();
            let detail = format!("the neighbour above gave no description within {limit_ms} ms");
            Err(self.node.problem(self.unreachable(), detail))
        });
        Ok(fetched?.content)
    }

    async fn keep(&self, _: MediaType, _: Bytes) -> Result<(Described, Vec<String>), Problem> {
        let detail = "the centre alone keeps descriptions";
        Err(self.node.problem(Reason::DescriptionUnknown, detail))
    }
}

impl fmt::Debug for FromAbove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromAbove").finish_non_exhaustive()
    }
}
