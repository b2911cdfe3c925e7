//! Members that die, hang and come back, under commits that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etcd_cluster::EtcdCluster;
use mesh_store::{CommitError, EtcdStore, KeyPrefix, Store as _, StoreError, StoreRevision};
use tokio::task::JoinHandle;

use crate::bed::{get, guarded, key, put, store, told, value};

/// Counts a key up by guarded commits until told to stop: the value is the number of commits.
struct Counter {
    stop: Arc<AtomicBool>,
    counting: JoinHandle<Vec<(u64, StoreRevision)>>,
}

impl Counter {
    fn start(store: Arc<EtcdStore>, name: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let counting = tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                let Ok(found) = store.get(&key(name)).await else { continue };
                let seen = found.as_ref().map(|item| item.revision);
                let count = found.map_or(0, |item| number(&item.value));
                let next = guarded(name, &(count + 1).to_string(), seen);
                match store.commit(next).await {
                    Ok(revision) => acknowledged.push((count + 1, revision)),
                    // The only writer of this key: a conflict would be its own lost commit.
                    Err(CommitError::Conflict { key }) => panic!("{key} changed by nobody"),
                    Err(CommitError::OutcomeUnknown { .. } | CommitError::Store(_)) => {}
                }
            }
            acknowledged
        });
        Self { stop, counting }
    }

    async fn stop(self) -> Vec<(u64, StoreRevision)> {
        self.stop.store(true, Ordering::SeqCst);
        self.counting.await.unwrap()
    }
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

async fn until_it_counts(store: &EtcdStore, name: &str, at_least: u64) {
    loop {
        let found = store.get(&key(name)).await;
        if found.is_ok_and(|item| item.is_some_and(|item| at_least <= number(&item.value))) {
            return;
        }
    }
}

/// Every acknowledged commit is in the history that a watch tells, at its revision, once.
async fn check_nothing_is_lost(store: &EtcdStore, acknowledged: &[(u64, StoreRevision)]) {
    let last = acknowledged.last().expect("some commits were acknowledged").1;
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    let mut history = Vec::new();
    loop {
        let (revision, words) = told(&mut watch).await;
        history.push((revision, words));
        if last <= revision {
            break;
        }
    }
    for (count, revision) in acknowledged {
        let want = (*revision, format!("counter={count}"));
        assert!(history.contains(&want), "commit {count} at {revision} is lost");
    }
    assert!(history.is_sorted_by(|one, next| one.0 < next.0), "a commit is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_commit_is_lost_while_members_die_and_come_back() {
    let mut cluster = EtcdCluster::start(3);
    let store = Arc::new(store(&cluster));
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    let counter = Counter::start(Arc::clone(&store), "counter");
    let mut goal = 10;
    until_it_counts(&store, "counter", goal).await;
    // Each member once, the leader among them, wherever it is by then.
    for member in [cluster.leader().unwrap_or(0), 0, 1, 2] {
        cluster.kill(member);
        goal += 10;
        until_it_counts(&store, "counter", goal).await;
        cluster.restart(member);
    }
    let acknowledged = counter.stop().await;
    check_nothing_is_lost(&store, &acknowledged).await;
    // A watch that was there all the time was told the same, across all its connections.
    let last = acknowledged.last().unwrap().0;
    let mut expected = 1;
    while expected <= last {
        let (_, words) = told(&mut watch).await;
        assert_eq!(words, format!("counter={expected}"));
        expected += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_hangs_is_passed_over() {
    let mut cluster = EtcdCluster::start(3);
    let store = Arc::new(store(&cluster));
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    store.commit(put("k", "0")).await.unwrap();
    assert_eq!(told(&mut watch).await.1, "k=0");
    // Of all members the one that is asked first, and where the watch is.
    cluster.pause(0);
    store.commit(put("k", "1")).await.unwrap();
    assert_eq!(value(&store, "k").await.as_deref(), Some("1"));
    assert_eq!(told(&mut watch).await.1, "k=1");
    cluster.resume(0);
    cluster.kill(1);
    store.commit(put("k", "2")).await.unwrap();
    assert_eq!(told(&mut watch).await.1, "k=2");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nothing_is_promised_and_nothing_is_read() {
    let mut cluster = EtcdCluster::start(3);
    let store = store(&cluster);
    let seen = store.commit(put("k", "1")).await.unwrap();
    cluster.kill(1);
    cluster.kill(2);
    let read = store.get(&key("k")).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    let outcome = store.commit(guarded("k", "2", Some(seen))).await;
    assert!(matches!(outcome, Err(CommitError::OutcomeUnknown { .. })), "{outcome:?}");
    cluster.restart(1);
    // Whether it was made or not, all agree on it.
    let item = get(&store, "k").await.unwrap();
    let next = store.commit(guarded("k", "3", Some(item.revision))).await.unwrap();
    assert_eq!(get(&store, "k").await.unwrap().revision, next);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_all_members_were_killed() {
    let mut cluster = EtcdCluster::start(3);
    let store = store(&cluster);
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    let before = store.commit(put("before", "1")).await.unwrap();
    assert_eq!(told(&mut watch).await, (before, "before=1".into()));
    (0..3).for_each(|member| cluster.kill(member));
    (0..2).for_each(|member| cluster.spawn(member));
    cluster.restart(2);
    assert_eq!(value(&store, "before").await.as_deref(), Some("1"));
    let after = store.commit(put("after", "2")).await.unwrap();
    assert_eq!(told(&mut watch).await, (after, "after=2".into()));
}
