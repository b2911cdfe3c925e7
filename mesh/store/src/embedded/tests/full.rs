//! A disk that is full is said to be full, harms nothing, and is written again when there is room.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::disk::Disk;
use super::super::{Embedded, SteadyClock};
use super::medium::Medium;
use super::{held, key, open, put};
use crate::error::{CommitError, StoreError};
use crate::lease::{LIFE_MIN, LeaseLife};
use crate::store::Store;

async fn mount(disk: Disk) -> Embedded {
    Embedded::open_disk(disk, Arc::new(SteadyClock::default())).await.unwrap()
}

/// Waits until the store reads again, and says what it holds.
async fn held_again(store: &Embedded) -> String {
    while let Err(why) = store.get(&key("a")).await {
        assert!(matches!(why, StoreError::Full { .. }), "{why}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    held(store).await
}

/// The disk is full from each of a commit's changes on, until there is room again.
#[tokio::test]
async fn a_commit_that_finds_no_room_is_not_made_and_the_next_one_is() {
    for is_once in [false, true] {
        for changes in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("registry");
            let medium = Medium::default();
            let store = mount(medium.disk(&file)).await;
            put(&store, "before").await.unwrap();
            let fail = if is_once { Medium::fail_once_after } else { Medium::fail_after };
            fail(&medium, changes, ErrorKind::StorageFull);
            let result = put(&store, "full").await;
            let is_hit = medium.mend();
            let found = held_again(&store).await;
            match result {
                Ok(_) => assert_eq!(found, "full"),
                Err(CommitError::Store(StoreError::Full { .. })) => assert_eq!(found, "before"),
                Err(CommitError::OutcomeUnknown { check }) => {
                    assert!(["before", "full"].contains(&&*found), "{found}: {check}");
                }
                Err(why) => panic!("{why}"),
            }
            put(&store, "after").await.unwrap();
            store.close().await;
            assert_eq!(held(&open(&file).await.unwrap()).await, "after");
            if !is_hit {
                assert!(4 < changes, "a commit is some writes and two syncs");
                break;
            }
        }
    }
}

/// A disk that fails otherwise is for a person to look at: nothing is tried again on it.
#[tokio::test]
async fn a_disk_that_fails_is_left_alone_and_nothing_is_lost() {
    for changes in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registry");
        let medium = Medium::default();
        let store = mount(medium.disk(&file)).await;
        put(&store, "before").await.unwrap();
        medium.fail_after(changes, ErrorKind::Other);
        let result = put(&store, "failed").await;
        let is_hit = medium.mend();
        if result.is_ok() {
            store.close().await;
            assert_eq!(held(&open(&file).await.unwrap()).await, "failed");
            if is_hit { continue } else { break }
        }
        let why = store.get(&key("a")).await.unwrap_err();
        assert!(
            matches!(&why, StoreError::Unavailable { check } if check.contains("see its disk"))
        );
        assert_eq!(put(&store, "again").await, Err(CommitError::Store(why)));
        store.close().await;
        let found = held(&open(&file).await.unwrap()).await;
        assert!(["before", "failed"].contains(&&*found), "{found}");
    }
}

/// A disk that is nearly full is not filled up, so that there is room to read, end and compact.
#[tokio::test]
async fn the_last_of_the_room_is_kept_for_making_room() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    let store = open(&file).await.unwrap();
    let revision = put(&store, "before").await.unwrap();
    let life = LeaseLife::new(LIFE_MIN).unwrap();
    let lease = store.grant(life).await.unwrap();
    store.close().await;

    let store = mount(never_enough(&file)).await;
    let why = put(&store, "full").await.unwrap_err();
    let CommitError::Store(StoreError::Full { check }) = &why else { panic!("{why}") };
    assert!(check.starts_with("less than") && check.contains("MiB are free"), "{check}");
    assert!(matches!(store.grant(life).await, Err(StoreError::Full { .. })));
    assert_eq!(held(&store).await, "before");
    store.compact(revision).await.unwrap();
    store.revoke(lease).await.unwrap();
}

fn never_enough(file: &Path) -> Disk {
    let mount = |builder: &redb::Builder, file| {
        builder.create_with_backend(redb::backends::FileBackend::new(file)?)
    };
    Disk::with(file, Box::new(mount), u64::MAX)
}
