//! An operator's program: proposes and decides by the messages themselves.

use bytes::Bytes;
use mesh_core::change_set::{Body, ChangeSet, Verdict, Written};
use mesh_core::directory::Cluster;
use mesh_core::directory::change::{ByKey, Change, Object};
use mesh_core::reason::Problem;
use mesh_proto::directory::read_object;
use mesh_proto::registry::{Decide, Page, write_decide, write_page};
use mesh_proto::status::read_status;
use mesh_proto::wire::registry::v1::registry_service_client::RegistryServiceClient;
use mesh_proto::wire::registry::v1::{
    DumpRequest, GetChangeSetRequest, ListChangeSetsRequest, ReadResponse, StoredItem,
    SubmitRequest,
};
use mesh_registry::digest::{of_object, seal, unseal};
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::files::Running;

pub(crate) struct Operator {
    name: &'static str,
    pub(crate) client: RegistryServiceClient<Channel>,
}

/// A change set as a test writes it.
pub(crate) fn body(author: &str, changes: Vec<Written>) -> Body {
    let author = author.parse().unwrap();
    let reason = "test".into();
    let written_at_unix_ms = 1_700_000_000_000;
    Body { base: (1, 1), changes, author, reason, written_at_unix_ms, part: None }
}

pub(crate) fn cluster(id: &str, name: &str) -> Object {
    let (name_fa, name_en) = ("خوشه".to_owned(), name.to_owned());
    let (id, intra_cluster) = (id.parse().unwrap(), Default::default());
    Object::Cluster(Cluster { id, name_fa, name_en, hub: false, intra_cluster })
}

/// A new cluster.
pub(crate) fn add(id: &str) -> Written {
    Written { change: Change::Put(cluster(id, "Cluster")), was: None }
}

/// Another name for a cluster that was made by [`add`].
pub(crate) fn rename(id: &str, name: &str) -> Written {
    let was = Some(of_object(&cluster(id, "Cluster")));
    Written { change: Change::Put(cluster(id, name)), was }
}

pub(crate) fn remove(object: &Object) -> Written {
    Written { change: Change::Remove(object.key()), was: Some(of_object(object)) }
}

impl Operator {
    /// The operator `sara`, whose key the directory lists.
    pub(crate) async fn sara(centre: &Running<'_>) -> Self {
        let channel = centre.dial(&centre.files.listed).await.unwrap();
        Self { name: "sara", client: RegistryServiceClient::new(channel) }
    }

    /// Another one.
    pub(crate) async fn nima(centre: &Running<'_>) -> Self {
        let channel = centre.dial(&centre.files.second).await.unwrap();
        Self { name: "nima", client: RegistryServiceClient::new(channel) }
    }

    pub(crate) async fn submit(&mut self, changes: Vec<Written>) -> Result<ChangeSet, Problem> {
        self.submit_body(&body(self.name, changes), false).await
    }

    pub(crate) async fn rehearse(&mut self, changes: Vec<Written>) -> Result<ChangeSet, Problem> {
        self.submit_body(&body(self.name, changes), true).await
    }

    pub(crate) async fn submit_body(
        &mut self,
        body: &Body,
        dry_run: bool,
    ) -> Result<ChangeSet, Problem> {
        self.submit_bytes(seal(body).bytes, dry_run).await
    }

    pub(crate) async fn submit_bytes(
        &mut self,
        body: Bytes,
        dry_run: bool,
    ) -> Result<ChangeSet, Problem> {
        let set = answer(self.client.submit(SubmitRequest { body, dry_run }).await)?;
        Ok(unseal(set).unwrap())
    }

    pub(crate) async fn decide(
        &mut self,
        set: &ChangeSet,
        verdict: Verdict,
    ) -> Result<ChangeSet, Problem> {
        let (id, sha256, reason) = (set.id, set.sha256, String::new());
        let decide = write_decide(&Decide { id, sha256, verdict, reason });
        Ok(unseal(answer(self.client.decide(decide).await)?).unwrap())
    }

    pub(crate) async fn change_set(&mut self, id: &str) -> Result<ChangeSet, Problem> {
        let request = GetChangeSetRequest { id: id.into() };
        Ok(unseal(answer(self.client.get_change_set(request).await)?).unwrap())
    }

    /// Ids and states, a page of two at a time.
    pub(crate) async fn list(&mut self, open: bool) -> Vec<(String, i32)> {
        let mut request = ListChangeSetsRequest { open, limit: 2, ..Default::default() };
        let mut found = Vec::new();
        loop {
            let page = answer(self.client.list_change_sets(request.clone()).await).unwrap();
            found.extend(page.change_sets.into_iter().map(|set| (set.id, set.state)));
            if page.next_after.is_empty() {
                return found;
            }
            request.after = page.next_after;
        }
    }

    pub(crate) async fn read(&mut self, page: &Page) -> Result<ReadResponse, Problem> {
        answer(self.client.read(write_page(page)).await)
    }

    /// Everything that the store holds.
    pub(crate) async fn dump(&mut self) -> Vec<StoredItem> {
        let mut request = DumpRequest::default();
        let mut items = Vec::new();
        loop {
            let page = answer(self.client.dump(request).await).unwrap();
            items.extend(page.items);
            if page.next_after.is_empty() {
                return items;
            }
            request = DumpRequest { after: page.next_after, at: page.at };
        }
    }
}

pub(crate) fn keys(answer: &ReadResponse) -> Vec<String> {
    let objects = answer.objects.iter().cloned();
    let objects = objects.map(|object| read_object(object).unwrap());
    let objects: ByKey = objects.map(|object| (object.key(), object)).collect();
    objects.keys().map(ToString::to_string).collect()
}

pub(crate) fn answer<T>(answer: Result<Response<T>, Status>) -> Result<T, Problem> {
    answer
        .map(Response::into_inner)
        .map_err(|status| read_status(&status).unwrap_or_else(|| panic!("{status:?}")))
}
