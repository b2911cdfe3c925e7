//! Reading what the store holds: change sets by id and in their order, and everything for a backup.

use mesh_core::change_set::ChangeSetId;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::malformed::Malformed;
use mesh_proto::registry::{SetsPage, write_summary};
use mesh_proto::wire::registry::v1 as wire;
use mesh_registry::digest::unseal;
use mesh_registry::layout;
use mesh_store::{Item, Page, PageOf, StoreKey, StoreRevision};
use prost::Message as _;

use super::desk::{Desk, Stored};

/// Change sets that are read from the store at once: each may be as large as a change set can be.
const SETS_READ: usize = 16;

impl Desk {
    /// The change set under `key`.
    pub(super) async fn stored(&self, key: &StoreKey) -> Result<Option<Stored>, Problem> {
        let item = self.store.get(key).await.map_err(|why| self.not_read(&why))?;
        item.map(|item| self.read_stored(&item)).transpose()
    }

    /// The change set whose id begins so, if there is one such.
    pub(super) async fn find(&self, id: &str) -> Result<wire::ChangeSet, Problem> {
        let prefix = layout::prefix(&format!("{}{id}", layout::CHANGES));
        let page = self.page(&PageOf::prefix(prefix).limit(2)).await?;
        let [item] = &page.items[..] else {
            let detail = match page.items.len() {
                0 => format!("the registry has no change set whose id begins with {id}"),
                _ => format!("several change sets have ids that begin with {id}: say more of it"),
            };
            return Err(self.node.problem(Reason::ChangeSetUnknown, detail));
        };
        wire::ChangeSet::decode(item.value.clone()).map_err(|why| self.damaged(&item.key, &why))
    }

    pub(super) async fn list(
        &self,
        page: SetsPage,
    ) -> Result<wire::ListChangeSetsResponse, Problem> {
        let SetsPage { open, after, since_unix_ms, limit } = page;
        let since = ChangeSetId::first_at(since_unix_ms);
        let after = after.map_or(since, |after| after.max(since));
        let (prefix, after) = match open {
            true => (layout::OPEN, layout::open(&after)),
            false => (layout::CHANGES, layout::change_set(&after)),
        };
        let mut of = PageOf::prefix(layout::prefix(prefix)).after(after);
        let mut answer = wire::ListChangeSetsResponse::default();
        loop {
            let room = limit - answer.change_sets.len();
            let page = self.page(&of.clone().limit(room.min(SETS_READ))).await?;
            for item in &page.items {
                answer.change_sets.extend(self.summary(item, open).await?);
            }
            let Some(next) = of.next(&page) else { return Ok(answer) };
            of = next;
            if limit <= answer.change_sets.len() {
                let last = answer.change_sets.last();
                answer.next_after = last.map_or(String::new(), |last| last.id.clone());
                return Ok(answer);
            }
        }
    }

    /// `None` for one that was closed since its mark was read.
    async fn summary(
        &self,
        item: &Item,
        open: bool,
    ) -> Result<Option<wire::ChangeSetSummary>, Problem> {
        let stored = match open {
            false => Some(self.read_stored(item)?),
            true => {
                let id = item.key.as_str().trim_start_matches(layout::OPEN);
                let id = id.parse().map_err(|why| self.damaged(&item.key, &why))?;
                self.stored(&layout::change_set(&id)).await?
            }
        };
        Ok(stored.map(|stored| write_summary(&stored.set, &self.rules)))
    }

    /// One page of everything.
    pub(super) async fn dump(
        &self,
        request: &wire::DumpRequest,
    ) -> Result<wire::DumpResponse, Problem> {
        let mut of = PageOf::prefix(layout::prefix(layout::ROOT));
        if !request.after.is_empty() {
            let after = request.after.parse().map_err(|why: mesh_store::KeyMalformed| {
                self.malformed(&Malformed::new("after", why))
            })?;
            of = of.after(after).at(StoreRevision(request.at));
        }
        let Page { at, items, more } = self.page(&of).await?;
        let last = items.last().filter(|_| more).map(|item| item.key.to_string());
        let items = items
            .into_iter()
            .map(|item| wire::StoredItem { key: item.key.to_string(), value: item.value });
        let next_after = last.unwrap_or_default();
        Ok(wire::DumpResponse { items: items.collect(), at: at.0, next_after })
    }

    async fn page(&self, of: &PageOf) -> Result<Page, Problem> {
        self.store.page(of).await.map_err(|why| self.not_read(&why))
    }

    fn read_stored(&self, item: &Item) -> Result<Stored, Problem> {
        let set = wire::ChangeSet::decode(item.value.clone());
        let set = set.map_err(|why| self.damaged(&item.key, &why))?;
        let set = unseal(set).map_err(|why| self.damaged(&item.key, &why))?;
        Ok(Stored { set, written: item.revision })
    }

    fn damaged(&self, key: &StoreKey, why: &dyn std::error::Error) -> Problem {
        let detail = format!("{key} cannot be read: {why}; see `hubctl registry verify`");
        self.node.problem(Reason::Internal, detail)
    }
}
