//! Watches across connections and compaction: every change once, or a word that some are gone.

use std::time::Duration;

use etcd_cluster::{Detour, EtcdCluster, Setting};
use mesh_store::{Commit, KeyPrefix, Store as _, StoreError, StoreRevision, Write};

use crate::bed::{fill, key, put, store, store_at, told};

#[tokio::test]
async fn a_watch_goes_on_where_its_connection_was_cut() {
    let cluster = EtcdCluster::start(1);
    let detour = Detour::to(cluster.endpoints()[0]);
    let (through, direct) = (store_at(&cluster, &[detour.address()]), store(&cluster));
    let mut watch = through.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    for round in 0..5 {
        let revision = direct.commit(put("k", &round.to_string())).await.unwrap();
        assert_eq!(told(&mut watch).await, (revision, format!("k={round}")));
        detour.cut();
        direct.commit(put("unseen", "1")).await.unwrap();
        let both = vec![Write::put(key("b"), "1"), Write::Delete { key: key("unseen") }];
        direct.commit(Commit::new(vec![], both).unwrap()).await.unwrap();
        assert_eq!(told(&mut watch).await.1, "unseen=1");
        assert_eq!(told(&mut watch).await.1, "b=1 -unseen");
    }
}

#[tokio::test]
async fn a_watch_that_is_cut_and_compacted_away_says_so() {
    let cluster = EtcdCluster::start(1);
    let detour = Detour::to(cluster.endpoints()[0]);
    let (through, direct) = (store_at(&cluster, &[detour.address()]), store(&cluster));
    let first = direct.commit(put("k", "1")).await.unwrap();
    let mut watch = through.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    assert_eq!(told(&mut watch).await, (first, "k=1".into()));
    detour.lose_answers();
    let newest = fill(&direct, "other/", 5).await;
    direct.compact(newest).await.unwrap();
    detour.cut();
    assert_eq!(watch.next().await, Err(StoreError::Compacted { asked: first }));
    assert_eq!(watch.next().await, Err(StoreError::Closed));
    let again = direct.watch(&KeyPrefix::all(), first).await;
    assert_eq!(again.unwrap_err(), StoreError::Compacted { asked: first });
}

#[tokio::test]
async fn a_deletion_at_the_very_revision_of_a_compaction_is_not_missed() {
    let cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    let made = store.commit(put("k", "1")).await.unwrap();
    let deletion = Commit::new(vec![], vec![Write::Delete { key: key("k") }]).unwrap();
    let deleted = store.commit(deletion).await.unwrap();
    store.compact(deleted).await.unwrap();
    // etcd would take a watch from `deleted` on, and some versions then never tell the deletion.
    let missed = store.watch(&KeyPrefix::all(), made).await;
    assert_eq!(missed.unwrap_err(), StoreError::Compacted { asked: made });
    let mut watch = store.watch(&KeyPrefix::all(), deleted).await.unwrap();
    let next = store.commit(put("k", "2")).await.unwrap();
    assert_eq!(told(&mut watch).await, (next, "k=2".into()));
}

#[tokio::test]
async fn a_quiet_watch_outlives_compaction() {
    let progress_every = Duration::from_millis(100);
    let mut cluster = EtcdCluster::start_with(Setting { progress_every, ..Setting::default() });
    let store = std::sync::Arc::new(store(&cluster));
    let quiet: KeyPrefix = "quiet/".parse().unwrap();
    let mut watch = store.watch(&quiet, StoreRevision(0)).await.unwrap();
    // Polled all the time, so that it hears how far it has been told.
    let watching = tokio::spawn(async move { told(&mut watch).await });
    let newest = fill(&store, "loud/", 20).await;
    // Progress is told to the watch alone; another one, begun later, hears it later.
    let mut other = store.watch(&quiet, newest).await.unwrap();
    let waited = tokio::time::timeout(progress_every * 20, other.next()).await;
    assert!(waited.is_err(), "nothing is below the prefix yet");
    store.compact(newest).await.unwrap();
    cluster.kill(0);
    cluster.restart(0);
    let revision = store.commit(put("quiet/1", "x")).await.unwrap();
    assert_eq!(watching.await.unwrap(), (revision, "quiet/1=x".into()));
}

#[tokio::test]
async fn large_commits_are_told_whole() {
    let cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    let value = vec![b'v'; 10_000];
    let mut revisions = Vec::new();
    for _ in 0..5 {
        let writes = (0..100).map(|n| Write::put(key(&format!("k/{n:03}")), value.clone()));
        let commit = Commit::new(vec![], writes.collect()).unwrap();
        revisions.push(store.commit(commit).await.unwrap());
    }
    // From the beginning: etcd sends several commits in one answer, and cuts it in pieces.
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    for revision in revisions {
        let changed = watch.next().await.unwrap();
        assert_eq!((changed.revision, changed.changes.len()), (revision, 100));
    }
}

#[tokio::test]
async fn a_revision_that_never_was_is_ahead() {
    let cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    let newest = store.commit(put("k", "1")).await.unwrap();
    for asked in [StoreRevision(newest.0 + 1), StoreRevision(u64::MAX)] {
        let ahead = StoreError::Ahead { asked, newest };
        let watch = store.watch(&KeyPrefix::all(), asked).await;
        assert_eq!(watch.unwrap_err(), ahead);
        assert_eq!(store.compact(asked).await, Err(ahead));
    }
}

#[tokio::test]
async fn a_watch_of_a_cluster_that_was_set_back_says_so() {
    let mut cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    let newest = fill(&store, "k/", 3).await;
    cluster.kill(0);
    let backup = cluster.backup(0);
    cluster.restart(0);
    let mut watch = store.watch(&KeyPrefix::all(), newest).await.unwrap();
    let undone = store.commit(put("undone", "1")).await.unwrap();
    assert_eq!(told(&mut watch).await, (undone, "undone=1".into()));
    cluster.kill(0);
    cluster.set_back(0, &backup);
    cluster.restart(0);
    assert_eq!(watch.next().await, Err(StoreError::Ahead { asked: undone, newest }));
}
