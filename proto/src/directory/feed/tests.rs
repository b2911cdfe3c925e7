//! What a feed carries reads as it was written, and what is not whole is refused.

use mesh_core::directory::DirectoryKey;
use mesh_core::directory::change::Change;

use super::*;

fn digest_of(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn key() -> Object {
    Object::DirectoryKey(DirectoryKey { public_key: Ed25519Key::new([3; 32]) })
}

fn entry() -> Entry {
    Entry {
        scope: "agency/ir/gov/tax".parse().unwrap(),
        epoch: 3,
        revision: 9,
        previous: Some(digest_of(5)),
        changes: vec![Change::Put(key()), Change::Remove("cluster/health".parse().unwrap())],
        committed_at_unix_ms: 1_795_000_000_000,
    }
}

fn heads() -> BTreeMap<Scope, Head> {
    let head = |revision, hash| Head { epoch: 2, revision, hash: Some(digest_of(hash)) };
    let scope = |text: &str| text.parse().unwrap();
    BTreeMap::from([
        (Scope::Nation, head(7, 1)),
        (scope("cluster/health"), head(3, 2)),
        (scope("agency/ir/gov/tax"), head(6, 3)),
        (scope("agency/ir/gov-x/tax"), head(5, 4)),
    ])
}

fn heartbeat() -> Heartbeat {
    Heartbeat { sent_at_unix_ms: 1_795_000_000_000, epoch: 2, revision: 8, heads: heads() }
}

fn snapshot() -> ScopeSnapshot {
    let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
    let (scope, entry_hash) = (Scope::Nation, Some(digest_of(7)));
    ScopeSnapshot { mesh, scope, epoch: 2, revision: 7, entry_hash, objects: vec![key()] }
}

#[test]
fn each_reads_as_it_was_written() {
    for previous in [None, Some(digest_of(5))] {
        let entry = Entry { previous, ..entry() };
        assert_eq!(read_entry(&write_entry(&entry)), Ok(entry));
    }
    for entry_hash in [None, Some(digest_of(7))] {
        let snapshot = ScopeSnapshot { entry_hash, ..snapshot() };
        assert_eq!(read_scope_snapshot(&write_scope_snapshot(&snapshot)), Ok(snapshot));
    }
    assert_eq!(read_heartbeat(&write_heartbeat(&heartbeat())), Ok(heartbeat()));
    for have in [BTreeMap::new(), heads()] {
        assert_eq!(read_follow(&write_follow(&have)), Ok(have));
    }
    let signature = Signature { key: Ed25519Key::new([1; 32]), bytes: [2; 64] };
    assert_eq!(read_signature(Some(&write_signature(&signature))), Ok(signature));
}

#[test]
fn refuses_an_entry_that_is_not_whole() {
    type Wrong = fn(&mut wire::EntryBody);
    let cases: &[(&str, Wrong)] = &[
        ("entry.scope: \"house/9\"", |e| e.scope = "house/9".into()),
        ("entry.scope: is 201 long", |e| e.scope = "x".repeat(201)),
        ("entry.previous_hash: is 0 bytes", |e| e.previous_hash.clear()),
        ("change: is missing", |e| e.changes[0].kind = None),
        ("object: is missing", |e| {
            e.changes[0].kind = Some(wire::change::Kind::Put(wire::Object::default()));
        }),
        ("directory_key.public_key: is 0 bytes", |e| {
            let kind = wire::object::Kind::DirectoryKey(wire::DirectoryKey::default());
            let object = wire::Object { kind: Some(kind) };
            e.changes[0].kind = Some(wire::change::Kind::Put(object));
        }),
        ("change.remove: \"house/9\"", |e| {
            e.changes[0].kind = Some(wire::change::Kind::Remove("house/9".into()));
        }),
        ("entry.changes: is 201 long", |e| e.changes = vec![e.changes[0].clone(); 201]),
    ];
    for (want, change) in cases {
        let mut body = wire::EntryBody::decode(write_entry(&entry())).unwrap();
        change(&mut body);
        let error = read_entry(&body.encode_to_vec()).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} does not say {want:?}");
    }
    assert!(read_entry(&vec![0; SCOPE_ENTRY_BYTES_MAX + 1]).is_err());
}

#[test]
fn refuses_a_snapshot_that_is_not_whole() {
    type Wrong = fn(&mut wire::SnapshotBody);
    let cases: &[(&str, Wrong)] = &[
        ("snapshot.mesh: ", |s| s.mesh.clear()),
        ("snapshot.domain: ", |s| s.domain.clear()),
        ("snapshot.scope: ", |s| s.scope.clear()),
        ("snapshot.hash: is 3 bytes", |s| s.hash = Bytes::from_static(&[1; 3])),
        ("object: is missing", |s| s.objects[0].kind = None),
    ];
    for (want, change) in cases {
        let mut body = wire::SnapshotBody::decode(write_scope_snapshot(&snapshot())).unwrap();
        change(&mut body);
        let error = read_scope_snapshot(&body.encode_to_vec()).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} does not say {want:?}");
    }
}

#[test]
fn refuses_heads_that_are_not_one_for_each_scope_in_order() {
    type Wrong = fn(&mut Vec<wire::ScopeHead>);
    let cases: &[(&str, Wrong)] = &[
        ("not in the order", |heads| heads.reverse()),
        ("not in the order", |heads| heads[1] = heads[0].clone()),
        ("heartbeat.heads: is 31 bytes", |heads| heads[0].hash = vec![0; 31].into()),
        ("heartbeat.heads: is 0 bytes", |heads| heads[0].hash.clear()),
        ("heartbeat.heads: ", |heads| heads[0].scope = "agency/".into()),
    ];
    for (want, change) in cases {
        let mut body = wire::HeartbeatBody::decode(write_heartbeat(&heartbeat())).unwrap();
        change(&mut body.heads);
        let error = read_heartbeat(&body.encode_to_vec()).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} does not say {want:?}");
    }
    let mut twice = write_follow(&heads());
    twice.have.push(twice.have[0].clone());
    let error = read_follow(&twice).unwrap_err().to_string();
    assert_eq!(error, "follow.have: has two heads of agency/ir/gov-x/tax");
}

#[test]
fn what_is_not_signed_says_so() {
    assert_eq!(read_signature(None).unwrap_err().to_string(), "signature: is missing");
    let short = wire::DirectorySignature { key: vec![0; 32].into(), signature: vec![0; 63].into() };
    assert!(read_signature(Some(&short)).unwrap_err().to_string().contains("is 63 bytes"));
}
