//! What makes a directory one: every name that an object uses is there, and every object keeps the
//! rules of its kind. Each rule looks at one object and at those that it names, so that a change is
//! judged by what it touches.

use super::change::{Change, Key, Object};
use super::grants::Grant;
use super::tables::Tables;
use super::{Agency, Attribute, Service, System};
use crate::id::OperationId;
use crate::limits::DEADLINE_MAX;
use crate::node::MeshDomain;
use crate::operation::Operation;

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

/// The objects after some changes, and before them.
pub(super) struct Judge<'t> {
    pub(super) mesh: &'t MeshDomain,
    pub(super) before: &'t Tables,
    pub(super) after: &'t Tables,
}

impl Judge<'_> {
    /// Does what `change` touches still fit together? What it leaves alone fitted before.
    pub(super) fn change(&self, change: &Change) -> Result<(), DirectoryError> {
        match change {
            Change::Put(object) => self.put(object),
            Change::Remove(key) => self.absent(key),
        }
    }

    /// The rules of one object, as it is now.
    pub(super) fn put(&self, object: &Object) -> Result<(), DirectoryError> {
        match object {
            Object::Agency(agency) => self.agency(agency),
            Object::System(system) => self.system(system),
            Object::Service(service) => {
                self.service(service)?;
                self.still_declares(service)
            }
            Object::Agreement(agreement) => self.grant(agreement),
            // They name no object, and no rule hangs on what is in them.
            Object::Cluster(_) | Object::LinkKey(_) | Object::DirectoryKey(_) => Ok(()),
        }
    }

    /// Nothing may name what is not there any more.
    fn absent(&self, key: &Key) -> Result<(), DirectoryError> {
        let system = |it: Option<&System>, wanted: &dyn ToString| {
            it.map_or(Ok(()), |it| Err(missing("system", &it.address, wanted)))
        };
        match key {
            Key::Cluster(id) => system(self.after.systems_of(id).next(), id),
            Key::Agency(address) => system(self.after.systems_below(address).next(), address),
            Key::System(address) => {
                if let Some(service) = self.after.services_below(address).next() {
                    return Err(missing("service", &service.address, address));
                }
                unnamed(self.after.agreements.binding_to(address).next(), address)
            }
            Key::Service(address) => {
                unnamed(self.after.agreements.binding_for(address).next(), address)
            }
            Key::Agreement(_) | Key::LinkKey(..) | Key::DirectoryKey(_) => Ok(()),
        }
    }

    fn agency(&self, Agency { address, .. }: &Agency) -> Result<(), DirectoryError> {
        let mesh = &self.mesh.mesh;
        if address.mesh == *mesh {
            return Ok(());
        }
        Err(unfit("agency", address, format!("its mesh is not {mesh}")))
    }

    fn system(&self, system: &System) -> Result<(), DirectoryError> {
        let System { address, cluster, attributes } = system;
        if !self.after.has_agency(&address.agency) {
            return Err(missing("system", address, &address.agency));
        }
        if let Some(cluster) = cluster.as_ref().filter(|id| self.after.cluster(id).is_none()) {
            return Err(missing("system", address, cluster));
        }
        if attributes.contains(&Attribute::BaseDatabase) && cluster.is_some() {
            let why = "a base database belongs to no cluster: its home is the centre";
            return Err(unfit("system", address, why.into()));
        }
        Ok(())
    }

    fn service(&self, service: &Service) -> Result<(), DirectoryError> {
        let Service { address, timeout_ms, operations, lifecycle, .. } = service;
        if self.after.system(&address.system).is_none() {
            return Err(missing("service", address, &address.system));
        }
        let limit = DEADLINE_MAX.as_millis() as u64;
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
        Ok(())
    }

    /// A service that drops an operation may do so only if nobody is permitted it any more.
    fn still_declares(&self, service: &Service) -> Result<(), DirectoryError> {
        let before = self.before.service(&service.address);
        if before.is_none_or(|before| dropped(before, service).next().is_none()) {
            return Ok(());
        }
        let Tables { agreements, .. } = self.after;
        agreements.binding_for(&service.address).try_for_each(|given| self.grant(given))
    }

    /// What is permitted or agreed must be there. A record of what is over binds nobody.
    fn grant<G: Grant>(&self, given: &G) -> Result<(), DirectoryError> {
        if !given.binds() {
            return Ok(());
        }
        if self.after.system(given.consumer()).is_none() {
            return Err(missing(G::KIND, &given.id(), given.consumer()));
        }
        let Some(service) = self.after.service(given.service()) else {
            return Err(missing(G::KIND, &given.id(), given.service()));
        };
        let declared = |id: &&OperationId| service.operations.iter().any(|known| known.id == **id);
        if let Some(operation) = given.operations().iter().find(|id| !declared(id)) {
            let wanted = format!("operation {operation} of {}", given.service());
            return Err(missing(G::KIND, &given.id(), &wanted));
        }
        Ok(())
    }
}

/// Fails if there is somebody who names `wanted`, which is gone.
fn unnamed<G: Grant>(by: Option<&G>, wanted: &impl ToString) -> Result<(), DirectoryError> {
    by.map_or(Ok(()), |given| Err(missing(G::KIND, &given.id(), wanted)))
}

/// The operations that `before` declares and `after` does not.
pub(super) fn dropped<'s>(
    before: &'s Service,
    after: &'s Service,
) -> impl Iterator<Item = &'s OperationId> {
    let ids = before.operations.iter().map(|operation| &operation.id);
    ids.filter(|id| !after.operations.iter().any(|kept| kept.id == **id))
}

fn missing<N: ToString + ?Sized, W: ToString + ?Sized>(
    kind: &'static str,
    name: &N,
    wanted: &W,
) -> DirectoryError {
    DirectoryError::Missing { kind, name: name.to_string(), wanted: wanted.to_string() }
}

pub(super) fn unfit(kind: &'static str, name: &impl ToString, why: String) -> DirectoryError {
    DirectoryError::Unfit { kind, name: name.to_string(), why }
}
