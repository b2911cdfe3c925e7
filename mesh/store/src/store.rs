//! What every store promises.

use std::fmt;

use async_trait::async_trait;

use crate::commit::Commit;
use crate::error::{CommitError, StoreError};
use crate::key::{KeyPrefix, StoreKey};
use crate::lease::{LeaseId, LeaseLife};
use crate::page::{Item, Page, PageOf, StoreRevision};
use crate::watch::Watch;

/// Values under keys, changed by commits in one order.
///
/// **One truth.** What a commit or the end of a lease changed is seen by every call that begins
/// after the commit was answered. No call ever sees half a commit.
///
/// **A past.** A store knows its states from its compaction on, up to now: `page` and `watch` take
/// any revision of these, `Compacted` says that one is too old, and `Ahead` that it never was.
/// Revision 0 is the state before the first commit: no items.
///
/// **Cancelling.** A call that nobody waits for any more may still do what it was asked, or not.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What is under `key` now.
    async fn get(&self, key: &StoreKey) -> Result<Option<Item>, StoreError>;

    /// Items below a prefix, of now or of an older revision. Pages of one revision show one state,
    /// whatever is committed meanwhile. At least one item when there is one; at most the limit that
    /// was asked for, and [`crate::PAGE_BYTES_MAX`].
    async fn page(&self, of: &PageOf) -> Result<Page, StoreError>;

    /// Makes all writes if all guards hold, else none. Durable when it answers: not even a loss of
    /// power undoes it. The revision is larger than any before; if the writes changed nothing, it
    /// is one at which nothing was there to change.
    async fn commit(&self, commit: Commit) -> Result<StoreRevision, CommitError>;

    /// All commits later than `after` that change a key below `prefix`: each once and whole, in
    /// their order, without end. Goes on by itself when the store was away. That `after` is not
    /// known is said at once, or as the watch's first item; that a watcher was so slow that the
    /// store has forgotten what comes next, as its last one.
    async fn watch(&self, prefix: &KeyPrefix, after: StoreRevision) -> Result<Watch, StoreError>;

    /// A lease that ends when it is not kept for its life. It never ends earlier; it may end some
    /// seconds later, and has a new full life when the store starts again. What is under it then
    /// goes in one commit.
    async fn grant(&self, life: LeaseLife) -> Result<LeaseId, StoreError>;

    /// Gives a lease its full life again. `LeaseEnded` when it is too late.
    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// Ends a lease now, with what is under it. `LeaseEnded` when it has none.
    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// Forgets all states before this revision, and keeps that one and the later ones. What is
    /// forgotten already is no error; `Ahead` when there is no such revision yet.
    async fn compact(&self, before: StoreRevision) -> Result<(), StoreError>;
}

/// All items below a prefix, page by page, of one revision: what to begin a `watch` with.
pub async fn read_all(
    store: &dyn Store,
    prefix: KeyPrefix,
) -> Result<(StoreRevision, Vec<Item>), StoreError> {
    let mut of = PageOf::prefix(prefix);
    let mut items = Vec::new();
    loop {
        let mut page = store.page(&of).await?;
        let next = of.next(&page);
        items.append(&mut page.items);
        match next {
            Some(next) => of = next,
            None => return Ok((page.at, items)),
        }
    }
}
