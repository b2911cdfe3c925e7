//! Leases: what is under one stays while it is kept, and goes in one commit when it ends.

use std::time::Duration;

use mesh_store::{
    Change, CommitError, LIFE_MIN, LeaseId, LeaseLife, Store, StoreError, StoreRevision, Write,
};

use super::{Subject, delete, guarded, key, now, prefix, put, write};

const SHORT: Duration = LIFE_MIN;

fn life(duration: Duration) -> LeaseLife {
    LeaseLife::new(duration).expect("the cases name good lives")
}

fn leased(name: &str, lease: LeaseId) -> Write {
    Write::Put { key: key(name), value: "leased".into(), lease: Some(lease) }
}

/// Waits for the next commit below `l/` and names the keys that it deleted.
async fn deleted_after(store: &dyn Store, after: StoreRevision) -> Vec<String> {
    let mut watch = store.watch(&prefix("l/"), after).await.unwrap();
    let changed = watch.next().await.unwrap();
    let deleted = changed.changes.iter().map(|change| match change {
        Change::Deleted { key } => key.to_string(),
        Change::Put { key, .. } => panic!("{key} was put"),
    });
    deleted.collect()
}

pub(crate) async fn a_lease_that_is_not_kept_takes_its_keys_along(subject: &mut impl Subject) {
    let store = subject.store();
    let lease = store.grant(life(SHORT)).await.unwrap();
    let other = store.grant(life(Duration::from_secs(3600))).await.unwrap();
    assert_ne!(lease, other);
    let writes = vec![leased("l/b", lease), leased("l/a", lease), leased("l/c", other)];
    let after = write(&*store, [writes, vec![put("l/d", "free")]].concat()).await;
    subject.pass(SHORT).await;
    // All of them in one commit.
    assert_eq!(deleted_after(&*store, after).await, ["l/a", "l/b"]);
    assert_eq!(now(&*store, "l/").await, ["l/c=leased", "l/d=free"]);
    assert_eq!(store.keep(lease).await, Err(StoreError::LeaseEnded { lease }));
    store.keep(other).await.unwrap();
}

pub(crate) async fn a_lease_that_is_kept_lives(subject: &mut impl Subject) {
    let store = subject.store();
    let lease = store.grant(life(SHORT * 3)).await.unwrap();
    write(&*store, vec![leased("l/a", lease)]).await;
    for _ in 0..4 {
        subject.pass(SHORT).await;
        store.keep(lease).await.unwrap();
    }
    assert_eq!(now(&*store, "l/").await, ["l/a=leased"]);
}

pub(crate) async fn a_lease_that_is_revoked_ends_at_once(subject: &mut impl Subject) {
    let store = subject.store();
    let lease = store.grant(life(Duration::from_secs(3600))).await.unwrap();
    let after = write(&*store, vec![leased("l/a", lease), leased("l/b", lease)]).await;
    store.revoke(lease).await.unwrap();
    assert_eq!(now(&*store, "l/").await, [] as [&str; 0]);
    assert_eq!(deleted_after(&*store, after).await, ["l/a", "l/b"]);
    assert_eq!(store.revoke(lease).await, Err(StoreError::LeaseEnded { lease }));
    assert_eq!(store.keep(lease).await, Err(StoreError::LeaseEnded { lease }));
}

pub(crate) async fn a_later_put_without_the_lease_outlives_it(subject: &mut impl Subject) {
    let store = subject.store();
    let one = store.grant(life(Duration::from_secs(3600))).await.unwrap();
    let two = store.grant(life(Duration::from_secs(3600))).await.unwrap();
    let names = ["l/a", "l/b", "l/c", "l/d"];
    write(&*store, names.iter().map(|name| leased(name, one)).collect()).await;
    write(&*store, vec![put("l/a", "free"), leased("l/b", two), delete("l/c")]).await;
    write(&*store, vec![put("l/c", "new")]).await;
    store.revoke(one).await.unwrap();
    assert_eq!(now(&*store, "l/").await, ["l/a=free", "l/b=leased", "l/c=new"]);
    store.revoke(two).await.unwrap();
    assert_eq!(now(&*store, "l/").await, ["l/a=free", "l/c=new"]);
}

pub(crate) async fn a_lease_that_has_ended_takes_no_keys(subject: &mut impl Subject) {
    let store = subject.store();
    let lease = store.grant(life(Duration::from_secs(3600))).await.unwrap();
    store.revoke(lease).await.unwrap();
    let never = LeaseId(lease.0.wrapping_add(77));
    for lease in [lease, never] {
        let writes = vec![put("l/a", "1"), leased("l/b", lease)];
        let refused = guarded(&*store, vec![], writes).await;
        assert_eq!(refused, Err(CommitError::Store(StoreError::LeaseEnded { lease })));
    }
    assert_eq!(now(&*store, "l/").await, [] as [&str; 0]);
}

pub(crate) async fn a_lease_outlives_a_restart_and_still_ends(subject: &mut impl Subject) {
    let store = subject.store();
    let lease = store.grant(life(SHORT * 2)).await.unwrap();
    let after = write(&*store, vec![leased("l/a", lease)]).await;
    drop(store);
    subject.restart().await;
    let store = subject.store();
    store.keep(lease).await.unwrap();
    assert_eq!(now(&*store, "l/").await, ["l/a=leased"]);
    subject.pass(SHORT * 2).await;
    assert_eq!(deleted_after(&*store, after).await, ["l/a"]);
}
