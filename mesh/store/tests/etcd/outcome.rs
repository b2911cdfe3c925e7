//! Answers that are lost: a commit is made once, and whoever made it is told so.

use std::sync::Arc;

use etcd_cluster::{Detour, EtcdCluster};
use mesh_store::{Commit, CommitError, EtcdStore, Guard, Store as _, Write};

use crate::bed::{get, guarded, key, put, store, store_at, value};

/// A store whose only way to etcd is one that loses answers, and a store that has another.
fn two_ways(cluster: &EtcdCluster) -> (Detour, Arc<EtcdStore>, EtcdStore) {
    let detour = Detour::to(cluster.endpoints()[0]);
    let through = Arc::new(store_at(cluster, &[detour.address()]));
    (detour, through, store(cluster))
}

/// Waits until `name` is there, as somebody else sees it.
async fn until_there(store: &EtcdStore, name: &str) {
    while get(store, name).await.is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_made_once_and_known() {
    let cluster = EtcdCluster::start(1);
    let (detour, through, direct) = two_ways(&cluster);
    // Guards nothing that it writes: nothing but its own mark keeps it from being made twice.
    let blind = Commit::new(vec![], vec![Write::put(key("blind"), "once")]).unwrap();
    for (name, commit) in [("guarded", guarded("guarded", "once", None)), ("blind", blind)] {
        through.commit(put("before", name)).await.unwrap();
        detour.lose_answers();
        let committing = Arc::clone(&through);
        let committed = tokio::spawn(async move { committing.commit(commit).await });
        until_there(&direct, name).await;
        let made = get(&direct, name).await.unwrap().revision;
        // By now another may have gone on from there; the first commit's answer stays the same.
        let later = direct.commit(guarded(name, "later", Some(made))).await.unwrap();
        detour.cut();
        assert_eq!(committed.await.unwrap(), Ok(made), "{name}");
        assert_eq!(get(&direct, name).await.unwrap().revision, later, "{name}");
    }
}

#[tokio::test]
async fn a_conflict_after_a_lost_answer_is_final() {
    let cluster = EtcdCluster::start(1);
    let (detour, through, direct) = two_ways(&cluster);
    let seen = through.commit(put("k", "1")).await.unwrap();
    direct.commit(put("k", "2")).await.unwrap();
    detour.lose_answers();
    let committing = Arc::clone(&through);
    let stale = guarded("k", "3", Some(seen));
    let committed = tokio::spawn(async move { committing.commit(stale).await });
    // Something of this commit has been sent by then, or not: the outcome must be the same.
    direct.commit(put("meanwhile", "x")).await.unwrap();
    detour.cut();
    assert_eq!(committed.await.unwrap(), Err(CommitError::Conflict { key: key("k") }));
    assert_eq!(value(&direct, "k").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn where_nobody_answers_any_more_the_outcome_is_unknown() {
    let mut cluster = EtcdCluster::start(1);
    let (detour, through, direct) = two_ways(&cluster);
    through.commit(put("before", "x")).await.unwrap();
    detour.lose_answers();
    let committing = Arc::clone(&through);
    let committed = tokio::spawn(async move { committing.commit(guarded("k", "1", None)).await });
    until_there(&direct, "k").await;
    cluster.kill(0);
    detour.cut();
    let outcome = committed.await.unwrap();
    assert!(matches!(outcome, Err(CommitError::OutcomeUnknown { .. })), "{outcome:?}");
    // What is said to be unknown may well have been made.
    cluster.restart(0);
    assert_eq!(value(&direct, "k").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_was_never_sent_was_not_made() {
    let mut cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    store.commit(put("before", "x")).await.unwrap();
    cluster.kill(0);
    // A first try on the connection that just broke may count as sent.
    let _refused = store.get(&key("k")).await;
    let outcome = store.commit(guarded("k", "1", None)).await;
    assert!(matches!(outcome, Err(CommitError::Store(_))), "{outcome:?}");
    cluster.restart(0);
    assert_eq!(get(&store, "k").await, None);
}

#[tokio::test]
async fn the_first_guard_that_fails_is_the_one_named() {
    let cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    let one = store.commit(put("a", "1")).await.unwrap();
    let two = store.commit(put("b", "1")).await.unwrap();
    let guards = vec![
        Guard::Unchanged(key("b"), two),
        Guard::Unchanged(key("a"), two),
        Guard::Absent(key("d")),
    ];
    let commit = Commit::new(guards, vec![Write::put(key("c"), "x")]).unwrap();
    assert_eq!(store.commit(commit).await, Err(CommitError::Conflict { key: key("a") }));
    let guards = vec![Guard::Unchanged(key("b"), two), Guard::Unchanged(key("a"), one)];
    let commit = Commit::new(guards, vec![Write::put(key("c"), "x")]).unwrap();
    assert!(two < store.commit(commit).await.unwrap());
}
