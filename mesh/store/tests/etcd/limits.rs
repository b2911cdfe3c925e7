//! Sizes and space: what is too much is a reason of its own, and a page is never too large.

use etcd_cluster::{EtcdCluster, Setting};
use mesh_store::{
    Commit, CommitError, GUARDS_MAX, Guard, KEY_BYTES_MAX, KeyPrefix, PAGE_BYTES_MAX, PageOf,
    Store as _, StoreError, WRITES_MAX, Write, read_all,
};

use crate::bed::{get, key, put, store};

#[tokio::test]
async fn the_largest_commit_fits() {
    let cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    let long = |n: usize| key(&format!("{}/{n:03}", "k".repeat(KEY_BYTES_MAX - 4)));
    let value = vec![b'v'; 9_400];
    let writes: Vec<_> = (0..WRITES_MAX).map(|n| Write::put(long(n), value.clone())).collect();
    let guards: Vec<_> = (0..GUARDS_MAX).map(|n| Guard::Absent(long(n))).collect();
    let commit = Commit::new(guards, writes).unwrap();
    store.commit(commit.clone()).await.unwrap();
    assert_eq!(store.commit(commit).await, Err(CommitError::Conflict { key: long(0) }));
}

#[tokio::test]
async fn pages_keep_their_bounds_whatever_the_items_are() {
    let cluster = EtcdCluster::start(1);
    let store = store(&cluster);
    // Small ones first, so that the large ones come as a surprise.
    for (part, size) in [("a", 10), ("b", 100_000), ("c", 900_000)] {
        for n in 0..100 {
            let value = vec![b'v'; size];
            let write = Write::put(key(&format!("{part}/{n:03}")), value);
            store.commit(Commit::new(vec![], vec![write]).unwrap()).await.unwrap();
            if part == "c" && n == 20 {
                break;
            }
        }
    }
    let mut of = PageOf::prefix(KeyPrefix::all());
    let mut keys = Vec::new();
    loop {
        let page = store.page(&of).await.unwrap();
        let bytes: usize = page.items.iter().map(|item| item.value.len()).sum();
        assert!(bytes <= PAGE_BYTES_MAX && !page.items.is_empty(), "{bytes} bytes");
        keys.extend(page.items.iter().map(|item| item.key.clone()));
        // What is committed between pages shows in none of them.
        store.commit(put("d/later", "x")).await.unwrap();
        match of.next(&page) {
            Some(next) => of = next,
            None => break,
        }
    }
    assert_eq!(keys.len(), 221);
    assert!(keys.is_sorted());
}

#[tokio::test]
async fn a_full_etcd_reads_and_says_that_it_is_full() {
    let setting = Setting { quota_bytes: 4 * 1024 * 1024, ..Setting::default() };
    let cluster = EtcdCluster::start_with(setting);
    let store = store(&cluster);
    let mut made = 0;
    let refused = loop {
        let write = Write::put(key(&format!("k/{made:03}")), vec![b'v'; 500_000]);
        match store.commit(Commit::new(vec![], vec![write]).unwrap()).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 100, "the quota is never used up");
    };
    assert!(matches!(refused, CommitError::Store(StoreError::Full { .. })), "{refused}");
    assert!(refused.to_string().contains("NOSPACE"), "{refused}");
    // Not one more than was acknowledged, though etcd may make a commit and then complain.
    let (_, items) = read_all(&store, KeyPrefix::all()).await.unwrap();
    assert_eq!(items.len(), made);
    assert_eq!(get(&store, "none").await, None);
    let state = store.members().await.remove(0).state.unwrap();
    assert_eq!(state.alarms, ["NOSPACE"]);
}
