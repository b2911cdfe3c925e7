//! Everything at once: two writers that contend, a watch, compaction, and one fault after another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etcd_cluster::EtcdCluster;
use mesh_store::{CommitError, EtcdStore, KeyPrefix, Store as _, StoreRevision};

use crate::bed::{get, guarded, key, store, told};

/// Faults, one after the other. `MESH_LONG` makes it the second number.
const ROUNDS: usize = 6;
const ROUNDS_LONG: usize = 60;

/// How often a count is looked at that others change.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Commits that must get through in each state.
const COMMITS_PER_STEP: u64 = 10;

/// What writers and the watcher know of one key whose value is a count.
#[derive(Debug, Default)]
struct Ledger {
    is_over: AtomicBool,
    acknowledged: Mutex<Vec<(u64, StoreRevision)>>,
    unknown: AtomicU64,
    /// By the watch, in its order.
    told: Mutex<Vec<(u64, StoreRevision)>>,
}

impl Ledger {
    fn acknowledged(&self) -> u64 {
        self.acknowledged.lock().unwrap().len() as u64
    }

    fn last_told(&self) -> Option<StoreRevision> {
        self.told.lock().unwrap().last().map(|(_, revision)| *revision)
    }

    async fn wait_for_more(&self) {
        let goal = self.acknowledged() + COMMITS_PER_STEP;
        while self.acknowledged() < goal {
            tokio::time::sleep(POLL_EVERY).await;
        }
    }
}

/// Counts up until it is over. Whoever conflicts reads again, as a replica of the centre would.
async fn write(store: EtcdStore, ledger: Arc<Ledger>) {
    while !ledger.is_over.load(Ordering::SeqCst) {
        let Ok(found) = store.get(&key("count")).await else { continue };
        let count = found.as_ref().map_or(0, |item| count(&item.value)) + 1;
        let seen = found.map(|item| item.revision);
        match store.commit(guarded("count", &count.to_string(), seen)).await {
            Ok(revision) => ledger.acknowledged.lock().unwrap().push((count, revision)),
            Err(CommitError::Conflict { .. }) => {}
            // It is not made, and that is promised: the sum at the end would show it.
            Err(CommitError::Store(_)) => {}
            Err(CommitError::OutcomeUnknown { .. }) => {
                ledger.unknown.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

async fn watch(store: EtcdStore, ledger: Arc<Ledger>) {
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    loop {
        // An error fails the test: nothing was compacted that was not told.
        let (revision, words) = told(&mut watch).await;
        let value = words.strip_prefix("count=").expect("there is no other key");
        ledger.told.lock().unwrap().push((value.parse().unwrap(), revision));
    }
}

fn count(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

async fn fault(cluster: &mut EtcdCluster, round: usize, ledger: &Ledger) {
    let leader = cluster.leader().unwrap_or(0);
    let other = (leader + 1) % 3;
    match round % 4 {
        0 => {
            cluster.kill(leader);
            ledger.wait_for_more().await;
            cluster.restart(leader);
        }
        1 => {
            cluster.pause(leader);
            ledger.wait_for_more().await;
            cluster.resume(leader);
        }
        2 => {
            cluster.kill(other);
            ledger.wait_for_more().await;
            cluster.restart(other);
        }
        // The majority goes: nothing gets through until it is back.
        _ => {
            cluster.kill(leader);
            cluster.kill(other);
            cluster.spawn(leader);
            cluster.restart(other);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_nothing_acknowledged_is_lost_and_no_change_is_missed() {
    let rounds = if std::env::var_os("MESH_LONG").is_some() { ROUNDS_LONG } else { ROUNDS };
    let mut cluster = EtcdCluster::start(3);
    let ledger = Arc::<Ledger>::default();
    let writers: Vec<_> =
        (0..2).map(|_| tokio::spawn(write(store(&cluster), Arc::clone(&ledger)))).collect();
    let watching = tokio::spawn(watch(store(&cluster), Arc::clone(&ledger)));
    let store = store(&cluster);
    for round in 0..rounds {
        ledger.wait_for_more().await;
        fault(&mut cluster, round, &ledger).await;
        if let Some(revision) = ledger.last_told() {
            store.compact(revision).await.unwrap();
        }
    }
    ledger.is_over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    let last = get(&store, "count").await.unwrap();
    while ledger.last_told() < Some(last.revision) {
        assert!(!watching.is_finished(), "the watch has ended");
        tokio::time::sleep(POLL_EVERY).await;
    }
    watching.abort();

    let made = ledger.told.lock().unwrap();
    let counts: Vec<u64> = made.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, (1..=count(&last.value)).collect::<Vec<_>>(), "each change once, in order");
    let acknowledged = ledger.acknowledged.lock().unwrap();
    for commit in acknowledged.iter() {
        assert!(made.binary_search(commit).is_ok(), "{commit:?} was acknowledged and is lost");
    }
    let unknown = ledger.unknown.load(Ordering::SeqCst);
    let undecided = made.len() as u64 - acknowledged.len() as u64;
    assert!(undecided <= unknown, "{undecided} were made without a word, {unknown} were doubtful");
}
