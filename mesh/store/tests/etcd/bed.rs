//! A store on a cluster of the test's own, and the words that tests are written in.

use std::net::SocketAddr;

use etcd_cluster::{EtcdCluster, TlsFiles};
use mesh_store::{
    Change, Commit, EtcdConfig, EtcdEndpoints, EtcdStore, Guard, Item, Store as _, StoreKey,
    StoreRevision, Watch, Write,
};

pub(crate) fn config(addresses: &[SocketAddr], files: &TlsFiles) -> EtcdConfig {
    let endpoints = addresses.iter().map(|address| address.to_string().parse().unwrap()).collect();
    EtcdConfig {
        endpoints: EtcdEndpoints::new(endpoints).unwrap(),
        chain_file: files.chain_file.clone(),
        key_file: files.key_file.clone(),
        trust_file: files.trust_file.clone(),
        namespace: "nation".parse().unwrap(),
    }
}

/// A store that knows all members.
pub(crate) fn store(cluster: &EtcdCluster) -> EtcdStore {
    store_at(cluster, &cluster.endpoints())
}

pub(crate) fn store_at(cluster: &EtcdCluster, addresses: &[SocketAddr]) -> EtcdStore {
    EtcdStore::open(&config(addresses, cluster.client())).unwrap()
}

pub(crate) fn key(text: &str) -> StoreKey {
    text.parse().unwrap()
}

pub(crate) fn put(name: &str, value: &str) -> Commit {
    Commit::new(vec![], vec![Write::put(key(name), value.to_owned())]).unwrap()
}

/// A put that holds only for whoever saw the key as it was at `revision`, or saw none.
pub(crate) fn guarded(name: &str, value: &str, seen: Option<StoreRevision>) -> Commit {
    let guard = match seen {
        Some(revision) => Guard::Unchanged(key(name), revision),
        None => Guard::Absent(key(name)),
    };
    Commit::new(vec![guard], vec![Write::put(key(name), value.to_owned())]).unwrap()
}

pub(crate) async fn get(store: &EtcdStore, name: &str) -> Option<Item> {
    store.get(&key(name)).await.unwrap()
}

pub(crate) async fn value(store: &EtcdStore, name: &str) -> Option<String> {
    let item = get(store, name).await?;
    Some(String::from_utf8(item.value.to_vec()).unwrap())
}

/// Puts 0 to `count` under keys below `prefix`, and answers the last revision.
pub(crate) async fn fill(store: &EtcdStore, prefix: &str, count: usize) -> StoreRevision {
    let mut last = StoreRevision(0);
    for number in 0..count {
        last = store.commit(put(&format!("{prefix}{number:03}"), "v")).await.unwrap();
    }
    last
}

/// The next commit of a watch in one line, as `a/1=x -a/2`.
pub(crate) async fn told(watch: &mut Watch) -> (StoreRevision, String) {
    let changed = watch.next().await.unwrap();
    let words = changed.changes.iter().map(|change| match change {
        Change::Put { key, value } => format!("{key}={}", value.escape_ascii()),
        Change::Deleted { key } => format!("-{key}"),
    });
    (changed.revision, words.collect::<Vec<_>>().join(" "))
}
