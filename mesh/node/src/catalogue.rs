//! What a node knows of services beside carrying exchanges: whether a consumer may use one, and what
//! describes its interface.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::access::explain::explain;
use mesh_core::address::ServiceAddress;
use mesh_core::exchange::Digest;
use mesh_core::reason::{Problem, Reason};
use mesh_core::service::{Description, MediaType};
use mesh_core::time::UnixMs;
use mesh_proto::catalogue::{AccessQuestion, Described, write_access_answer};
use mesh_proto::wire::catalogue::v1::CheckAccessResponse;
use mesh_rt::admin::CatalogueDesk;

use crate::node::Node;

/// Where a node has the texts of descriptions from.
#[tonic::async_trait]
pub trait Descriptions: fmt::Debug + Send + Sync + 'static {
    /// The text that `description` names. Whoever asks compares the digest.
    async fn find(
        &self,
        service: &ServiceAddress,
        description: &Description,
    ) -> Result<Bytes, Problem>;

    /// Keeps a text; tells the calls that it describes.
    async fn keep(
        &self,
        media_type: MediaType,
        content: Bytes,
    ) -> Result<(Described, Vec<String>), Problem>;
}

/// The catalogue of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalogue {
    node: Node,
    descriptions: Arc<dyn Descriptions>,
}

impl Catalogue {
    pub fn new(node: Node, descriptions: Arc<dyn Descriptions>) -> Self {
        Self { node, descriptions }
    }

    /// The description of `service`, compared with what the directory says of it.
    pub(crate) async fn described(&self, service: &ServiceAddress) -> Result<Described, Problem> {
        let directory = self.node.directory.now();
        let found = directory.service(service).ok_or_else(|| {
            let detail = format!("{} knows no service {service}", self.node.hop());
            self.node.problem(Reason::DescriptionUnknown, detail)
        })?;
        let description = found.description.ok_or_else(|| {
            let detail = format!("{service} has no interface description");
            self.node.problem(Reason::DescriptionUnknown, detail)
        })?;
        let content = self.descriptions.find(service, &description).await?;
        if digest(&content) != description.sha256 {
            let detail = format!(
                "the description of {service} that was found is not the one that the directory \
                 names"
            );
            return Err(self.node.problem(Reason::DescriptionUnknown, detail));
        }
        Ok(Described { description, content })
    }
}

#[tonic::async_trait]
impl CatalogueDesk for Catalogue {
    fn check_access(&self, question: &AccessQuestion) -> CheckAccessResponse {
        let directory = self.node.directory.now();
        let now = UnixMs(self.node.clock.unix_ms());
        let explained = explain(&directory, &question.wish(), now);
        write_access_answer(&directory, question, explained.as_ref().map_err(|stop| &**stop))
    }

    async fn put_description(
        &self,
        media_type: MediaType,
        content: Bytes,
    ) -> Result<(Described, Vec<String>), Problem> {
        self.descriptions.keep(media_type, content).await
    }

    async fn description(&self, service: &ServiceAddress) -> Result<Described, Problem> {
        self.described(service).await
    }
}

/// SHA-256 of a description.
pub fn digest(content: &[u8]) -> Digest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    Digest(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}
