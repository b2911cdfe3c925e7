//! Directories that move on, by entry and by snapshot, in memory and on disk.

use mesh_core::directory::change::{Change, Object};
use mesh_core::directory::scope::Scope;
use mesh_core::directory::{Cluster, Objects};
use mesh_core::exchange::DirectoryPosition;
use prost::Message as _;

use super::*;

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

fn begin() -> LiveDirectory {
    let position = DirectoryPosition { epoch: 1, revision: 1, root: None };
    let directory = Directory::build(mesh(), position, Objects::default()).unwrap();
    LiveDirectory::in_memory(directory)
}

fn put(id: &str) -> Change {
    let (name_fa, name_en) = (String::new(), String::new());
    let intra_cluster = Default::default();
    let id = id.parse().unwrap();
    Change::Put(Object::Cluster(Cluster { id, name_fa, name_en, hub: true, intra_cluster }))
}

/// The entry that comes next at `directory`.
fn next(directory: &LiveDirectory, changes: Vec<Change>) -> Entry {
    let Head { epoch, revision, hash } = directory.head();
    let (scope, revision) = (Scope::Nation, revision + 1);
    Entry { scope, epoch, revision, previous: hash, changes, committed_at_unix_ms: 7 }
}

fn clusters(directory: &LiveDirectory) -> Vec<String> {
    directory.now().clusters().map(|cluster| cluster.id.to_string()).collect()
}

/// Takes what `from` says that `to` lacks.
async fn catch_up(to: &LiveDirectory, from: &LiveDirectory) -> &'static str {
    match from.since(Some(to.head())).1 {
        Lacks::Nothing => "nothing",
        Lacks::Entries(entries) => {
            for entry in entries {
                to.take_entry(&entry).await.unwrap();
            }
            "entries"
        }
        Lacks::Snapshot(encoded) => {
            let snapshot = wire::Snapshot::decode(encoded).unwrap();
            to.take_snapshot(&snapshot).await.unwrap();
            "snapshot"
        }
    }
}

#[tokio::test]
async fn a_follower_catches_up_by_the_entries_that_it_lacks() {
    let (centre, hub, agent) = (begin(), begin(), begin());
    assert_eq!(catch_up(&hub, &centre).await, "nothing");
    for id in ["a", "b"] {
        centre.commit(&next(&centre, vec![put(id)])).await.unwrap();
    }
    assert_eq!(catch_up(&hub, &centre).await, "entries");
    centre
        .commit(&next(&centre, vec![Change::Remove("cluster/a".parse().unwrap())]))
        .await
        .unwrap();
    assert_eq!(catch_up(&hub, &centre).await, "entries");
    // What a hub was told it hands on, byte by byte.
    assert_eq!(catch_up(&agent, &hub).await, "entries");
    for directory in [&centre, &hub, &agent] {
        assert_eq!(clusters(directory), ["b"]);
        assert_eq!(directory.head(), centre.head());
        assert_eq!(directory.now().position().revision, 4);
    }
}

#[tokio::test]
async fn who_is_too_far_behind_gets_a_snapshot_and_who_is_ahead_waits() {
    let (centre, hub) = (begin(), begin());
    for number in 0..=TAIL_ENTRIES_MAX {
        centre.commit(&next(&centre, vec![put(&format!("c{}", number % 3))])).await.unwrap();
    }
    let late = hub.head();
    assert!(matches!(centre.since(Some(late)).1, Lacks::Snapshot(_)));
    assert!(matches!(centre.since(None).1, Lacks::Snapshot(_)));
    assert_eq!(catch_up(&hub, &centre).await, "snapshot");
    assert_eq!(hub.head(), centre.head());
    assert!(matches!(begin().since(Some(hub.head())).1, Lacks::Nothing));
    // After a snapshot, entries follow again.
    centre.commit(&next(&centre, vec![put("new")])).await.unwrap();
    assert_eq!(catch_up(&hub, &centre).await, "entries");
}

#[tokio::test]
async fn what_does_not_follow_changes_nothing() {
    let directory = begin();
    directory.commit(&next(&directory, vec![put("a")])).await.unwrap();
    let before = directory.head();
    let sound = next(&directory, vec![put("b")]);
    let wrong = [
        Entry { revision: 1, ..sound.clone() },
        Entry { previous: None, ..sound.clone() },
        Entry { epoch: 2, ..sound.clone() },
        Entry { changes: vec![Change::Remove("cluster/none".parse().unwrap())], ..sound.clone() },
    ];
    for entry in &wrong {
        assert!(directory.commit(entry).await.is_err(), "{entry:?}");
        let body = mesh_proto::directory::write_entry(entry);
        let taken = directory.take_entry(&wire::Entry { body, signature: None }).await;
        assert!(taken.is_err(), "{entry:?}");
    }
    let garbage = wire::Entry { body: Bytes::from_static(b"\xff"), signature: None };
    assert!(matches!(directory.take_entry(&garbage).await, Err(NotTaken::Malformed(_))));
    assert_eq!((directory.head(), clusters(&directory)), (before, vec!["a".to_owned()]));
}

#[tokio::test]
async fn an_older_or_another_directory_is_kept_out() {
    let directory = begin();
    directory.commit(&next(&directory, vec![put("a")])).await.unwrap();
    let snapshot = |mesh: &MeshDomain, head: Head| {
        wire::Snapshot::decode(write_snapshot(mesh, head, &Objects::default())).unwrap()
    };
    let head = directory.head();
    let older = snapshot(&mesh(), Head { revision: 1, hash: None, ..head });
    let split = snapshot(&mesh(), Head { hash: None, ..head });
    let newer = Head { revision: 9, ..head };
    let foreign = snapshot(&MeshDomain::new("tr".parse().unwrap(), "mesh.tr").unwrap(), newer);
    let refused = async |offered| directory.take_snapshot(offered).await.unwrap_err().to_string();
    assert_eq!(
        refused(&older).await,
        "nation: revision 1.1 is older than 1.2, which this node has"
    );
    assert!(refused(&split).await.contains("is not the one of this number"));
    assert_eq!(refused(&foreign).await, "it is of another mesh");
    assert_eq!(directory.head(), head);
    directory.take_snapshot(&snapshot(&mesh(), newer)).await.unwrap();
    assert_eq!(directory.head(), newer);
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("directory.pb");
    let position = DirectoryPosition { epoch: 1, revision: 1, root: None };
    std::fs::write(&file, write_snapshot(&mesh(), position, &Objects::default())).unwrap();
    let load = || LiveDirectory::load(&file, &mesh()).unwrap();

    let (centre, node) = (begin(), load());
    centre.commit(&next(&centre, vec![put("a")])).await.unwrap();
    assert_eq!(catch_up(&node, &centre).await, "entries");
    let again = load();
    assert_eq!((again.head(), clusters(&again)), (centre.head(), vec!["a".to_owned()]));
    // And it goes on from there.
    centre.commit(&next(&centre, vec![put("b")])).await.unwrap();
    assert_eq!(catch_up(&again, &centre).await, "entries");

    // A commit that cannot be kept is none.
    std::fs::remove_dir_all(folder.path()).unwrap();
    let before = again.head();
    let failed = again.commit(&next(&again, vec![put("c")])).await;
    assert!(matches!(failed, Err(NotTaken::Store(_))), "{failed:?}");
    assert_eq!(again.head(), before);
}
