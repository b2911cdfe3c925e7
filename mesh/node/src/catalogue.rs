//! What a node knows of services beside carrying exchanges: whether a consumer may use one, and
//! what describes its interface.
//!
//! The centre keeps the texts of descriptions. A cluster hub asks it, and an agent asks its hub,
//! each in the name of the system that wants to read; whoever gets a text compares it with the
//! digest that its own directory has.

mod above;
mod serve;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use mesh_core::access::explain::explain;
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::exchange::Digest;
use mesh_core::reason::{Problem, Reason};
use mesh_core::service::{Description, MediaType};
use mesh_core::time::UnixMs;
use mesh_proto::catalogue::{AccessQuestion, Described, write_access_answer};
use mesh_proto::wire::catalogue::v1::CheckAccessResponse;
use mesh_rt::admin::CatalogueDesk;

use crate::node::Node;

pub(crate) use above::FromAbove;
pub(crate) use serve::service;

/// Where a node has the texts of descriptions from.
#[tonic::async_trait]
pub trait Texts: fmt::Debug + Send + Sync + 'static {
    /// The text that `description` names, for whom it is asked; `None` for the node's operator.
    async fn find(
        &self,
        service: &ServiceAddress,
        description: &Description,
        reader: Option<&SystemAddress>,
    ) -> Result<Bytes, Problem>;

    /// Keeps a text; tells the calls that it describes.
    async fn keep(
        &self,
        media_type: MediaType,
        content: Bytes,
    ) -> Result<(Described, Vec<String>), Problem>;
}

/// The texts that a node reaches, once it is known from where. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TextSource(Arc<OnceLock<Arc<dyn Texts>>>);

impl TextSource {
    /// Only the first time counts: a node has one source for its life.
    pub fn set(&self, texts: Arc<dyn Texts>) {
        let _ = self.0.set(texts);
    }
}

/// The catalogue of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    node: Node,
}

impl Catalogue {
    pub(crate) fn new(node: Node) -> Self {
        Self { node }
    }

    /// The description of `service` for `reader`, compared with what the directory says of it.
    async fn described(
        &self,
        service: &ServiceAddress,
        reader: Option<&SystemAddress>,
    ) -> Result<Described, Problem> {
        let unknown = |detail| self.node.problem(Reason::DescriptionUnknown, detail);
        let directory = self.node.directory.now();
        let description = directory.service(service).and_then(|found| found.description);
        let description = description
            .ok_or_else(|| unknown(format!("{service} has no interface description here")))?;
        let content = self.texts()?.find(service, &description, reader).await?;
        if digest(&content) != description.sha256 {
            return Err(unknown(format!(
                "the description of {service} that was found is not the one that the directory \
                 names"
            )));
        }
        Ok(Described { description, content })
    }

    fn texts(&self) -> Result<Arc<dyn Texts>, Problem> {
        let texts = self.node.texts.0.get().cloned();
        texts.ok_or_else(|| {
            let detail = "this node keeps no descriptions, and has nobody to ask for them";
            self.node.problem(Reason::DescriptionUnknown, detail)
        })
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
        self.texts()?.keep(media_type, content).await
    }

    async fn description(&self, service: &ServiceAddress) -> Result<Described, Problem> {
        self.described(service, None).await
    }
}

/// SHA-256 of a description.
pub fn digest(content: &[u8]) -> Digest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    Digest(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}
