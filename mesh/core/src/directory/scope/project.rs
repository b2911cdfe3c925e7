//! What a commit is to each scope. The cost is that of the change: the objects that changed, and
//! the agencies that a changed service concerns.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Directory;
use super::super::change::{Change, Key, Object};
use super::super::tables::Tables;
use super::Scope;
use super::content::of_node;
use crate::address::{AgencyAddress, ServiceAddress};

/// The changes of each scope that a commit touches, in the order of keys.
pub type Projection = BTreeMap<Scope, Vec<Change>>;

/// What `changes`, which made `before` into `after`, are to the scopes.
pub fn project(before: &Directory, after: &Directory, changes: &[Change]) -> Projection {
    let mut parts = Parts::default();
    let mut used = BTreeSet::new();
    for change in changes {
        let key = change.key();
        let old = before.object(&key);
        let old_scopes = old.as_ref().map(|old| scopes_of(before, old)).unwrap_or_default();
        let new = if let Change::Put(object) = change { Some(object) } else { None };
        let new_scopes = new.map(|new| scopes_of(after, new)).unwrap_or_default();
        if let Some(object) = new {
            for scope in &new_scopes {
                parts.put(scope.clone(), object);
            }
        }
        for scope in old_scopes.difference(&new_scopes) {
            parts.remove(scope.clone(), key.clone());
        }
        used.extend(old.iter().chain(new).filter_map(use_of));
    }
    // A service comes to a consumer with the first agreement, and leaves with the last.
    for (service, agency) in used {
        let had = concerns(&before.tables, &service, &agency);
        let has = concerns(&after.tables, &service, &agency);
        let scope = Scope::Agency(agency);
        let key = Key::Service(service);
        match after.object(&key).filter(|_| has) {
            Some(object) if !had => parts.put(scope, &object),
            None if had => parts.remove(scope, key),
            _ => {}
        }
    }
    parts.in_order()
}

/// The scopes that `object` of `directory` is in.
pub(super) fn scopes_of(directory: &Directory, object: &Object) -> BTreeSet<Scope> {
    let agency = |address: &AgencyAddress| Scope::Agency(address.clone());
    match object {
        Object::Cluster(_) | Object::Agency(_) | Object::System(_) | Object::DirectoryKey(_) => {
            [Scope::Nation].into()
        }
        Object::Service(service) => {
            let users = directory.tables.agencies_that_use(&service.address);
            let owner = &service.address.system.agency;
            users.chain([owner]).map(agency).collect()
        }
        Object::Agreement(agreement) => {
            let terms = agreement.terms();
            [agency(&terms.consumer.agency), agency(&terms.service.system.agency)].into()
        }
        Object::LinkKey(key) => {
            // No name that names no node is in a directory: it is checked where a key is put in.
            let node = directory.mesh().parse_node(&key.node);
            [node.map_or(Scope::Nation, |node| of_node(&node))].into()
        }
    }
}

/// The service that `object` lets an agency use.
fn use_of(object: &Object) -> Option<(ServiceAddress, AgencyAddress)> {
    let (service, consumer) = match object {
        Object::Agreement(agreement) => (&agreement.terms().service, &agreement.terms().consumer),
        _ => return None,
    };
    Some((service.clone(), consumer.agency.clone()))
}

/// Is `service` in the scope of `agency`?
fn concerns(tables: &Tables, service: &ServiceAddress, agency: &AgencyAddress) -> bool {
    let is_there = tables.service(service).is_some();
    is_there && (service.system.agency == *agency || tables.uses(agency, service))
}

#[derive(Default)]
struct Parts(BTreeMap<Scope, BTreeMap<Key, Change>>);

impl Parts {
    fn put(&mut self, scope: Scope, object: &Object) {
        let change = Change::Put(object.clone());
        self.0.entry(scope).or_default().insert(object.key(), change);
    }

    fn remove(&mut self, scope: Scope, key: Key) {
        self.0.entry(scope).or_default().insert(key.clone(), Change::Remove(key));
    }

    fn in_order(self) -> Projection {
        let parts = self.0.into_iter();
        parts.map(|(scope, changes)| (scope, changes.into_values().collect())).collect()
    }
}
