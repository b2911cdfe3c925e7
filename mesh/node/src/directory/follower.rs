//! The side of a node that follows: what it is told is checked whole and taken whole, or not at
//! all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_core::directory::Directory;
use mesh_core::directory::change::{Change, ChangeError, Key, Object};
use mesh_core::directory::history::{Head, News, Untakeable};
use mesh_core::directory::scope::Scope;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_proto::directory::{read_entry, read_scope_snapshot};
use mesh_proto::malformed::Malformed;
use mesh_proto::wire::directory::v1 as wire;
use mesh_proto::wire::directory::v1::feed_event::Kind;

use super::held::{Held, Laid};
use super::sign::{DirectoryKeys, Signed, sha256};
use super::{LiveDirectory, NotTaken, Role, State};

impl LiveDirectory {
    /// A node that was told nothing yet: it permits nothing and admits nobody. It believes `keys`,
    /// and those that the directory names once it is believed.
    pub fn following(me: NodeName, mesh: MeshDomain, keys: DirectoryKeys) -> Self {
        let role = Role::Follower { me, keys };
        Self::new(Directory::empty(mesh), BTreeMap::new(), role)
    }

    /// Takes entries and snapshots that belong together, all or none. Costs what is in them.
    /// Answers whether that changed anything.
    pub fn take(&self, group: &[wire::FeedEvent]) -> Result<bool, NotTaken> {
        let Role::Follower { me, keys } = &self.0.role else { return Err(NotTaken::NotFollower) };
        let _alone = self.writing();
        let (now, scopes) = self.cut();
        let keys = keys.with(now.directory_keys());
        let laid = BTreeSet::new();
        let touched = BTreeMap::new();
        let mut work = Work { me, keys, now, scopes, laid, touched, changed: false };
        for event in group {
            match &event.kind {
                Some(Kind::Snapshot(snapshot)) => work.snapshot(snapshot)?,
                Some(Kind::Entry(entry)) => work.entry(entry)?,
                Some(Kind::Heartbeat(_)) => {
                    let why = "a heartbeat belongs to no group";
                    return Err(Malformed::new("feed.heartbeat", why).into());
                }
                None => return Err(Malformed::missing("feed.kind").into()),
            }
        }
        if !work.changed {
            return Ok(false);
        }
        let (directory, scopes) = work.finish()?;
        // What it agreed with is no longer what is here.
        let heard = self.state().heard;
        self.replace(directory, State { scopes, heartbeat: None, heard });
        Ok(true)
    }

    /// What to tell the one above that this node has. A scope whose entries have outgrown its
    /// snapshot is left out, so that a newer snapshot comes.
    pub fn wanted(&self) -> BTreeMap<Scope, Head> {
        let state = self.state();
        let held = state.scopes.iter().filter(|(_, held)| !held.overgrown());
        held.map(|(scope, held)| (scope.clone(), held.head)).collect()
    }
}

/// A group that is being taken: nothing of it is true yet.
struct Work<'w> {
    me: &'w NodeName,
    keys: DirectoryKeys,
    now: Arc<Directory>,
    scopes: BTreeMap<Scope, Arc<Held>>,
    /// The scopes that this group lays out whole.
    laid: BTreeSet<Scope>,
    /// What the group says of each object it touches, by scope; `None`: it is not in the scope.
    touched: BTreeMap<Key, BTreeMap<Scope, Option<Object>>>,
    changed: bool,
}

impl Work<'_> {
    fn entry(&mut self, message: &wire::Entry) -> Result<(), NotTaken> {
        let mesh = self.now.mesh();
        self.keys.verify(Signed::Entry, mesh, &message.body, message.signature.as_ref())?;
        let entry = read_entry(&message.body)?;
        let (scope, hash) = (entry.scope.clone(), sha256(&[&message.body]));
        let after = entry.head(hash);
        let have = self.scopes.get(&scope);
        if have.is_some_and(|held| held.passed(&after)) {
            return Ok(());
        }
        let have = have.map(|held| held.head);
        match entry.check(have, hash).map_err(NotTaken::of(&scope))? {
            News::Known => return Ok(()),
            News::Newer => self.changed = true,
        }
        if entry.previous.is_none() {
            self.forget(&scope);
        }
        let held = self.scopes.entry(scope.clone());
        let held = Arc::make_mut(held.or_insert_with(|| Arc::new(Held::begin(after))));
        for change in &entry.changes {
            let key = change.key();
            let object = match change {
                Change::Put(object) => {
                    held.members.insert(key.clone());
                    Some(object.clone())
                }
                Change::Remove(_) => {
                    let gone = held.members.remove(|it| it.cmp(&key));
                    gone.ok_or_else(|| ChangeError::Absent(key.clone()))?;
                    None
                }
            };
            if let (Scope::Nation, Some(object)) = (&scope, &object) {
                learn(&mut self.keys, object);
            }
            self.touched.entry(key).or_default().insert(scope.clone(), object);
        }
        held.push(entry.previous, after, message.clone());
        Ok(())
    }

    fn snapshot(&mut self, message: &wire::Snapshot) -> Result<(), NotTaken> {
        let mesh = self.now.mesh();
        let signature = message.signature.as_ref();
        let verified = self.keys.verify(Signed::Snapshot, mesh, &message.body, signature);
        let read = read_scope_snapshot(&message.body)?;
        if read.mesh != *mesh {
            return Err(NotTaken::OtherMesh);
        }
        verified?;
        let hash = read.entry_hash.unwrap_or_else(|| sha256(&[&message.body]));
        let head = Head { epoch: read.epoch, revision: read.revision, hash: Some(hash) };
        let laid = Laid { head, message: message.clone() };
        let Some(held) = self.scopes.get(&read.scope) else {
            return self.lay(read.scope, laid, read.objects);
        };
        let scope = read.scope;
        match held.head.check_snapshot(head) {
            Ok(News::Newer) => return self.lay(scope, laid, read.objects),
            Ok(News::Known) => self.compare(&scope, head, &read.objects)?,
            // An earlier one of the same history: with it, the entries before it may go.
            Err(Untakeable::Rollback { .. }) if held.passed(&head) => {}
            Err(why) => return Err(NotTaken::of(&scope)(why)),
        }
        if let Some(held) = self.scopes.get_mut(&scope) {
            Arc::make_mut(held).renew(laid);
            self.changed = true;
        }
        Ok(())
    }

    /// Puts what a snapshot says in the place of what is held of its scope.
    fn lay(&mut self, scope: Scope, laid: Laid, objects: Vec<Object>) -> Result<(), NotTaken> {
        self.forget(&scope);
        let mut held = Held::begin(laid.head);
        held.renew(laid);
        for object in objects {
            let key = object.key();
            if held.members.insert(key.clone()).is_some() {
                return Err(ChangeError::Twice(key).into());
            }
            if scope == Scope::Nation {
                learn(&mut self.keys, &object);
            }
            self.touched.entry(key).or_default().insert(scope.clone(), Some(object));
        }
        self.scopes.insert(scope.clone(), Arc::new(held));
        self.laid.insert(scope);
        self.changed = true;
        Ok(())
    }

    /// A snapshot of the head that is here must hold what is here, or there are two truths.
    fn compare(&self, scope: &Scope, offered: Head, objects: &[Object]) -> Result<(), NotTaken> {
        let Some(held) = self.scopes.get(scope) else { return Ok(()) };
        let here = |object: &Object| {
            let key = object.key();
            let told = self.touched.get(&key).and_then(|told| told.get(scope));
            let known = told.cloned().unwrap_or_else(|| self.now.object(&key));
            held.members.find(|it| it.cmp(&key)).is_some() && known.as_ref() == Some(object)
        };
        if held.members.len() == objects.len() && objects.iter().all(here) {
            return Ok(());
        }
        Err(NotTaken::of(scope)(Untakeable::SplitView { offered }))
    }

    fn forget(&mut self, scope: &Scope) {
        let Some(held) = self.scopes.remove(scope) else { return };
        for key in held.members.iter() {
            self.touched.entry(key.clone()).or_default().insert(scope.clone(), None);
        }
    }

    /// The directory after the group, and what is held of each scope.
    fn finish(mut self) -> Result<(Directory, BTreeMap<Scope, Arc<Held>>), NotTaken> {
        let epoch = self.scopes.get(&Scope::Nation).map_or(0, |held| held.head.epoch);
        let later = self.scopes.iter().find(|(_, held)| epoch < held.head.epoch);
        if let Some((scope, _)) = later {
            return Err(NotTaken::Torn { scope: scope.clone() });
        }
        // Every scope that is still there has a snapshot of the new epoch, in this same group.
        self.forget_where(|_, held| held.head.epoch < epoch);
        let nation = self.changes(|told| told.contains_key(&Scope::Nation))?;
        let followed = self.now.followed_after(&nation, self.me)?;
        self.forget_where(|scope, _| !followed.contains(scope));
        let changes = self.changes(|_| true)?;
        let directory = self.now.with(&changes)?;
        Ok((directory, self.scopes))
    }

    fn forget_where(&mut self, gone: impl Fn(&Scope, &Held) -> bool) {
        let gone = self.scopes.iter().filter(|(scope, held)| gone(scope, held));
        let gone: Vec<Scope> = gone.map(|(scope, _)| scope.clone()).collect();
        gone.iter().for_each(|scope| self.forget(scope));
    }

    /// What the group is to the directory, in which an object stands once however many scopes it
    /// is in.
    fn changes(
        &self,
        wanted: impl Fn(&BTreeMap<Scope, Option<Object>>) -> bool,
    ) -> Result<Vec<Change>, NotTaken> {
        // A scope that the group lays out says something of all its members.
        let untold = self.scopes.iter().filter(|(scope, _)| !self.laid.contains(scope));
        let untold: Vec<_> = untold.collect();
        let mut changes = Vec::new();
        for (key, told) in self.touched.iter().filter(|(_, told)| wanted(told)) {
            let before = self.now.object(key);
            let others = untold.iter().filter(|(scope, _)| !told.contains_key(*scope));
            let mut others =
                others.filter(|(_, held)| held.members.find(|it| it.cmp(key)).is_some());
            // Of a scope that says nothing of an object that it has, the object is as it was.
            let unchanged = if others.next().is_some() { before.as_ref() } else { None };
            let mut said = told.values().flatten().chain(unchanged);
            let after = said.next();
            if said.any(|other| Some(other) != after) {
                return Err(NotTaken::Contradiction { key: key.clone() });
            }
            match (&before, after) {
                (Some(before), Some(after)) if before == after => {}
                (_, Some(after)) => changes.push(Change::Put(after.clone())),
                (Some(_), None) => changes.push(Change::Remove(key.clone())),
                (None, None) => {}
            }
        }
        Ok(changes)
    }
}

/// A node that believes the directory believes the keys that it names.
fn learn(keys: &mut DirectoryKeys, object: &Object) {
    if let Object::DirectoryKey(key) = object {
        keys.insert(key.public_key);
    }
}
