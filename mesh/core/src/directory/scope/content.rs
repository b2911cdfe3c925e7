//! What is in a scope, all of it: for snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Directory;
use super::super::change::Object;
use super::super::tables::Tables;
use super::super::{Agency, Cluster, DirectoryKey, LinkKey, Service, System};
use super::Scope;
use crate::address::{AgencyAddress, ServiceAddress};
use crate::exchange::Digest;
use crate::node::{Home, NodeName};

impl Directory {
    /// The scopes in which there is something.
    pub fn scopes(&self) -> BTreeSet<Scope> {
        let tables = &self.tables;
        let services = tables.services.iter().map(|it| &it.address.system.agency);
        let agreements = tables.agreements.iter().map(|it| it.terms());
        let agreements = agreements.flat_map(|it| [&it.consumer, &it.service.system]);
        let agencies = agreements.map(|system| &system.agency);
        let agencies = services.chain(agencies).map(|agency| Scope::Agency(agency.clone()));
        let keys = tables.link_keys.iter().map(|key| of_node(&key.0));
        let mut scopes: BTreeSet<Scope> = agencies.chain(keys).collect();
        let nation = !(tables.clusters.is_empty()
            && tables.agencies.is_empty()
            && tables.directory_keys.is_empty());
        if nation {
            scopes.insert(Scope::Nation);
        }
        scopes
    }

    /// The objects of a scope, in the order of their keys.
    pub fn objects_in(&self, scope: &Scope) -> Vec<Object> {
        let tables = &self.tables;
        let mut objects = match scope {
            Scope::Nation => nation(tables),
            Scope::Cluster(_) => Vec::new(),
            Scope::Agency(agency) => agency_objects(tables, agency),
        };
        let mut keys: Vec<LinkKey> = self.link_keys_in(scope).collect();
        // A directory has them by node, and keys are in the order of names.
        keys.sort_unstable_by(|a, b| (&a.node, &a.spki_sha256).cmp(&(&b.node, &b.spki_sha256)));
        objects.extend(keys.into_iter().map(Object::LinkKey));
        if *scope == Scope::Nation {
            let keys = tables.directory_keys.iter();
            let keys = keys.map(|key| DirectoryKey { public_key: *key });
            objects.extend(keys.map(Object::DirectoryKey));
        }
        objects
    }

    fn link_keys_in(&self, scope: &Scope) -> impl Iterator<Item = LinkKey> {
        let keys = self.tables.link_keys.iter().map(|key| &**key);
        keys.filter(|(node, _)| of_node(node) == *scope).map(|(node, digest): &(_, Digest)| {
            LinkKey { node: self.mesh().dns_name(node), spki_sha256: *digest }
        })
    }
}

/// The scope of a node's link key.
pub(super) fn of_node(node: &NodeName) -> Scope {
    match node {
        NodeName::Agent { home: Home::Cluster(cluster), .. } => Scope::Cluster(cluster.clone()),
        NodeName::Agent { system, home: Home::Centre } => Scope::Agency(system.agency.clone()),
        NodeName::Centre | NodeName::Hub(_) | NodeName::Operator(_) => Scope::Nation,
    }
}

fn nation(tables: &Tables) -> Vec<Object> {
    (tables.clusters.iter().map(|it| Object::Cluster(Cluster::clone(it))))
        .chain(tables.agencies.iter().map(|it| Object::Agency(Agency::clone(it))))
        .chain(tables.systems.iter().map(|it| Object::System(System::clone(it))))
        .collect()
}

fn agency_objects(tables: &Tables, agency: &AgencyAddress) -> Vec<Object> {
    let own = tables.services_of(agency).map(|it| &it.address);
    let agreed = tables.agreements.consumed_by(agency).filter(|it| it.ended().is_none());
    let agreed = agreed.map(|it| &it.terms().service);
    let services: BTreeSet<&ServiceAddress> = own.chain(agreed).collect();
    let services = services.into_iter().filter_map(|address| tables.service(address));
    let services = services.map(|it| Object::Service(Service::clone(it)));

    let agreements = tables.agreements.consumed_by(agency);
    let agreements = agreements.chain(tables.agreements.provided_by(agency));
    let agreements: BTreeMap<_, _> =
        agreements.map(|it| (it.id(), Object::Agreement(it.clone()))).collect();
    services.chain(agreements.into_values()).collect()
}
