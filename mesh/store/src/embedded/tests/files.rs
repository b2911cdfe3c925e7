//! Files that cannot be opened say why, and a file that can be is for one store at a time.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use redb::{Database, TableDefinition};

use super::super::tables;
use super::{held, key, open, put};
use crate::error::{CommitError, StoreError};
use crate::key::KeyPrefix;
use crate::page::StoreRevision;
use crate::store::Store;

#[tokio::test]
async fn a_file_is_made_for_its_owner_alone_and_kept_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    open(&file).await.unwrap().close().await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    for mode in [0o640, 0o604, 0o660, 0o644] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let why = open(&file).await.unwrap_err();
        assert!(
            matches!(&why, StoreError::Denied { check } if check.contains("want 600")),
            "{why}"
        );
    }
}

#[tokio::test]
async fn a_store_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    let store = open(&file).await.unwrap();
    let why = open(&file).await.unwrap_err();
    assert!(
        matches!(&why, StoreError::InUse { check } if check.contains("another process")),
        "{why}"
    );
    put(&store, "1").await.unwrap();
    store.close().await;
    assert_eq!(held(&open(&file).await.unwrap()).await, "1");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("registry")).await.unwrap();
    let mut watch = store.watch(&KeyPrefix::all(), StoreRevision(0)).await.unwrap();
    store.close().await;
    store.close().await;
    assert_eq!(put(&store, "1").await, Err(CommitError::Store(StoreError::Closed)));
    assert_eq!(store.get(&key("a")).await, Err(StoreError::Closed));
    assert_eq!(watch.next().await, Err(StoreError::Closed));
    assert_eq!(watch.next().await, Err(StoreError::Closed));
}

#[tokio::test]
async fn what_is_no_store_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [("empty", &b""[..]), ("text", &[b'x'; 5000])] {
        fs::write(path(name), content).unwrap();
        fs::set_permissions(path(name), Permissions::from_mode(0o600)).unwrap();
    }
    let table: TableDefinition<'_, &str, u64> = TableDefinition::new("theirs");
    let other = Database::create(path("other")).unwrap();
    let transaction = other.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert("a", 1).unwrap();
    transaction.commit().unwrap();
    drop(other);

    open(&path("newer")).await.unwrap().close().await;
    let newer = Database::open(path("newer")).unwrap();
    let transaction = newer.begin_write().unwrap();
    transaction.open_table(tables::NUMBERS).unwrap().insert(tables::FORMAT_OF, 2).unwrap();
    transaction.commit().unwrap();
    drop(newer);

    fs::set_permissions(path("other"), Permissions::from_mode(0o600)).unwrap();
    for (name, says) in [
        ("empty", "is empty"),
        ("text", ""),
        ("other", "another program's"),
        ("newer", "has format 2, and this program reads 1"),
        (".", "no regular file"),
    ] {
        let before = fs::read(path(name)).unwrap_or_default();
        let why = open(&path(name)).await.unwrap_err();
        assert!(matches!(&why, StoreError::Foreign { check } if check.contains(says)), "{why}");
        if name == "text" || name == "empty" {
            assert_eq!(fs::read(path(name)).unwrap(), before);
        }
    }
    let why = open(&path("none/registry")).await.unwrap_err();
    assert!(matches!(why, StoreError::Unavailable { .. }), "{why}");
}

#[tokio::test]
async fn a_file_that_was_never_finished_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    for left in [&b""[..], &[0; 100], &[0; 8192], &[b'x'; 8192]] {
        fs::write(folder.path().join("registry.unfinished"), left).unwrap();
        let store = open(&file).await.unwrap();
        put(&store, "1").await.unwrap();
        store.close().await;
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_file(&file).unwrap();
    }
}

/// What was altered since is found when the file is opened, or lies where nothing is kept.
#[tokio::test]
async fn damage_is_found_or_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    let store = open(&file).await.unwrap();
    for round in 0..5 {
        put(&store, &format!("{round}{}", "x".repeat(5000))).await.unwrap();
    }
    let want = held(&store).await;
    store.close().await;
    let good = fs::read(&file).unwrap();
    let mut found = 0;
    let places = (0..320).chain((320..good.len()).step_by(509));
    for place in places {
        let mut bad = good.clone();
        bad[place] ^= 0x55;
        fs::write(&file, &bad).unwrap();
        match open(&file).await {
            Ok(store) => {
                assert_eq!(held(&store).await, want, "with a wrong byte at {place}");
                store.close().await;
            }
            Err(StoreError::Corrupt { .. } | StoreError::Foreign { .. }) => found += 1,
            Err(why) => panic!("with a wrong byte at {place}: {why}"),
        }
    }
    assert!(10 < found, "{found} were found");
    for length in [100, 4096, good.len() / 2, good.len() - 1] {
        fs::write(&file, &good[..length]).unwrap();
        let why = open(&file).await.unwrap_err();
        assert!(matches!(why, StoreError::Corrupt { .. } | StoreError::Foreign { .. }), "{why}");
    }
}
