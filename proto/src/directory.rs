//! Snapshots and entries of a directory, and what a node asks to follow it: bytes to values and
//! back.

use bytes::Bytes;
use mesh_core::directory::change::{CHANGES_MAX, Object};
use mesh_core::directory::history::{ENTRY_BYTES_MAX, Entry, Head};
use mesh_core::directory::{Directory, DirectoryError, Objects};
use mesh_core::exchange::Digest;
use mesh_core::node::MeshDomain;
use prost::Message;

pub use self::agreement::{
    AGREEMENT_BYTES_MAX, read_agreement, read_agreement_file, read_terms, write_agreement,
    write_agreement_file, write_terms,
};
pub use self::object::{read_change, read_object, write_change, write_object};
use crate::malformed::{Malformed, absent, at_most, digest, parse};
use crate::wire::directory::v1 as wire;

mod agreement;
mod object;
mod service;

/// The only scope of protocol version 1.
const SCOPE_NATION: &str = "nation";

/// What stands for the hash of a head that has none (`EntryBody.previous_hash`).
const NO_HASH: [u8; 32] = [0; 32];

/// A directory and where its history stands.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub directory: Directory,
    pub head: Head,
}

/// Bytes that are no directory, and why.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("snapshot cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("snapshot does not fit together: {0}")]
    Directory(#[from] DirectoryError),
}

/// Reads the encoding of a `Snapshot`, whole or not at all.
pub fn read_snapshot(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    let snapshot = wire::Snapshot::decode(bytes).map_err(|why| Malformed::new("snapshot", why))?;
    absent("signature", snapshot.signature.is_none())?;
    let snapshot = wire::SnapshotBody::decode(snapshot.body)
        .map_err(|why| Malformed::new("snapshot.body", why))?;
    nation("scope", &snapshot.scope)?;
    let mesh = MeshDomain::new(parse("mesh", &snapshot.mesh)?, &snapshot.domain)
        .map_err(|why| Malformed::new("domain", why))?;
    let head = Head {
        epoch: snapshot.epoch,
        revision: snapshot.revision,
        hash: read_hash("hash", &snapshot.hash)?,
    };
    let objects = snapshot.objects.into_iter().map(read_object);
    let objects: Objects = objects.collect::<Result<_, _>>()?;
    Ok(Snapshot { directory: Directory::build(mesh, head.position(), objects)?, head })
}

/// The encoding of a `Snapshot` that holds `objects`, which are known to fit together.
pub fn write_snapshot(mesh: &MeshDomain, head: impl Into<Head>, objects: &Objects) -> Bytes {
    let Head { epoch, revision, hash } = head.into();
    let objects: Vec<Object> = objects.clone().into();
    let body = wire::SnapshotBody {
        mesh: mesh.mesh.to_string(),
        domain: mesh.domain().into(),
        scope: SCOPE_NATION.into(),
        epoch,
        revision,
        hash: write_hash(hash),
        objects: objects.iter().map(write_object).collect(),
    };
    let snapshot = wire::Snapshot { body: body.encode_to_vec().into(), signature: None };
    snapshot.encode_to_vec().into()
}

/// Reads the body of an entry, whole or not at all. Its SHA-256 is the hash of the head after it.
pub fn read_entry(body: &[u8]) -> Result<Entry, Malformed> {
    at_most("entry.body", body.len(), ENTRY_BYTES_MAX)?;
    let body = wire::EntryBody::decode(body).map_err(|why| Malformed::new("entry.body", why))?;
    nation("entry.scope", &body.scope)?;
    at_most("entry.changes", body.changes.len(), CHANGES_MAX)?;
    let previous = digest("entry.previous_hash", &body.previous_hash)?;
    Ok(Entry {
        epoch: body.epoch,
        revision: body.revision,
        previous: (previous.0 != NO_HASH).then_some(previous),
        changes: body.changes.into_iter().map(read_change).collect::<Result<_, _>>()?,
        committed_at_unix_ms: body.committed_at_unix_ms,
    })
}

/// The body of `entry`.
pub fn write_entry(entry: &Entry) -> Bytes {
    let previous = entry.previous.map_or(NO_HASH, |Digest(bytes)| bytes);
    let body = wire::EntryBody {
        scope: SCOPE_NATION.into(),
        epoch: entry.epoch,
        revision: entry.revision,
        previous_hash: Bytes::copy_from_slice(&previous),
        changes: entry.changes.iter().map(write_change).collect(),
        committed_at_unix_ms: entry.committed_at_unix_ms,
    };
    body.encode_to_vec().into()
}

/// What a node that follows has already; `None` where it wants a snapshot first.
pub fn read_follow(request: &wire::FollowRequest) -> Result<Option<Head>, Malformed> {
    let [scope] = &request.scopes[..] else {
        let why = format!("has {} scopes, want {SCOPE_NATION:?} alone", request.scopes.len());
        return Err(Malformed::new("follow.scopes", why));
    };
    nation("follow.scopes", scope)?;
    match &request.have[..] {
        [] => Ok(None),
        [have] => {
            nation("follow.have.scope", &have.scope)?;
            let hash = read_hash("follow.have.hash", &have.hash)?;
            Ok(Some(Head { epoch: have.epoch, revision: have.revision, hash }))
        }
        more => {
            let why = format!("has {} heads of one scope", more.len());
            Err(Malformed::new("follow.have", why))
        }
    }
}

/// The request of a node that has `have`.
pub fn write_follow(have: Option<Head>) -> wire::FollowRequest {
    let have = have.map(|Head { epoch, revision, hash }| wire::ScopeHead {
        scope: SCOPE_NATION.into(),
        epoch,
        revision,
        hash: write_hash(hash),
    });
    wire::FollowRequest { scopes: vec![SCOPE_NATION.into()], have: have.into_iter().collect() }
}

fn nation(field: &'static str, scope: &str) -> Result<(), Malformed> {
    if scope == SCOPE_NATION {
        return Ok(());
    }
    // What a peer sent is repeated only as far as a scope can be long.
    let scope: String = scope.chars().take(128).collect();
    Err(Malformed::new(field, format!("{scope:?}, want {SCOPE_NATION:?}")))
}

/// A hash that may be absent, which no bytes stand for.
fn read_hash(field: &'static str, bytes: &[u8]) -> Result<Option<Digest>, Malformed> {
    if bytes.is_empty() { Ok(None) } else { digest(field, bytes).map(Some) }
}

fn write_hash(hash: Option<Digest>) -> Bytes {
    hash.map_or(Bytes::new(), |Digest(bytes)| Bytes::copy_from_slice(&bytes))
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::change::Change;
    use mesh_core::exchange::DirectoryPosition;

    use super::*;
    use crate::wire::directory::v1::object::Kind;

    const SOURCE: &str = r#"
        [[clusters]]
        id = "economy"
        name_fa = "اقتصاد"
        name_en = "Economy"
        hub = true

        [[agencies]]
        address = "ir/gov/tax"
        name_fa = "مالیات"
        name_en = "Tax"

        [[systems]]
        address = "ir/gov/tax/debts"
        cluster = "economy"

        [[systems]]
        address = "ir/gov/tax/persons"
        attributes = ["base_database", "portal", "counter"]

        [[services]]
        address = "ir/gov/tax/debts/debt.v1"
        timeout_ms = 5000
        operations = [
            { id = "get", kind = "inquiry", method = "GET", path = "/{id}" },
            { id = "pay", kind = "submission", method = "POST", path = "/{id}/payments" },
        ]

        [[permissions]]
        id = "tax-debts"
        consumer = "ir/gov/tax/persons"
        service = "ir/gov/tax/debts/debt.v1"
        operations = ["get"]
        purposes = ["licence"]

        [[link_keys]]
        node = "hub.economy.mesh.ir"
        spki_sha256 = "abababababababababababababababababababababababababababababababab"
    "#;

    fn sample() -> (MeshDomain, DirectoryPosition, Objects) {
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let position = DirectoryPosition { epoch: 1, revision: 7, root: None };
        (mesh, position, toml::from_str(SOURCE).unwrap())
    }

    #[test]
    fn a_snapshot_reads_as_it_was_written() {
        let (mesh, position, objects) = sample();
        let bytes = write_snapshot(&mesh, position, &objects);
        let Snapshot { directory, head } = read_snapshot(&bytes).unwrap();
        assert_eq!((directory.position(), head), (position, Head::from(position)));
        assert_eq!(directory.mesh(), &mesh);
        assert_eq!(directory.objects(), objects);

        let head = Head { hash: Some(Digest([7; 32])), ..head };
        assert_eq!(read_snapshot(&write_snapshot(&mesh, head, &objects)).unwrap().head, head);
    }

    fn entry() -> Entry {
        let objects: Vec<Object> = sample().2.into();
        let removed = objects.iter().map(|object| Change::Remove(object.key()));
        let put = objects.iter().cloned().map(Change::Put);
        Entry {
            epoch: 3,
            revision: 9,
            previous: Some(Digest([5; 32])),
            changes: put.chain(removed).collect(),
            committed_at_unix_ms: 1_795_000_000_000,
        }
    }

    #[test]
    fn an_entry_reads_as_it_was_written() {
        for previous in [None, Some(Digest([5; 32]))] {
            let entry = Entry { previous, ..entry() };
            assert_eq!(read_entry(&write_entry(&entry)), Ok(entry));
        }
    }

    #[test]
    fn refuses_an_entry_that_is_not_whole() {
        type Wrong = fn(&mut wire::EntryBody);
        let cases: &[(&str, Wrong)] = &[
            ("entry.scope: \"agency/tax\"", |e| e.scope = "agency/tax".into()),
            ("entry.previous_hash: is 0 bytes", |e| e.previous_hash.clear()),
            ("change: is missing", |e| e.changes[0].kind = None),
            ("object: is missing", |e| {
                e.changes[0].kind = Some(wire::change::Kind::Put(wire::Object::default()));
            }),
            ("change.remove: \"house/9\"", |e| {
                e.changes[0].kind = Some(wire::change::Kind::Remove("house/9".into()));
            }),
            ("entry.changes: is 101 long", |e| e.changes = vec![e.changes[0].clone(); 101]),
        ];
        for (want, change) in cases {
            let mut body = wire::EntryBody::decode(write_entry(&entry())).unwrap();
            change(&mut body);
            let error = read_entry(&body.encode_to_vec()).expect_err(want).to_string();
            assert!(error.contains(want), "{error:?} does not say {want:?}");
        }
        assert!(read_entry(&vec![0; ENTRY_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn what_a_follower_has_reads_as_it_was_written() {
        let head = Head { epoch: 2, revision: 7, hash: Some(Digest([1; 32])) };
        for have in [None, Some(head), Some(Head { hash: None, ..head })] {
            assert_eq!(read_follow(&write_follow(have)), Ok(have));
        }
        let wrong = wire::FollowRequest { scopes: Vec::new(), have: Vec::new() };
        assert!(read_follow(&wrong).is_err());
        let whole = write_follow(Some(head));
        let wrong = wire::FollowRequest { scopes: vec!["cluster/tax".into()], ..whole.clone() };
        assert!(read_follow(&wrong).is_err());
        let twice = vec![whole.have[0].clone(), whole.have[0].clone()];
        assert!(read_follow(&wire::FollowRequest { have: twice, ..whole }).is_err());
    }

    fn service(snapshot: &mut wire::SnapshotBody) -> &mut wire::Service {
        let mut kinds = snapshot.objects.iter_mut().filter_map(|object| object.kind.as_mut());
        let service = kinds.find_map(|kind| match kind {
            Kind::Service(service) => Some(service),
            _ => None,
        });
        service.expect("the sample has one")
    }

    #[test]
    fn refuses_a_snapshot_whose_envelope_is_not_of_its_version() {
        let (mesh, position, objects) = sample();
        let whole = wire::Snapshot::decode(write_snapshot(&mesh, position, &objects)).unwrap();
        let signed = wire::Snapshot { signature: Some(Default::default()), ..whole };
        let broken = wire::Snapshot { body: Bytes::from_static(&[0xff]), signature: None };
        for (want, snapshot) in [("signature: belongs", signed), ("snapshot.body: ", broken)] {
            let error = read_snapshot(&snapshot.encode_to_vec()).expect_err(want).to_string();
            assert!(error.contains(want), "{error:?} does not say {want:?}");
        }
    }

    #[test]
    fn refuses_a_snapshot_that_is_not_whole() {
        type Change = fn(&mut wire::SnapshotBody);
        let cases: &[(&str, Change)] = &[
            ("scope: \"\"", |s| s.scope.clear()),
            ("mesh: ", |s| s.mesh.clear()),
            ("domain: ", |s| s.domain.clear()),
            ("hash: is 3 bytes", |s| s.hash = Bytes::from_static(&[1; 3])),
            ("object: is missing", |s| s.objects[0].kind = None),
            ("terms.quota: ", |s| {
                s.objects[0].kind = Some(Kind::Agreement(wire::Agreement::default()));
            }),
            ("operator: belongs", |s| {
                s.objects[0].kind = Some(Kind::Operator(wire::Operator::default()));
            }),
            ("operation.subject: subject is neither", |s| {
                service(s).operations[0].subject = "somebody".into();
            }),
            ("link_key.spki_sha256: is 0 bytes", |s| {
                s.objects
                    .push(wire::Object { kind: Some(Kind::LinkKey(wire::LinkKey::default())) });
            }),
            ("is not in the directory", |s| {
                s.objects.remove(0);
            }),
        ];
        for (want, change) in cases {
            let (mesh, position, objects) = sample();
            let whole = write_snapshot(&mesh, position, &objects);
            let mut snapshot = wire::Snapshot::decode(whole).unwrap();
            let mut body = wire::SnapshotBody::decode(snapshot.body).unwrap();
            change(&mut body);
            snapshot.body = body.encode_to_vec().into();
            let error = read_snapshot(&snapshot.encode_to_vec()).expect_err(want).to_string();
            assert!(error.contains(want), "{error:?} does not say {want:?}");
        }
    }
}
