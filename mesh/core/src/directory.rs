//! What every node knows of the mesh: clusters, agencies, systems, services, permissions, keys.

pub mod change;
pub mod history;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{AgencyAddress, ServiceAddress, SystemAddress};
use crate::agreement::Agreement;
use crate::exchange::{Digest, DirectoryPosition};
use crate::id::{ClusterId, OperationId, PermissionId, PurposeId};
use crate::limits::DEADLINE_MAX;
use crate::node::{Home, MeshDomain, NodeName, ParseNodeError};
use crate::operation::Operation;

pub use crate::service::Service;

/// One group of like services of the state.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub id: ClusterId,
    pub name_fa: String,
    pub name_en: String,
    /// Has the cluster a hub? Without one its systems attach to the centre.
    pub hub: bool,
    #[serde(default)]
    pub intra_cluster: IntraCluster,
}

/// The way between two systems of one cluster.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IntraCluster {
    /// Through the cluster hub alone.
    #[default]
    Local,
    /// Up to the centre and down again.
    ViaCentre,
}

/// A ministry, organisation, public company, bank, insurer …
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    pub address: AgencyAddress,
    pub name_fa: String,
    pub name_en: String,
}

/// An information system of an agency; one agent stands beside each.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    pub address: SystemAddress,
    /// None for base databases, and for agencies of no cluster.
    #[serde(default)]
    pub cluster: Option<ClusterId>,
    #[serde(default)]
    pub attributes: BTreeSet<Attribute>,
}

/// What a system is besides, so that becoming one changes no address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// An authoritative register, reached only through the centre.
    BaseDatabase,
    /// A national front: a consumer of many services.
    Portal,
    /// A licensed private office that serves a present citizen.
    Counter,
}

/// Lets one consumer use operations of one service for stated purposes. What no permission names
/// is denied.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    pub id: PermissionId,
    pub consumer: SystemAddress,
    pub service: ServiceAddress,
    pub operations: BTreeSet<OperationId>,
    pub purposes: BTreeSet<PurposeId>,
}

/// The key with which a node may open or accept links; removing it revokes the node's certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LinkKey {
    /// Full DNS name of the node, such as `hub.health.mesh.ir`.
    pub node: String,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 7469 §2.4).
    pub spki_sha256: Digest,
}

/// The objects of a directory as they come, before they are known to fit together.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    #[serde(default)]
    pub agencies: Vec<Agency>,
    #[serde(default)]
    pub systems: Vec<System>,
    #[serde(default)]
    pub services: Vec<Service>,
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// Signed bytes: they have no form as text.
    #[serde(skip)]
    pub agreements: Vec<Agreement>,
    #[serde(default)]
    pub link_keys: Vec<LinkKey>,
}

/// A directory in which every name that an object uses is there.
#[derive(Clone, Debug)]
pub struct Directory {
    mesh: MeshDomain,
    position: DirectoryPosition,
    clusters: BTreeMap<ClusterId, Cluster>,
    agencies: BTreeMap<AgencyAddress, Agency>,
    systems: BTreeMap<SystemAddress, System>,
    services: BTreeMap<ServiceAddress, Service>,
    /// By consumer and service, because that is what is asked; few permissions share both.
    permissions: BTreeMap<(SystemAddress, ServiceAddress), Vec<Permission>>,
    agreements: BTreeMap<(SystemAddress, ServiceAddress), Vec<Agreement>>,
    link_keys: BTreeMap<NodeName, BTreeSet<Digest>>,
}

/// Objects that make no directory, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DirectoryError {
    #[error("{kind} {name} is there twice")]
    Twice { kind: &'static str, name: String },
    #[error("{kind} {name} names {wanted}, which is not in the directory")]
    Missing { kind: &'static str, name: String, wanted: String },
    #[error("{kind} {name}: {why}")]
    Unfit { kind: &'static str, name: String, why: String },
}

impl Directory {
    /// Puts `objects` together, whole or not at all.
    pub fn build(
        mesh: MeshDomain,
        position: DirectoryPosition,
        objects: Objects,
    ) -> Result<Self, DirectoryError> {
        let mut directory = Self {
            mesh,
            position,
            clusters: by_key("cluster", objects.clusters, |cluster| cluster.id.clone())?,
            agencies: by_key("agency", objects.agencies, |agency| agency.address.clone())?,
            systems: by_key("system", objects.systems, |system| system.address.clone())?,
            services: by_key("service", objects.services, |service| service.address.clone())?,
            permissions: BTreeMap::new(),
            agreements: BTreeMap::new(),
            link_keys: BTreeMap::new(),
        };
        directory.check_agencies()?;
        directory.check_systems()?;
        directory.check_services()?;
        let permissions = by_key("permission", objects.permissions, |given| given.id.clone())?;
        permissions.into_values().try_for_each(|given| directory.add_permission(given))?;
        let agreements = by_key("agreement", objects.agreements, Agreement::id)?;
        agreements.into_values().try_for_each(|agreement| directory.add_agreement(agreement))?;
        objects.link_keys.iter().try_for_each(|key| directory.add_link_key(key))?;
        Ok(directory)
    }

    /// What it was built from, in the order of keys.
    pub fn objects(&self) -> Objects {
        let keys = self.link_keys.iter().flat_map(|(node, digests)| {
            let node = self.mesh.dns_name(node);
            digests.iter().map(move |digest| LinkKey { node: node.clone(), spki_sha256: *digest })
        });
        let permissions = self.permissions.values().flatten().cloned();
        let mut permissions: Vec<Permission> = permissions.collect();
        permissions.sort_by(|a, b| a.id.cmp(&b.id));
        let mut agreements: Vec<Agreement> = self.agreements.values().flatten().cloned().collect();
        agreements.sort_by_key(Agreement::id);
        Objects {
            clusters: self.clusters.values().cloned().collect(),
            agencies: self.agencies.values().cloned().collect(),
            systems: self.systems.values().cloned().collect(),
            services: self.services.values().cloned().collect(),
            permissions,
            agreements,
            link_keys: keys.collect(),
        }
    }

    pub fn mesh(&self) -> &MeshDomain {
        &self.mesh
    }

    pub fn position(&self) -> DirectoryPosition {
        self.position
    }

    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    pub fn systems(&self) -> impl Iterator<Item = &System> {
        self.systems.values()
    }

    pub fn service(&self, address: &ServiceAddress) -> Option<&Service> {
        self.services.get(address)
    }

    /// The permissions that `consumer` has for `service`.
    pub fn permissions(&self, consumer: &SystemAddress, service: &ServiceAddress) -> &[Permission] {
        let key = (consumer.clone(), service.clone());
        self.permissions.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The agreements between `consumer` and `service`, whatever their state.
    pub fn agreements(&self, consumer: &SystemAddress, service: &ServiceAddress) -> &[Agreement] {
        let key = (consumer.clone(), service.clone());
        self.agreements.get(&key).map_or(&[], Vec::as_slice)
    }

    /// How systems of `cluster` reach each other.
    pub fn intra_cluster(&self, cluster: &ClusterId) -> IntraCluster {
        self.clusters.get(cluster).map_or(IntraCluster::ViaCentre, |found| found.intra_cluster)
    }

    /// Where `system` is attached; `None` for one that is not in the directory.
    pub fn home(&self, system: &SystemAddress) -> Option<Home> {
        let system = self.systems.get(system)?;
        if system.attributes.contains(&Attribute::BaseDatabase) {
            return Some(Home::Centre);
        }
        let cluster = system.cluster.as_ref().and_then(|id| self.clusters.get(id));
        Some(match cluster {
            Some(cluster) if cluster.hub => Home::Cluster(cluster.id.clone()),
            _ => Home::Centre,
        })
    }

    /// Has `node` an active key? One without has not joined yet, and nobody need miss its link.
    pub fn has_joined(&self, node: &NodeName) -> bool {
        self.link_keys.contains_key(node)
    }

    /// May `node` use a certificate whose public key has this digest? And is it a node at all: a
    /// system that has moved may no longer use the name that its old home gave it.
    pub fn admits(&self, node: &NodeName, spki: &Digest) -> bool {
        let at_home = match node {
            NodeName::Agent { system, home } => self.home(system).as_ref() == Some(home),
            NodeName::Hub(cluster) => self.clusters.get(cluster).is_some_and(|found| found.hub),
            NodeName::Centre | NodeName::Operator(_) => true,
        };
        at_home && self.link_keys.get(node).is_some_and(|keys| keys.contains(spki))
    }

    fn check_agencies(&self) -> Result<(), DirectoryError> {
        let mesh = &self.mesh.mesh;
        let foreign = self.agencies.keys().find(|address| address.mesh != *mesh);
        foreign.map_or(Ok(()), |address| {
            Err(unfit("agency", address, format!("its mesh is not {mesh}")))
        })
    }

    fn check_systems(&self) -> Result<(), DirectoryError> {
        for System { address, cluster, attributes } in self.systems.values() {
            if !self.agencies.contains_key(&address.agency) {
                return Err(missing("system", address, &address.agency));
            }
            if let Some(cluster) = cluster.as_ref().filter(|id| !self.clusters.contains_key(id)) {
                return Err(missing("system", address, cluster));
            }
            if attributes.contains(&Attribute::BaseDatabase) && cluster.is_some() {
                let why = "a base database belongs to no cluster: its home is the centre";
                return Err(unfit("system", address, why.into()));
            }
        }
        Ok(())
    }

    fn check_services(&self) -> Result<(), DirectoryError> {
        let limit = DEADLINE_MAX.as_millis() as u64;
        for Service { address, timeout_ms, operations, lifecycle, .. } in self.services.values() {
            if !self.systems.contains_key(&address.system) {
                return Err(missing("service", address, &address.system));
            }
            if !(1..=limit).contains(timeout_ms) {
                let why = format!("timeout_ms is {timeout_ms}, want 1 to {limit}");
                return Err(unfit("service", address, why));
            }
            if operations.is_empty() {
                return Err(unfit("service", address, "it has no operation".into()));
            }
            if lifecycle.next_major.is_some_and(|next| next <= address.major) {
                return Err(unfit("service", address, "next_major is no later version".into()));
            }
            for (index, operation) in operations.iter().enumerate() {
                let earlier = &operations[..index];
                if earlier.iter().any(|earlier| earlier.id == operation.id) {
                    let name = format!("{} of {address}", operation.id);
                    return Err(DirectoryError::Twice { kind: "operation", name });
                }
                let same = |earlier: &&Operation| earlier.call.is_same_as(&operation.call);
                if let Some(earlier) = earlier.iter().find(same) {
                    let why = format!("no request tells {} from {}", operation.id, earlier.id);
                    return Err(unfit("service", address, why));
                }
            }
        }
        Ok(())
    }

    fn add_permission(&mut self, given: Permission) -> Result<(), DirectoryError> {
        if !self.systems.contains_key(&given.consumer) {
            return Err(missing("permission", &given.id, &given.consumer));
        }
        let Some(service) = self.services.get(&given.service) else {
            return Err(missing("permission", &given.id, &given.service));
        };
        let declared = |id: &&OperationId| service.operations.iter().any(|known| known.id == **id);
        if let Some(operation) = given.operations.iter().find(|id| !declared(id)) {
            let wanted = format!("operation {operation} of {}", given.service);
            return Err(missing("permission", &given.id, &wanted));
        }
        // An empty list must never be read as "all of them".
        if given.operations.is_empty() || given.purposes.is_empty() {
            let why = "it needs at least one operation and one purpose";
            return Err(unfit("permission", &given.id, why.into()));
        }
        let key = (given.consumer.clone(), given.service.clone());
        self.permissions.entry(key).or_default().push(given);
        Ok(())
    }

    fn add_agreement(&mut self, agreement: Agreement) -> Result<(), DirectoryError> {
        let terms = agreement.terms();
        // What is over for good stays as a record; what it names may go.
        if agreement.ended().is_none() {
            if !self.systems.contains_key(&terms.consumer) {
                return Err(missing("agreement", &agreement.id(), &terms.consumer));
            }
            let Some(service) = self.services.get(&terms.service) else {
                return Err(missing("agreement", &agreement.id(), &terms.service));
            };
            let declared = |id: &&OperationId| service.operations.iter().any(|op| op.id == **id);
            if let Some(operation) = terms.operations.iter().find(|id| !declared(id)) {
                let wanted = format!("operation {operation} of {}", terms.service);
                return Err(missing("agreement", &agreement.id(), &wanted));
            }
        }
        let key = (terms.consumer.clone(), terms.service.clone());
        self.agreements.entry(key).or_default().push(agreement);
        Ok(())
    }

    fn add_link_key(&mut self, key: &LinkKey) -> Result<(), DirectoryError> {
        let node = self.mesh.parse_node(&key.node);
        let node = node
            .map_err(|error: ParseNodeError| unfit("link key of", &key.node, error.to_string()))?;
        self.link_keys.entry(node).or_default().insert(key.spki_sha256);
        Ok(())
    }
}

fn by_key<K: Ord + ToString, V>(
    kind: &'static str,
    values: Vec<V>,
    key: impl Fn(&V) -> K,
) -> Result<BTreeMap<K, V>, DirectoryError> {
    let mut map = BTreeMap::new();
    for value in values {
        let name = key(&value).to_string();
        if map.insert(key(&value), value).is_some() {
            return Err(DirectoryError::Twice { kind, name });
        }
    }
    Ok(map)
}

fn missing(kind: &'static str, name: &impl ToString, wanted: &impl ToString) -> DirectoryError {
    DirectoryError::Missing { kind, name: name.to_string(), wanted: wanted.to_string() }
}

fn unfit(kind: &'static str, name: &impl ToString, why: String) -> DirectoryError {
    DirectoryError::Unfit { kind, name: name.to_string(), why }
}

#[cfg(test)]
pub(crate) mod tests;
