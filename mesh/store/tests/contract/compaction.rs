//! Compaction: what is before its revision is gone, and said to be gone; nothing else changes.

use std::sync::Arc;

use mesh_store::{PageOf, Store, StoreError, StoreRevision};

use super::{Subject, delete, now, prefix, put, then, write};

/// Five revisions of the keys below `c/`.
async fn history(store: &dyn Store) -> [StoreRevision; 5] {
    [
        write(store, vec![put("c/a", "1"), put("c/b", "1"), put("c/c", "1")]).await,
        write(store, vec![put("c/a", "2"), delete("c/b")]).await,
        write(store, vec![put("c/a", "3"), delete("c/c")]).await,
        write(store, vec![put("c/b", "4")]).await,
        write(store, vec![delete("c/a"), put("c/b", "5")]).await,
    ]
}

/// What a watcher that begins after a revision gets first.
async fn first_after(store: &Arc<dyn Store>, after: StoreRevision) -> Result<u64, StoreError> {
    let mut watch = store.watch(&prefix("c/"), after).await?;
    watch.next().await.map(|changed| changed.revision.0)
}

async fn is_forgotten(store: &Arc<dyn Store>, at: StoreRevision) {
    let gone = StoreError::Compacted { asked: at };
    let page = store.page(&PageOf::prefix(prefix("c/")).at(at)).await;
    assert_eq!(page.map(drop), Err(gone.clone()));
    assert_eq!(first_after(store, at).await, Err(gone));
}

pub(crate) async fn compaction_keeps_its_revision_and_what_follows(subject: &mut impl Subject) {
    let store = subject.store();
    let history = history(&*store).await;
    store.compact(history[2]).await.unwrap();
    assert_eq!(then(&*store, "c/", history[2]).await, ["c/a=3"]);
    assert_eq!(then(&*store, "c/", history[3]).await, ["c/a=3", "c/b=4"]);
    assert_eq!(now(&*store, "c/").await, ["c/b=5"]);
    assert_eq!(first_after(&store, history[2]).await, Ok(history[3].0));
    let mut watch = store.watch(&prefix("c/"), history[3]).await.unwrap();
    let changed = watch.next().await.unwrap();
    assert_eq!((changed.revision, changed.changes.len()), (history[4], 2));
}

pub(crate) async fn compaction_forgets_what_was_before(subject: &mut impl Subject) {
    let store = subject.store();
    let history = history(&*store).await;
    store.compact(history[2]).await.unwrap();
    for at in &history[..2] {
        is_forgotten(&store, *at).await;
    }
    // Up to the newest: what is left is what is there now.
    store.compact(history[4]).await.unwrap();
    for at in &history[..4] {
        is_forgotten(&store, *at).await;
    }
    assert_eq!(then(&*store, "c/", history[4]).await, ["c/b=5"]);
}

pub(crate) async fn compacting_again_or_further_back_is_no_error(subject: &mut impl Subject) {
    let store = subject.store();
    let history = history(&*store).await;
    for before in [history[2], history[2], history[0], StoreRevision(0)] {
        store.compact(before).await.unwrap();
        assert_eq!(then(&*store, "c/", history[2]).await, ["c/a=3"]);
        is_forgotten(&store, history[1]).await;
    }
}

pub(crate) async fn what_was_compacted_stays_so_after_a_restart(subject: &mut impl Subject) {
    let store = subject.store();
    let history = history(&*store).await;
    store.compact(history[3]).await.unwrap();
    drop(store);
    subject.restart().await;
    let store = subject.store();
    is_forgotten(&store, history[2]).await;
    assert_eq!(then(&*store, "c/", history[3]).await, ["c/a=3", "c/b=4"]);
    assert_eq!(first_after(&store, history[3]).await, Ok(history[4].0));
}
