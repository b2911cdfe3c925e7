//! Snapshots of a directory: bytes to values and back.

use bytes::Bytes;
use mesh_core::address::{AgencyAddress, ServiceAddress, SystemAddress};
use mesh_core::directory::{
    Agency, Attribute, Cluster, Directory, DirectoryError, IntraCluster, LinkKey, Objects,
    Permission, Service, System,
};
use mesh_core::exchange::{Digest, DirectoryPosition};
use mesh_core::node::MeshDomain;
use mesh_core::operation::Operation;
use prost::Message;

use crate::header::{read_kind, write_kind};
use crate::malformed::{Malformed, absent, digest, parse, parse_optional};
use crate::wire::directory::v1 as wire;
use crate::wire::directory::v1::object::Kind;

/// The only scope of protocol version 1.
const SCOPE_NATION: &str = "nation";

/// Bytes that are no directory, and why.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("snapshot cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("snapshot does not fit together: {0}")]
    Directory(#[from] DirectoryError),
}

/// Reads the encoding of a `Snapshot`, whole or not at all.
pub fn read_snapshot(bytes: &[u8]) -> Result<Directory, SnapshotError> {
    let snapshot = wire::Snapshot::decode(bytes).map_err(|why| Malformed::new("snapshot", why))?;
    absent("signature", snapshot.signature.is_none())?;
    let snapshot = wire::SnapshotBody::decode(snapshot.body)
        .map_err(|why| Malformed::new("snapshot.body", why))?;
    if snapshot.scope != SCOPE_NATION {
        let why = format!("{:?}, want {SCOPE_NATION:?}", snapshot.scope);
        return Err(Malformed::new("scope", why).into());
    }
    absent("hash", snapshot.hash.is_empty())?;
    let mesh = MeshDomain::new(parse("mesh", &snapshot.mesh)?, &snapshot.domain)
        .map_err(|why| Malformed::new("domain", why))?;
    let mut objects = Objects::default();
    for object in snapshot.objects {
        read_object(object, &mut objects)?;
    }
    let position =
        DirectoryPosition { epoch: snapshot.epoch, revision: snapshot.revision, root: None };
    Ok(Directory::build(mesh, position, objects)?)
}

/// The encoding of a `Snapshot` that holds `objects`, which are known to fit together.
pub fn write_snapshot(mesh: &MeshDomain, position: DirectoryPosition, objects: &Objects) -> Bytes {
    let Objects { clusters, agencies, systems, services, permissions, link_keys } = objects;
    let kinds = (clusters.iter().map(write_cluster))
        .chain(agencies.iter().map(write_agency))
        .chain(systems.iter().map(write_system))
        .chain(services.iter().map(write_service))
        .chain(permissions.iter().map(write_permission))
        .chain(link_keys.iter().map(write_link_key));
    let body = wire::SnapshotBody {
        mesh: mesh.mesh.to_string(),
        domain: mesh.domain().into(),
        scope: SCOPE_NATION.into(),
        epoch: position.epoch,
        revision: position.revision,
        hash: Bytes::new(),
        objects: kinds.map(|kind| wire::Object { kind: Some(kind) }).collect(),
    };
    let snapshot = wire::Snapshot { body: body.encode_to_vec().into(), signature: None };
    snapshot.encode_to_vec().into()
}

fn read_object(object: wire::Object, objects: &mut Objects) -> Result<(), Malformed> {
    match object.kind.ok_or(Malformed::missing("object"))? {
        Kind::Cluster(cluster) => objects.clusters.push(read_cluster(cluster)?),
        Kind::Agency(agency) => {
            let address: AgencyAddress = parse("agency.address", &agency.address)?;
            let (name_fa, name_en) = (agency.name_fa, agency.name_en);
            objects.agencies.push(Agency { address, name_fa, name_en });
        }
        Kind::System(system) => objects.systems.push(read_system(&system)?),
        Kind::Service(service) => objects.services.push(read_service(service)?),
        Kind::Permission(permission) => objects.permissions.push(read_permission(&permission)?),
        Kind::LinkKey(key) => {
            let spki_sha256 = digest("link_key.spki_sha256", &key.spki_sha256)?.to_string();
            objects.link_keys.push(LinkKey { node: key.node, spki_sha256 });
        }
        Kind::Agreement(_) => return Err(Malformed::too_new("agreement")),
        Kind::MemberKey(_) => return Err(Malformed::too_new("member_key")),
        Kind::Replica(_) => return Err(Malformed::too_new("replica")),
        Kind::Operator(_) => return Err(Malformed::too_new("operator")),
    }
    Ok(())
}

fn read_cluster(cluster: wire::Cluster) -> Result<Cluster, Malformed> {
    let intra_cluster = match wire::IntraCluster::try_from(cluster.intra_cluster) {
        Ok(wire::IntraCluster::Local) => IntraCluster::Local,
        Ok(wire::IntraCluster::ViaCentre) => IntraCluster::ViaCentre,
        Ok(wire::IntraCluster::Unspecified) | Err(_) => {
            return Err(Malformed::new("cluster.intra_cluster", "is none of the ways"));
        }
    };
    let lasts = cluster.valid_from_unix_ms == 0 && cluster.valid_until_unix_ms == 0;
    absent("cluster.valid_until_unix_ms", lasts)?;
    Ok(Cluster {
        id: parse("cluster.id", &cluster.id)?,
        name_fa: cluster.name_fa,
        name_en: cluster.name_en,
        hub: cluster.hub,
        intra_cluster,
    })
}

fn read_system(system: &wire::System) -> Result<System, Malformed> {
    let read = |attribute: &i32| match wire::Attribute::try_from(*attribute) {
        Ok(wire::Attribute::BaseDatabase) => Ok(Attribute::BaseDatabase),
        Ok(wire::Attribute::Portal) => Ok(Attribute::Portal),
        Ok(wire::Attribute::Counter) => Ok(Attribute::Counter),
        Ok(wire::Attribute::Unspecified) | Err(_) => {
            Err(Malformed::new("system.attributes", format!("{attribute} is no attribute")))
        }
    };
    Ok(System {
        address: parse("system.address", &system.address)?,
        cluster: parse_optional("system.cluster", &system.cluster)?,
        attributes: system.attributes.iter().map(read).collect::<Result<_, _>>()?,
    })
}

fn read_service(service: wire::Service) -> Result<Service, Malformed> {
    let address: ServiceAddress = parse("service.address", &service.address)?;
    // A state that this version would not act on must not be passed over.
    absent("service.state", service.state == 0)?;
    absent("service.notice", service.notice.is_empty())?;
    absent("service.sensitive", !service.sensitive)?;
    absent("service.interface_digest", service.interface_digest.is_empty())?;
    absent("service.service_code", service.service_code.is_empty())?;
    absent("service.sla", service.sla.is_none())?;
    let operations = service.operations.into_iter().map(read_operation);
    Ok(Service {
        address,
        timeout_ms: service.timeout_ms,
        operations: operations.collect::<Result<_, _>>()?,
    })
}

fn read_operation(operation: wire::Operation) -> Result<Operation, Malformed> {
    let rest = match operation.call.ok_or(Malformed::missing("operation.call"))? {
        wire::operation::Call::Rest(rest) => rest,
        wire::operation::Call::GrpcMethod(_) => return Err(Malformed::too_new("operation.call")),
    };
    Ok(Operation {
        id: parse("operation.id", &operation.id)?,
        kind: read_kind(operation.kind)?,
        method: parse("operation.method", &rest.method)?,
        path: parse("operation.path", &rest.path)?,
    })
}

fn read_permission(permission: &wire::Permission) -> Result<Permission, Malformed> {
    let consumer: SystemAddress = parse("permission.consumer", &permission.consumer)?;
    let operations = permission.operations.iter();
    let operations = operations.map(|operation| parse("permission.operations", operation));
    let purposes = permission.purposes.iter();
    let purposes = purposes.map(|purpose| parse("permission.purposes", purpose));
    Ok(Permission {
        id: parse("permission.id", &permission.id)?,
        consumer,
        service: parse("permission.service", &permission.service)?,
        operations: operations.collect::<Result<_, _>>()?,
        purposes: purposes.collect::<Result<_, _>>()?,
    })
}

fn write_cluster(cluster: &Cluster) -> Kind {
    let intra_cluster = match cluster.intra_cluster {
        IntraCluster::Local => wire::IntraCluster::Local,
        IntraCluster::ViaCentre => wire::IntraCluster::ViaCentre,
    };
    Kind::Cluster(wire::Cluster {
        id: cluster.id.to_string(),
        name_fa: cluster.name_fa.clone(),
        name_en: cluster.name_en.clone(),
        hub: cluster.hub,
        intra_cluster: intra_cluster.into(),
        ..wire::Cluster::default()
    })
}

fn write_agency(agency: &Agency) -> Kind {
    Kind::Agency(wire::Agency {
        address: agency.address.to_string(),
        name_fa: agency.name_fa.clone(),
        name_en: agency.name_en.clone(),
    })
}

fn write_system(system: &System) -> Kind {
    let attributes = system.attributes.iter().map(|attribute| match attribute {
        Attribute::BaseDatabase => wire::Attribute::BaseDatabase.into(),
        Attribute::Portal => wire::Attribute::Portal.into(),
        Attribute::Counter => wire::Attribute::Counter.into(),
    });
    Kind::System(wire::System {
        address: system.address.to_string(),
        cluster: system.cluster.as_ref().map_or(String::new(), ToString::to_string),
        attributes: attributes.collect(),
    })
}

fn write_service(service: &Service) -> Kind {
    let operations = service.operations.iter().map(|operation| wire::Operation {
        id: operation.id.to_string(),
        kind: write_kind(operation.kind),
        call: Some(wire::operation::Call::Rest(wire::RestCall {
            method: operation.method.name().into(),
            path: operation.path.to_string(),
        })),
    });
    Kind::Service(wire::Service {
        address: service.address.to_string(),
        timeout_ms: service.timeout_ms,
        operations: operations.collect(),
        ..wire::Service::default()
    })
}

fn write_permission(permission: &Permission) -> Kind {
    Kind::Permission(wire::Permission {
        id: permission.id.to_string(),
        consumer: permission.consumer.to_string(),
        service: permission.service.to_string(),
        operations: permission.operations.iter().map(ToString::to_string).collect(),
        purposes: permission.purposes.iter().map(ToString::to_string).collect(),
    })
}

fn write_link_key(key: &LinkKey) -> Kind {
    // `Directory::build` has read the digest; a text that is none is refused again by any reader.
    let digest = key.spki_sha256.parse::<Digest>();
    let spki_sha256 = digest.map_or(Bytes::new(), |digest| Bytes::copy_from_slice(&digest.0));
    Kind::LinkKey(wire::LinkKey { node: key.node.clone(), spki_sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let directory = read_snapshot(&bytes).unwrap();
        assert_eq!(directory.position(), position);
        assert_eq!(directory.mesh(), &mesh);

        let mut read = Objects::default();
        let snapshot = wire::Snapshot::decode(bytes).unwrap();
        for object in wire::SnapshotBody::decode(snapshot.body).unwrap().objects {
            read_object(object, &mut read).unwrap();
        }
        assert_eq!(read, objects);
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
            ("hash: belongs", |s| s.hash = Bytes::from_static(&[1; 32])),
            ("object: is missing", |s| s.objects[0].kind = None),
            ("agreement: belongs", |s| {
                s.objects[0].kind = Some(Kind::Agreement(wire::Agreement::default()));
            }),
            ("operator: belongs", |s| {
                s.objects[0].kind = Some(Kind::Operator(wire::Operator::default()));
            }),
            ("service.state: belongs", |s| {
                service(s).state = wire::ServiceState::Disabled.into();
            }),
            ("service.sla: belongs", |s| service(s).sla = Some(wire::Sla::default())),
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
