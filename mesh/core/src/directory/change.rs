//! Changes of a directory: single objects put or removed, by their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::{Agency, Cluster, DirectoryKey, Ed25519Key, LinkKey, Objects, Service, System};
use crate::address::{AgencyAddress, ServiceAddress, SystemAddress};
use crate::agreement::{Agreement, AgreementId};
use crate::exchange::Digest;
use crate::id::ClusterId;

/// Changes that are committed together at most.
pub const CHANGES_MAX: usize = 90;

/// Names one object of a directory, such as `cluster/health`. The order of keys is the order in
/// which objects can be put: what others name comes before those that name it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Key {
    Cluster(ClusterId),
    Agency(AgencyAddress),
    System(SystemAddress),
    Service(ServiceAddress),
    Agreement(AgreementId),
    /// Full DNS name of the node, then the key's digest.
    LinkKey(String, Digest),
    DirectoryKey(Ed25519Key),
}

/// One object of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "services and agreements are most of the objects")]
pub enum Object {
    Cluster(Cluster),
    Agency(Agency),
    System(System),
    Service(Service),
    Agreement(Agreement),
    LinkKey(LinkKey),
    DirectoryKey(DirectoryKey),
}

/// What kind an object is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ObjectKind {
    Cluster,
    Agency,
    System,
    Service,
    Agreement,
    LinkKey,
    DirectoryKey,
}

/// One change: an object that is there afterwards as it is written, or one that is not.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every change puts an object")]
pub enum Change {
    Put(Object),
    Remove(Key),
}

/// Objects by their keys.
pub type ByKey = BTreeMap<Key, Object>;

/// Text that is no key, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no key of an object: {why}")]
pub struct ParseKeyError {
    text: String,
    why: String,
}

/// A change that cannot be made to the objects there are.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChangeError {
    #[error("there is no {0} to remove")]
    Absent(Key),
    #[error("{0} is changed twice at once")]
    Twice(Key),
}

/// Makes `changes` to `objects`, all or none.
pub fn apply(objects: &ByKey, changes: &[Change]) -> Result<ByKey, ChangeError> {
    let mut after = objects.clone();
    let mut touched = BTreeSet::new();
    for change in changes {
        let key = change.key();
        if !touched.insert(key.clone()) {
            return Err(ChangeError::Twice(key));
        }
        match change {
            Change::Put(object) => {
                after.insert(key, object.clone());
            }
            Change::Remove(key) => {
                if after.remove(key).is_none() {
                    return Err(ChangeError::Absent(key.clone()));
                }
            }
        }
    }
    Ok(after)
}

/// The changes that make `have` into `want`: first what is put, in the order of keys, then what is
/// removed, in the opposite order. So each part of them leaves objects that fit together, but for
/// what can only change at once, such as a service that drops an operation and those that may use
/// it: who commits in parts judges each part.
/// What `want` lacks stays unless `removable` says that it may go.
pub fn diff(have: &ByKey, want: &ByKey, removable: impl Fn(ObjectKind) -> bool) -> Vec<Change> {
    let put = want.iter().filter(|(key, object)| have.get(key) != Some(object));
    let put = put.map(|(_, object)| Change::Put(object.clone()));
    let gone = have.keys().rev();
    let gone = gone.filter(|key| !want.contains_key(key) && removable(key.kind()));
    put.chain(gone.map(|key| Change::Remove(key.clone()))).collect()
}

impl Change {
    pub fn key(&self) -> Key {
        match self {
            Self::Put(object) => object.key(),
            Self::Remove(key) => key.clone(),
        }
    }
}

impl Object {
    pub fn key(&self) -> Key {
        match self {
            Self::Cluster(cluster) => Key::Cluster(cluster.id.clone()),
            Self::Agency(agency) => Key::Agency(agency.address.clone()),
            Self::System(system) => Key::System(system.address.clone()),
            Self::Service(service) => Key::Service(service.address.clone()),
            Self::Agreement(agreement) => Key::Agreement(agreement.id()),
            Self::LinkKey(LinkKey { node, spki_sha256 }) => {
                Key::LinkKey(node.clone(), *spki_sha256)
            }
            Self::DirectoryKey(key) => Key::DirectoryKey(key.public_key),
        }
    }
}

impl From<Objects> for Vec<Object> {
    fn from(objects: Objects) -> Self {
        let Objects {
            clusters,
            agencies,
            systems,
            services,
            agreements,
            link_keys,
            directory_keys,
        } = objects;
        (clusters.into_iter().map(Object::Cluster))
            .chain(agencies.into_iter().map(Object::Agency))
            .chain(systems.into_iter().map(Object::System))
            .chain(services.into_iter().map(Object::Service))
            .chain(agreements.into_iter().map(Object::Agreement))
            .chain(link_keys.into_iter().map(Object::LinkKey))
            .chain(directory_keys.into_iter().map(Object::DirectoryKey))
            .collect()
    }
}

impl FromIterator<Object> for Objects {
    fn from_iter<I: IntoIterator<Item = Object>>(all: I) -> Self {
        let mut objects = Self::default();
        for object in all {
            match object {
                Object::Cluster(cluster) => objects.clusters.push(cluster),
                Object::Agency(agency) => objects.agencies.push(agency),
                Object::System(system) => objects.systems.push(system),
                Object::Service(service) => objects.services.push(service),
                Object::Agreement(agreement) => objects.agreements.push(agreement),
                Object::LinkKey(key) => objects.link_keys.push(key),
                Object::DirectoryKey(key) => objects.directory_keys.push(key),
            }
        }
        objects
    }
}

impl Objects {
    /// By key. Of two with the same key the later one; [`super::Directory::build`] refuses such.
    pub fn into_by_key(self) -> ByKey {
        let all: Vec<Object> = self.into();
        all.into_iter().map(|object| (object.key(), object)).collect()
    }
}

impl ObjectKind {
    pub const ALL: [Self; 7] = [
        Self::Cluster,
        Self::Agency,
        Self::System,
        Self::Service,
        Self::Agreement,
        Self::LinkKey,
        Self::DirectoryKey,
    ];

    /// Its word in keys, such as `link-key`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Agency => "agency",
            Self::System => "system",
            Self::Service => "service",
            Self::Agreement => "agreement",
            Self::LinkKey => "link-key",
            Self::DirectoryKey => "directory-key",
        }
    }
}

impl Key {
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Cluster(_) => ObjectKind::Cluster,
            Self::Agency(_) => ObjectKind::Agency,
            Self::System(_) => ObjectKind::System,
            Self::Service(_) => ObjectKind::Service,
            Self::Agreement(_) => ObjectKind::Agreement,
            Self::LinkKey(..) => ObjectKind::LinkKey,
            Self::DirectoryKey(_) => ObjectKind::DirectoryKey,
        }
    }

    /// The name without the kind, such as `health`.
    pub fn name(&self) -> String {
        match self {
            Self::Cluster(id) => id.to_string(),
            Self::Agency(address) => address.to_string(),
            Self::System(address) => address.to_string(),
            Self::Service(address) => address.to_string(),
            Self::Agreement(id) => id.to_string(),
            Self::LinkKey(node, digest) => format!("{node}/{digest}"),
            Self::DirectoryKey(key) => key.to_string(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind().name(), self.name())
    }
}

impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |why: String| {
            let text = text.chars().take(KEY_CHARS_SHOWN).collect();
            ParseKeyError { text, why }
        };
        let (kind, name) = text.split_once('/').ok_or_else(|| refused("it has no '/'".into()))?;
        let kind = ObjectKind::ALL.into_iter().find(|known| known.name() == kind);
        let kind = kind.ok_or_else(|| refused("its kind is unknown".into()))?;
        Self::parse(kind, name).map_err(refused)
    }
}

/// As much of a wrong key as a message repeats.
const KEY_CHARS_SHOWN: usize = 80;

impl Key {
    /// The key of the object of this kind and name, or what is wrong with the name.
    pub fn parse(kind: ObjectKind, name: &str) -> Result<Self, String> {
        fn read<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
            text.parse().map_err(|why: T::Err| why.to_string())
        }
        match kind {
            ObjectKind::Cluster => read(name).map(Self::Cluster),
            ObjectKind::Agency => read(name).map(Self::Agency),
            ObjectKind::System => read(name).map(Self::System),
            ObjectKind::Service => read(name).map(Self::Service),
            ObjectKind::Agreement => read(name).map(Self::Agreement),
            ObjectKind::LinkKey => {
                let (node, digest) =
                    name.split_once('/').ok_or("it names no digest of a key".to_owned())?;
                Ok(Self::LinkKey(node.into(), read(digest)?))
            }
            ObjectKind::DirectoryKey => read(name).map(Self::DirectoryKey),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::super::{Directory, IntraCluster};
    use super::*;
    use crate::exchange::DirectoryPosition;
    use crate::node::MeshDomain;

    fn is_sound(objects: &ByKey) -> bool {
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let objects = objects.values().cloned().collect();
        Directory::build(mesh, DirectoryPosition::default(), objects).is_ok()
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let objects = sample().into_by_key();
        for (key, object) in &objects {
            assert_eq!(object.key(), *key);
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
        }
        #[rustfmt::skip]
        let cases = [
            ("cluster",             "it has no '/'"),
            ("hub/health",          "its kind is unknown"),
            ("cluster/Health",      "cluster id has 'H' at byte 0"),
            ("system/ir/gov/tax",   "want"),
            ("link-key/hub.centre", "it names no digest of a key"),
            ("link-key/hub.a/00",   ""),
        ];
        for (text, why) in cases {
            let error = text.parse::<Key>().expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn objects_survive_the_way_by_key() {
        let by_key = sample().into_by_key();
        let again: Objects = by_key.values().cloned().collect();
        assert_eq!(again.into_by_key(), by_key);
    }

    #[test]
    fn a_diff_makes_one_into_the_other_and_each_part_of_it_is_sound() {
        let (have, want) = (ByKey::new(), sample().into_by_key());
        for (have, want) in [(&have, &want), (&want, &have)] {
            let changes = diff(have, want, |_| true);
            assert_eq!(changes.len(), have.len().max(want.len()));
            let mut now = have.clone();
            for change in &changes {
                now = apply(&now, std::slice::from_ref(change)).unwrap();
                assert!(is_sound(&now), "after {}", change.key());
            }
            assert_eq!(&now, want);
            assert_eq!(diff(want, want, |_| true), []);
        }
    }

    #[test]
    fn a_diff_removes_only_what_it_may() {
        let have = sample().into_by_key();
        let keep = diff(&have, &ByKey::new(), |_| false);
        assert_eq!(keep, []);
        let some = diff(&have, &ByKey::new(), |kind| kind == ObjectKind::Agreement);
        assert!(!some.is_empty());
        assert!(some.iter().all(|change| change.key().kind() == ObjectKind::Agreement));
    }

    #[test]
    fn a_changed_object_is_put() {
        let have = sample().into_by_key();
        let mut want = have.clone();
        let key: Key = "cluster/health".parse().unwrap();
        let Some(Object::Cluster(cluster)) = want.get_mut(&key) else { panic!("it is there") };
        cluster.intra_cluster = IntraCluster::Local;
        let changes = diff(&have, &want, |_| true);
        assert_eq!(changes, [Change::Put(want[&key].clone())]);
    }

    #[test]
    fn changes_are_made_all_or_none() {
        let have = sample().into_by_key();
        let absent: Key = "cluster/none".parse().unwrap();
        let (first, object) = have.first_key_value().unwrap();
        let remove = Change::Remove(first.clone());
        let wrong = [remove.clone(), Change::Remove(absent.clone())];
        assert_eq!(apply(&have, &wrong), Err(ChangeError::Absent(absent)));
        let twice = [remove, Change::Put(object.clone())];
        assert_eq!(apply(&have, &twice), Err(ChangeError::Twice(first.clone())));
    }
}
