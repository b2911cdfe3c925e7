//! The texts of interface descriptions, in the registry's store and apart from its objects: under
//! their digests, in parts that one commit takes.

use std::sync::Arc;

use bytes::Bytes;
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::exchange::Digest;
use mesh_core::reason::{Problem, Reason};
use mesh_core::service::{Description, MediaType};
use mesh_node::Node;
use mesh_node::catalogue::{Texts, digest};
use mesh_proto::catalogue::Described;
use mesh_registry::layout;
use mesh_store::{Commit, Store, Write};

/// Bytes of a part. One commit holds one part and its key.
const PART_BYTES: usize = 512 * 1024;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Descriptions {
    node: Node,
    store: Arc<dyn Store>,
}

impl Descriptions {
    pub(crate) fn new(node: Node, store: Arc<dyn Store>) -> Self {
        Self { node, store }
    }

    /// The text with this digest; `None` where it was never kept.
    pub(crate) async fn read(&self, description: &Description) -> Result<Option<Bytes>, Problem> {
        let length = description.length_bytes as usize;
        let mut content = Vec::new();
        for part in 0..length.div_ceil(PART_BYTES) {
            let item = self.store.get(&layout::description(&description.sha256, part)).await;
            match item.map_err(|why| self.unavailable(&why))? {
                Some(item) => content.extend_from_slice(&item.value),
                None => return Ok(None),
            }
        }
        Ok((digest(&content) == description.sha256).then(|| content.into()))
    }

    /// Keeps a text part by part. Parts that no service names harm nobody, and the same text again
    /// writes the same.
    async fn write(&self, sha256: Digest, content: &Bytes) -> Result<(), Problem> {
        for part in 0..content.len().div_ceil(PART_BYTES) {
            let (from, to) = (part * PART_BYTES, content.len().min((part + 1) * PART_BYTES));
            let (key, value) = (layout::description(&sha256, part), content.slice(from..to));
            let put = Write::Put { key, value, lease: None };
            let commit = Commit::new(Vec::new(), vec![put]);
            let commit = commit.map_err(|why| self.unavailable(&why))?;
            let written = self.store.commit(commit).await;
            written.map_err(|why| self.unavailable(&why))?;
        }
        Ok(())
    }

    fn unavailable(&self, why: &dyn std::fmt::Display) -> Problem {
        let detail = format!("the store of the registry did not do as asked: {why}");
        self.node.problem(Reason::RegistryUnavailable, detail)
    }
}

#[tonic::async_trait]
impl Texts for Descriptions {
    async fn find(
        &self,
        service: &ServiceAddress,
        description: &Description,
        _: Option<&SystemAddress>,
    ) -> Result<Bytes, Problem> {
        self.read(description).await?.ok_or_else(|| {
            let detail = format!("the description of {service} is not in the store");
            self.node.problem(Reason::DescriptionUnknown, detail)
        })
    }

    async fn keep(
        &self,
        media_type: MediaType,
        content: Bytes,
    ) -> Result<(Described, Vec<String>), Problem> {
        let interface = mesh_describe::read(media_type, &content)
            .map_err(|why| self.node.problem(Reason::RegistryRefused, why.to_string()))?;
        let sha256 = digest(&content);
        self.write(sha256, &content).await?;
        let length_bytes = content.len() as u32;
        let description = Description { sha256, media_type, length_bytes };
        let calls = interface.calls.iter().map(mesh_describe::words).collect();
        Ok((Described { description, content }, calls))
    }
}
