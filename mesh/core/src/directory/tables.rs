//! The objects of a directory, sorted by what they are asked for, and by what they name: so who
//! names an object is known without a look at the others.

use std::cmp::Ordering;
use std::sync::Arc;

use super::change::{Change, ChangeError, Key, Object};
use super::grants::Grants;
use super::{Agency, Cluster, DirectoryKey, Ed25519Key, LinkKey, Objects, Service, System};
use crate::address::{AgencyAddress, ServiceAddress, SystemAddress};
use crate::agreement::Agreement;
use crate::exchange::Digest;
use crate::id::ClusterId;
use crate::node::{MeshDomain, NodeName, ParseNodeError};
use crate::sorted::{Natural, Order, Sorted};

/// Declares an order of shared objects by some of their fields.
macro_rules! order {
    ($name:ident: $item:ty, |$it:ident| $key:expr) => {
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name;

        impl Order for $name {
            type Item = Arc<$item>;

            fn order(a: &Self::Item, b: &Self::Item) -> Ordering {
                fn key($it: &$item) -> impl Ord + '_ {
                    $key
                }
                key(a).cmp(&key(b))
            }
        }
    };
}

order!(Clusters: Cluster, |it| &it.id);
order!(Agencies: Agency, |it| &it.address);
order!(Systems: System, |it| &it.address);
order!(ByCluster: System, |it| (&it.cluster, &it.address));
order!(Services: Service, |it| &it.address);
order!(LinkKeys: (NodeName, Digest), |it| it);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) clusters: Sorted<Clusters>,
    pub(super) agencies: Sorted<Agencies>,
    pub(super) systems: Sorted<Systems>,
    by_cluster: Sorted<ByCluster>,
    pub(super) services: Sorted<Services>,
    pub(super) agreements: Grants<Agreement>,
    pub(super) link_keys: Sorted<LinkKeys>,
    pub(super) directory_keys: Sorted<Natural<Ed25519Key>>,
}

impl Tables {
    /// Puts `object` in the place of the one with its key, if there is one.
    pub(super) fn put(
        &mut self,
        object: Object,
        mesh: &MeshDomain,
    ) -> Result<Option<Key>, ParseNodeError> {
        let key = object.key();
        let replaced = match object {
            Object::Cluster(cluster) => self.clusters.insert(Arc::new(cluster)).is_some(),
            Object::Agency(agency) => self.agencies.insert(Arc::new(agency)).is_some(),
            Object::System(system) => {
                let system = Arc::new(system);
                let old = self.systems.insert(Arc::clone(&system));
                if let Some(old) = &old {
                    self.by_cluster.remove(|it| ByCluster::order(it, old));
                }
                self.by_cluster.insert(system);
                old.is_some()
            }
            Object::Service(service) => self.services.insert(Arc::new(service)).is_some(),
            Object::Agreement(agreement) => self.agreements.insert(agreement),
            Object::LinkKey(LinkKey { node, spki_sha256 }) => {
                let node = mesh.parse_node(&node)?;
                self.link_keys.insert(Arc::new((node, spki_sha256))).is_some()
            }
            Object::DirectoryKey(key) => self.directory_keys.insert(key.public_key).is_some(),
        };
        Ok(replaced.then_some(key))
    }

    /// Takes out the object that `key` names.
    pub(super) fn remove(&mut self, key: &Key, mesh: &MeshDomain) -> Result<(), ChangeError> {
        let gone = match key {
            Key::Cluster(id) => self.clusters.remove(|it| it.id.cmp(id)).is_some(),
            Key::Agency(address) => self.agencies.remove(|it| it.address.cmp(address)).is_some(),
            Key::System(address) => {
                let old = self.systems.remove(|it| it.address.cmp(address));
                if let Some(old) = &old {
                    self.by_cluster.remove(|it| ByCluster::order(it, old));
                }
                old.is_some()
            }
            Key::Service(address) => self.services.remove(|it| it.address.cmp(address)).is_some(),
            Key::Agreement(id) => self.agreements.remove(|it| it.id().cmp(id)),
            Key::LinkKey(node, digest) => mesh.parse_node(node).is_ok_and(|node| {
                let wanted = (&node, digest);
                self.link_keys.remove(|it| (&it.0, &it.1).cmp(&wanted)).is_some()
            }),
            Key::DirectoryKey(key) => self.directory_keys.remove(|it| it.cmp(key)).is_some(),
        };
        if gone { Ok(()) } else { Err(ChangeError::Absent(key.clone())) }
    }

    /// The object that `key` names.
    pub(super) fn get(&self, key: &Key, mesh: &MeshDomain) -> Option<Object> {
        Some(match key {
            Key::Cluster(id) => Object::Cluster(self.cluster(id)?.clone()),
            Key::Agency(address) => {
                let agency = self.agencies.find(|it| it.address.cmp(address))?;
                Object::Agency(Agency::clone(agency))
            }
            Key::System(address) => Object::System(self.system(address)?.clone()),
            Key::Service(address) => Object::Service(self.service(address)?.clone()),
            Key::Agreement(id) => {
                Object::Agreement(self.agreements.find(|it| it.id().cmp(id))?.clone())
            }
            Key::LinkKey(name, digest) => {
                let node = mesh.parse_node(name).ok()?;
                self.link_keys.find(|it| (&it.0, &it.1).cmp(&(&node, digest)))?;
                Object::LinkKey(LinkKey { node: name.clone(), spki_sha256: *digest })
            }
            Key::DirectoryKey(key) => {
                let public_key = *self.directory_keys.find(|it| it.cmp(key))?;
                Object::DirectoryKey(DirectoryKey { public_key })
            }
        })
    }

    pub(super) fn cluster(&self, id: &ClusterId) -> Option<&Cluster> {
        self.clusters.find(|it| it.id.cmp(id)).map(|it| &**it)
    }

    pub(super) fn has_agency(&self, address: &AgencyAddress) -> bool {
        self.agencies.find(|it| it.address.cmp(address)).is_some()
    }

    pub(super) fn system(&self, address: &SystemAddress) -> Option<&System> {
        self.systems.find(|it| it.address.cmp(address)).map(|it| &**it)
    }

    pub(super) fn service(&self, address: &ServiceAddress) -> Option<&Service> {
        self.services.find(|it| it.address.cmp(address)).map(|it| &**it)
    }

    /// The systems that belong to a cluster.
    pub(super) fn systems_of<'s>(
        &'s self,
        cluster: &ClusterId,
    ) -> impl Iterator<Item = &'s System> {
        self.by_cluster.all(move |it| it.cluster.as_ref().cmp(&Some(cluster))).map(|it| &**it)
    }

    pub(super) fn systems_below<'s>(
        &'s self,
        agency: &AgencyAddress,
    ) -> impl Iterator<Item = &'s System> {
        self.systems.all(move |it| it.address.agency.cmp(agency)).map(|it| &**it)
    }

    pub(super) fn services_below<'s>(
        &'s self,
        system: &SystemAddress,
    ) -> impl Iterator<Item = &'s Service> {
        self.services.all(move |it| it.address.system.cmp(system)).map(|it| &**it)
    }

    pub(super) fn services_of<'s>(
        &'s self,
        agency: &AgencyAddress,
    ) -> impl Iterator<Item = &'s Service> {
        self.services.all(move |it| it.address.system.agency.cmp(agency)).map(|it| &**it)
    }

    /// May any system of `agency` use some of `service`?
    pub(super) fn uses(&self, agency: &AgencyAddress, service: &ServiceAddress) -> bool {
        self.agreements.any_of(agency, service)
    }

    /// The agencies that may use some of `service`.
    pub(super) fn agencies_that_use<'s>(
        &'s self,
        service: &ServiceAddress,
    ) -> impl Iterator<Item = &'s AgencyAddress> {
        self.agreements.agencies_of(service)
    }

    /// Everything, in the order of keys.
    pub(super) fn objects(&self, mesh: &MeshDomain) -> Objects {
        fn copies<O: Order<Item = Arc<T>>, T: Clone>(table: &Sorted<O>) -> Vec<T> {
            table.iter().map(|it| T::clone(it)).collect()
        }
        let link_keys = self.link_keys.iter().map(|key| {
            let (node, spki_sha256) = &**key;
            LinkKey { node: mesh.dns_name(node), spki_sha256: *spki_sha256 }
        });
        let directory_keys = self.directory_keys.iter();
        let directory_keys = directory_keys.map(|key| DirectoryKey { public_key: *key });
        Objects {
            clusters: copies(&self.clusters),
            agencies: copies(&self.agencies),
            systems: copies(&self.systems),
            services: copies(&self.services),
            agreements: self.agreements.iter().cloned().collect(),
            link_keys: link_keys.collect(),
            directory_keys: directory_keys.collect(),
        }
    }

    /// Makes `change` without a look at whether the outcome fits together.
    pub(super) fn make(&mut self, change: &Change, mesh: &MeshDomain) -> Result<(), Misfit> {
        match change {
            Change::Put(object) => {
                let put = self.put(object.clone(), mesh).map(drop);
                put.map_err(|why| Misfit::Node(Box::new(object.key()), why))
            }
            Change::Remove(key) => self.remove(key, mesh).map_err(Misfit::Change),
        }
    }
}

/// A change that cannot be made to the tables.
#[derive(Debug)]
pub(super) enum Misfit {
    Change(ChangeError),
    Node(Box<Key>, ParseNodeError),
}
