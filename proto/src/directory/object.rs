//! Single objects of a directory, their keys and changes: messages to values and back.

use bytes::Bytes;
use mesh_core::address::AgencyAddress;
use mesh_core::directory::change::{Change, Object};
use mesh_core::directory::{
    Agency, Attribute, Cluster, DirectoryKey, Ed25519Key, IntraCluster, LinkKey, System,
};

use super::agreement::{read_agreement, write_agreement};
use super::service::{read_service, write_service};
use crate::malformed::{Malformed, absent, digest, exactly, parse, parse_optional};
use crate::wire::directory::v1 as wire;
use crate::wire::directory::v1::object::Kind;

/// Reads one object, whole or not at all.
pub fn read_object(object: wire::Object) -> Result<Object, Malformed> {
    Ok(match object.kind.ok_or(Malformed::missing("object"))? {
        Kind::Cluster(cluster) => Object::Cluster(read_cluster(cluster)?),
        Kind::Agency(agency) => {
            let address: AgencyAddress = parse("agency.address", &agency.address)?;
            let (name_fa, name_en) = (agency.name_fa, agency.name_en);
            Object::Agency(Agency { address, name_fa, name_en })
        }
        Kind::System(system) => Object::System(read_system(&system)?),
        Kind::Service(service) => Object::Service(read_service(service)?),
        Kind::LinkKey(key) => {
            let spki_sha256 = digest("link_key.spki_sha256", &key.spki_sha256)?;
            Object::LinkKey(LinkKey { node: key.node, spki_sha256 })
        }
        Kind::Agreement(agreement) => Object::Agreement(read_agreement(&agreement)?),
        Kind::DirectoryKey(key) => {
            let public_key = exactly("directory_key.public_key", &key.public_key)?;
            Object::DirectoryKey(DirectoryKey { public_key: Ed25519Key::new(public_key) })
        }
        Kind::MemberKey(_) => return Err(Malformed::too_new("member_key")),
        Kind::Replica(_) => return Err(Malformed::too_new("replica")),
        Kind::Operator(_) => return Err(Malformed::too_new("operator")),
    })
}

/// The message that [`read_object`] reads as `object`.
pub fn write_object(object: &Object) -> wire::Object {
    let kind = match object {
        Object::Cluster(cluster) => write_cluster(cluster),
        Object::Agency(agency) => Kind::Agency(write_agency(agency)),
        Object::System(system) => write_system(system),
        Object::Service(service) => Kind::Service(write_service(service)),
        Object::Agreement(agreement) => Kind::Agreement(write_agreement(agreement)),
        Object::LinkKey(key) => write_link_key(key),
        Object::DirectoryKey(DirectoryKey { public_key }) => {
            let public_key = Bytes::copy_from_slice(public_key.as_bytes());
            Kind::DirectoryKey(wire::DirectoryKey { public_key })
        }
    };
    wire::Object { kind: Some(kind) }
}

/// Reads one change, whole or not at all.
pub fn read_change(change: wire::Change) -> Result<Change, Malformed> {
    match change.kind.ok_or(Malformed::missing("change"))? {
        wire::change::Kind::Put(object) => read_object(object).map(Change::Put),
        wire::change::Kind::Remove(key) => parse("change.remove", &key).map(Change::Remove),
    }
}

/// The message that [`read_change`] reads as `change`.
pub fn write_change(change: &Change) -> wire::Change {
    let kind = match change {
        Change::Put(object) => wire::change::Kind::Put(write_object(object)),
        Change::Remove(key) => wire::change::Kind::Remove(key.to_string()),
    };
    wire::Change { kind: Some(kind) }
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

pub(crate) fn write_agency(agency: &Agency) -> wire::Agency {
    wire::Agency {
        address: agency.address.to_string(),
        name_fa: agency.name_fa.clone(),
        name_en: agency.name_en.clone(),
    }
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

fn write_link_key(key: &LinkKey) -> Kind {
    let spki_sha256 = Bytes::copy_from_slice(&key.spki_sha256.0);
    Kind::LinkKey(wire::LinkKey { node: key.node.clone(), spki_sha256 })
}
