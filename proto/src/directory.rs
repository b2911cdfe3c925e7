//! The directory: its objects, its feeds, and a whole one in a file: bytes to values and back.

use bytes::Bytes;
use mesh_core::directory::change::Object;
use mesh_core::directory::history::Head;
use mesh_core::directory::{Directory, DirectoryError, Objects};
use mesh_core::node::MeshDomain;
use prost::Message;

pub use self::agreement::{
    AGREEMENT_BYTES_MAX, read_agreement, read_agreement_file, read_terms, write_agreement,
    write_agreement_file, write_terms,
};
pub use self::feed::{
    ScopeSnapshot, Signature, read_entry, read_follow, read_heads, read_heartbeat,
    read_scope_snapshot, read_signature, write_entry, write_follow, write_heads, write_heartbeat,
    write_scope_snapshot, write_signature,
};
use self::feed::{read_hash, write_hash};
pub(crate) use self::object::write_agency;
pub use self::object::{read_change, read_object, write_change, write_object};
pub(crate) use self::service::write_contact;
pub use self::service::{read_description, write_description};
use crate::malformed::{Malformed, absent, parse};
use crate::wire::directory::v1 as wire;

mod agreement;
mod feed;
mod object;
mod service;

/// The scope that a file says it is of; it holds all.
const SCOPE_NATION: &str = "nation";

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

fn nation(field: &'static str, scope: &str) -> Result<(), Malformed> {
    if scope == SCOPE_NATION {
        return Ok(());
    }
    // What a peer sent is repeated only as far as a scope can be long.
    let scope: String = scope.chars().take(128).collect();
    Err(Malformed::new(field, format!("{scope:?}, want {SCOPE_NATION:?}")))
}

#[cfg(test)]
mod tests {
    use mesh_core::exchange::{Digest, DirectoryPosition};

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
