//! A directory in which everything fits together, and what is asked of it. A copy costs nothing, a
//! change what it touches.

use std::collections::BTreeSet;

use super::change::{Change, ChangeError, Key, Object};
use super::judge::{DirectoryError, Judge, unfit};
use super::tables::{Misfit, Tables};
use super::{Attribute, Cluster, IntraCluster, Objects, Service, System};
use crate::address::{ServiceAddress, SystemAddress};
use crate::agreement::{Agreement, AgreementId};
use crate::exchange::{Digest, DirectoryPosition};
use crate::id::ClusterId;
use crate::node::{Home, MeshDomain, NodeName};

/// A directory in which every name that an object uses is there.
#[derive(Clone, Debug)]
pub struct Directory {
    mesh: MeshDomain,
    position: DirectoryPosition,
    pub(super) tables: Tables,
}

/// Changes that make no directory of the one that is there, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unmade {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl Directory {
    /// Without a single object. It permits nothing and admits nobody.
    pub fn empty(mesh: MeshDomain) -> Self {
        Self { mesh, position: DirectoryPosition::default(), tables: Tables::default() }
    }

    /// Puts `objects` together, whole or not at all.
    pub fn build(
        mesh: MeshDomain,
        position: DirectoryPosition,
        objects: Objects,
    ) -> Result<Self, DirectoryError> {
        let mut directory = Self { position, ..Self::empty(mesh) };
        let objects: Vec<Object> = objects.into();
        for object in &objects {
            let put = directory.tables.put(object.clone(), &directory.mesh);
            let replaced = put.map_err(|why| misfit(&object.key(), &why))?;
            // A key that is listed twice is still the one key.
            if let Some(key) = replaced.filter(|key| !matches!(key, Key::LinkKey(..))) {
                return Err(DirectoryError::Twice { kind: key.kind().name(), name: key.name() });
            }
        }
        let (before, after) = (&Tables::default(), &directory.tables);
        let judge = Judge { mesh: &directory.mesh, before, after };
        objects.iter().try_for_each(|object| judge.put(object))?;
        Ok(directory)
    }

    /// This directory after `changes`, all or none. Judges what they touch, and nothing else: the
    /// objects that are changed, what those name, and who names those.
    pub fn with(&self, changes: &[Change]) -> Result<Self, Unmade> {
        let next = self.unjudged(changes)?;
        let judge = Judge { mesh: &self.mesh, before: &self.tables, after: &next.tables };
        changes.iter().try_for_each(|change| judge.change(change))?;
        Ok(next)
    }

    /// This directory after `changes`, which may not fit together.
    pub(super) fn unjudged(&self, changes: &[Change]) -> Result<Self, Unmade> {
        let mut next = self.clone();
        let mut changed = BTreeSet::new();
        for change in changes {
            let key = change.key();
            if changed.contains(&key) {
                return Err(ChangeError::Twice(key).into());
            }
            changed.insert(key);
            next.tables.make(change, &self.mesh).map_err(|why| match why {
                Misfit::Change(why) => Unmade::Change(why),
                Misfit::Node(key, why) => Unmade::Directory(misfit(&key, &why)),
            })?;
        }
        Ok(next)
    }

    /// The same objects at another position.
    pub fn at(&self, position: DirectoryPosition) -> Self {
        Self { position, ..self.clone() }
    }

    /// What it was built from, in the order of keys.
    pub fn objects(&self) -> Objects {
        self.tables.objects(&self.mesh)
    }

    /// The object that `key` names.
    pub fn object(&self, key: &Key) -> Option<Object> {
        self.tables.get(key, &self.mesh)
    }

    pub fn mesh(&self) -> &MeshDomain {
        &self.mesh
    }

    pub fn position(&self) -> DirectoryPosition {
        self.position
    }

    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.tables.clusters.iter().map(|it| &**it)
    }

    pub fn systems(&self) -> impl Iterator<Item = &System> {
        self.tables.systems.iter().map(|it| &**it)
    }

    pub fn service(&self, address: &ServiceAddress) -> Option<&Service> {
        self.tables.service(address)
    }

    /// The agreements between `consumer` and `service`, whatever their state.
    pub fn agreements<'d>(
        &'d self,
        consumer: &SystemAddress,
        service: &ServiceAddress,
    ) -> impl Iterator<Item = &'d Agreement> {
        self.tables.agreements.between(consumer, service)
    }

    /// The agreement of this name.
    pub fn agreement(&self, id: &AgreementId) -> Option<&Agreement> {
        self.tables.agreements.find(|it| it.id().cmp(id))
    }

    /// The keys whose signatures on news of the directory count, beside those that a node was
    /// configured with.
    pub fn directory_keys(&self) -> impl Iterator<Item = &super::Ed25519Key> {
        self.tables.directory_keys.iter()
    }

    /// What `system` is besides; nothing for one that is not in the directory.
    pub fn attributes(&self, system: &SystemAddress) -> &BTreeSet<Attribute> {
        static NONE: BTreeSet<Attribute> = BTreeSet::new();
        self.tables.system(system).map_or(&NONE, |found| &found.attributes)
    }

    /// How systems of `cluster` reach each other.
    pub fn intra_cluster(&self, cluster: &ClusterId) -> IntraCluster {
        let found = self.tables.cluster(cluster);
        found.map_or(IntraCluster::ViaCentre, |found| found.intra_cluster)
    }

    /// Where `system` is attached; `None` for one that is not in the directory.
    pub fn home(&self, system: &SystemAddress) -> Option<Home> {
        self.tables.system(system).map(|system| self.home_of(system))
    }

    pub(super) fn home_of(&self, system: &System) -> Home {
        if system.attributes.contains(&Attribute::BaseDatabase) {
            return Home::Centre;
        }
        let cluster = system.cluster.as_ref().and_then(|id| self.tables.cluster(id));
        match cluster {
            Some(cluster) if cluster.hub => Home::Cluster(cluster.id.clone()),
            _ => Home::Centre,
        }
    }

    /// Has `node` an active key? One without has not joined yet, and nobody need miss its link.
    pub fn has_joined(&self, node: &NodeName) -> bool {
        self.tables.link_keys.find(|it| it.0.cmp(node)).is_some()
    }

    /// May `node` use a certificate whose public key has this digest? And is it a node at all: a
    /// system that has moved may no longer use the name that its old home gave it.
    pub fn admits(&self, node: &NodeName, spki: &Digest) -> bool {
        let at_home = match node {
            NodeName::Agent { system, home } => self.home(system).as_ref() == Some(home),
            NodeName::Hub(cluster) => self.tables.cluster(cluster).is_some_and(|found| found.hub),
            NodeName::Centre | NodeName::Operator(_) => true,
        };
        let wanted = (node, spki);
        at_home && self.tables.link_keys.find(|it| (&it.0, &it.1).cmp(&wanted)).is_some()
    }
}

fn misfit(key: &Key, why: &crate::node::ParseNodeError) -> DirectoryError {
    let node = if let Key::LinkKey(node, _) = key { node.clone() } else { key.name() };
    unfit("link key of", &node, why.to_string())
}
