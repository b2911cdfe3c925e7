//! The promise of `Store` as tests, the same for every store: `store_contract!` makes a test of
//! each case. Nothing here supposes at which revision a store begins, or that revisions are dense.

mod compaction;
mod guards;
mod leases;
mod pages;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh_store::{
    Commit, CommitError, Guard, Item, KeyPrefix, PageOf, Store, StoreKey, StoreRevision, Write,
    read_all,
};

pub(crate) use compaction::*;
pub(crate) use guards::*;
pub(crate) use leases::*;
pub(crate) use pages::*;
pub(crate) use watches::*;

/// A store under test, empty at first, and what a test can do to it from outside.
#[async_trait]
pub(crate) trait Subject: Send {
    fn store(&self) -> Arc<dyn Store>;

    /// Ends the store as a power cut would, and starts it again.
    async fn restart(&mut self);

    /// Lets so much time pass, as the store sees it.
    async fn pass(&mut self, time: Duration);
}

/// Makes tests of all cases, each on a new [`Subject`] that `$subject().await` gives.
macro_rules! store_contract {
    ($subject:expr) => {
        contract::store_contract! { $subject =>
            a_value_is_there_once_it_is_committed,
            the_same_value_again_is_a_change,
            deleting_what_is_absent_changes_nothing,
            a_commit_of_the_largest_size_is_taken,
            a_commit_is_whole_or_not_at_all,
            an_absent_guard_holds_only_when_nothing_is_there,
            an_unchanged_guard_knows_the_last_change,
            the_first_guard_that_fails_is_named,
            of_two_that_expect_the_same_one_wins,
            counting_under_contention_loses_nothing,
            what_was_answered_outlives_a_restart,
            pages_are_in_the_order_of_keys_and_bounded,
            a_prefix_is_read_and_nothing_beside_it,
            pages_of_one_revision_show_one_state,
            every_revision_can_be_read,
            a_revision_that_never_was_is_ahead,
            large_values_make_short_pages,
            a_watch_tells_every_commit_once_and_whole,
            a_watch_begins_where_it_is_told,
            a_watch_sees_its_prefix_only,
            a_watch_loses_nothing_when_its_reader_gives_up_waiting,
            watches_go_on_beside_each_other,
            a_watch_sees_what_many_commit_at_once,
            compaction_keeps_its_revision_and_what_follows,
            compaction_forgets_what_was_before,
            compacting_again_or_further_back_is_no_error,
            what_was_compacted_stays_so_after_a_restart,
            a_lease_that_is_not_kept_takes_its_keys_along,
            a_lease_that_is_kept_lives,
            a_lease_that_is_revoked_ends_at_once,
            a_later_put_without_the_lease_outlives_it,
            a_lease_that_has_ended_takes_no_keys,
            a_lease_outlives_a_restart_and_still_ends,
        }
    };
    ($subject:expr => $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                contract::$case(&mut $subject().await).await;
            }
        )*
    };
}

pub(crate) use store_contract;

fn key(text: &str) -> StoreKey {
    text.parse().expect("the cases name good keys")
}

fn prefix(text: &str) -> KeyPrefix {
    text.parse().expect("the cases name good prefixes")
}

fn put(name: &str, value: &str) -> Write {
    Write::put(key(name), Bytes::copy_from_slice(value.as_bytes()))
}

fn delete(name: &str) -> Write {
    Write::Delete { key: key(name) }
}

/// Makes the writes, without a guard.
async fn write(store: &dyn Store, writes: Vec<Write>) -> StoreRevision {
    guarded(store, vec![], writes).await.expect("without a guard nothing is in the way")
}

async fn guarded(
    store: &dyn Store,
    guards: Vec<Guard>,
    writes: Vec<Write>,
) -> Result<StoreRevision, CommitError> {
    store.commit(Commit::new(guards, writes).expect("the cases make good commits")).await
}

/// What a prefix holds now, as `key=value`.
async fn now(store: &dyn Store, of: &str) -> Vec<String> {
    let (_, items) = read_all(store, prefix(of)).await.expect("a store reads");
    told(&items)
}

/// What a prefix held at a revision, as `key=value`.
async fn then(store: &dyn Store, of: &str, at: StoreRevision) -> Vec<String> {
    let page = store.page(&PageOf::prefix(prefix(of)).at(at)).await.expect("the past is there");
    assert_eq!((page.at, page.more), (at, false));
    told(&page.items)
}

fn told(items: &[Item]) -> Vec<String> {
    let value = |item: &Item| String::from_utf8_lossy(&item.value).into_owned();
    items.iter().map(|item| format!("{}={}", item.key, value(item))).collect()
}
