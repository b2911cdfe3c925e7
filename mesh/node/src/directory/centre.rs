//! The centre's side: it decides what comes next, signs it, and says every few seconds where it
//! stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::directory::change::Change;
use mesh_core::directory::history::{Entry, Head, Heartbeat, SCOPE_ENTRY_BYTES_MAX};
use mesh_core::directory::scope::{self, Scope};
use mesh_core::directory::{Directory, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::{
    ScopeSnapshot, read_entry, write_entry, write_heartbeat, write_scope_snapshot,
};
use mesh_proto::wire::directory::v1 as wire;

use super::held::{Held, Laid, number};
use super::sign::{DirectorySigner, Signed, sha256};
use super::{LiveDirectory, NotTaken, Role, State};

/// What the registry's store holds when the centre starts.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Of the last commit.
    pub epoch: u64,
    pub revision: u64,
    pub objects: Objects,
    /// The head of every scope. Of another epoch than `epoch`, or none, where the registry was
    /// restored or moved: then every scope is laid out anew.
    pub heads: BTreeMap<Scope, Head>,
    /// The last entries, the oldest first: who follows and is a little behind gets these.
    pub log: Vec<wire::Entry>,
}

/// A commit that is ready to be made: judged, projected on scopes, and signed.
#[derive(Debug)]
pub struct Prepared {
    /// Of the registry after it; its hash is the root over the heads of all scopes.
    pub head: Head,
    /// What it is to each scope that it touches.
    pub entries: Vec<(Scope, wire::Entry)>,
    /// The heads of all scopes after it.
    pub heads: BTreeMap<Scope, Head>,
    base: DirectoryPosition,
    directory: Directory,
}

impl LiveDirectory {
    /// At start, from what the store holds.
    pub fn from_registry(
        mesh: MeshDomain,
        stored: Stored,
        signer: DirectorySigner,
    ) -> Result<Self, NotTaken> {
        let Stored { epoch, revision, objects, heads, log } = stored;
        let position = DirectoryPosition { epoch, revision, root: None };
        let directory = Directory::build(mesh, position, objects)?;
        let anew = heads.values().all(|head| head.epoch != epoch);
        let mut held: BTreeMap<Scope, Held> = if anew {
            let begun = directory.scopes().into_iter().map(|scope| {
                let head = lay_out(&directory, &scope, None, &signer).head;
                (scope, Held::begin(head))
            });
            begun.collect()
        } else {
            heads.into_iter().map(|(scope, head)| (scope, Held::begin(head))).collect()
        };
        for message in log {
            let entry = read_entry(&message.body)?;
            let after = entry.head(sha256(&[&message.body]));
            let Some(held) = held.get_mut(&entry.scope) else { continue };
            held.recall(entry.previous, after, message);
        }
        let heads = held.iter().map(|(scope, held)| (scope, &held.head));
        let root = Some(scope::root(sha256, heads));
        let directory = directory.at(DirectoryPosition { epoch, revision, root });
        let scopes = held.into_iter().map(|(scope, held)| (scope, Arc::new(held))).collect();
        Ok(Self::new(directory, scopes, Role::Centre(signer)))
    }

    /// Judges `changes` against the directory that is here, and signs what they are to each scope.
    /// Makes nothing true, and costs what the changes cost.
    pub fn prepare(&self, changes: &[Change], at_unix_ms: u64) -> Result<Prepared, NotTaken> {
        let Role::Centre(signer) = &self.0.role else { return Err(NotTaken::NotCentre) };
        let now = self.now();
        let base = now.position();
        let directory = now.with(changes)?;
        let (epoch, revision) = (base.epoch, base.revision + 1);
        let mut heads = self.heads();
        let mut entries = Vec::new();
        for (scope, changes) in scope::project(&now, &directory, changes) {
            let previous = heads.get(&scope).and_then(|head| head.hash);
            let committed_at_unix_ms = at_unix_ms;
            let entry = Entry { scope, epoch, revision, previous, changes, committed_at_unix_ms };
            let body = write_entry(&entry);
            if SCOPE_ENTRY_BYTES_MAX < body.len() {
                let (bytes, limit) = (body.len(), SCOPE_ENTRY_BYTES_MAX);
                return Err(NotTaken::TooLarge { scope: entry.scope, bytes, limit });
            }
            heads.insert(entry.scope.clone(), entry.head(sha256(&[&body])));
            let signature = Some(signer.sign(Signed::Entry, now.mesh(), &body));
            entries.push((entry.scope, wire::Entry { body, signature }));
        }
        let root = Some(scope::root(sha256, &heads));
        let head = Head { epoch, revision, hash: root };
        let directory = directory.at(DirectoryPosition { epoch, revision, root });
        Ok(Prepared { head, entries, heads, base, directory })
    }

    /// Makes it true, and tells those who follow. For when the store has it.
    ///
    /// # Panics
    ///
    /// If another commit was published since it was prepared: the registry makes one at a time.
    pub fn publish(&self, prepared: Prepared) -> Head {
        let Prepared { head, entries, heads, base, directory } = prepared;
        let _alone = self.writing();
        assert_eq!(self.now().position(), base, "one commit is made at a time");
        let mut scopes = self.state().scopes.clone();
        for (scope, message) in entries {
            let after = heads[&scope];
            let before = scopes.get(&scope).and_then(|held| held.head.hash);
            let held = scopes.entry(scope).or_insert_with(|| Arc::new(Held::begin(after)));
            Arc::make_mut(held).push(before, after, message);
        }
        self.replace(directory, State { scopes, heartbeat: None, heard: None });
        head
    }

    /// Says where the centre stands, signed, to all who follow: every few seconds, and soon after
    /// each commit.
    pub fn beat(&self, sent_at_unix_ms: u64) -> Result<(), NotTaken> {
        let Role::Centre(signer) = &self.0.role else { return Err(NotTaken::NotCentre) };
        let _alone = self.writing();
        let (now, scopes) = self.cut();
        let DirectoryPosition { epoch, revision, .. } = now.position();
        let heads = scopes.into_iter().map(|(scope, held)| (scope, held.head)).collect();
        let body = write_heartbeat(&Heartbeat { sent_at_unix_ms, epoch, revision, heads });
        let signature = Some(signer.sign(Signed::Heartbeat, now.mesh(), &body));
        self.state().heartbeat = Some((sent_at_unix_ms, wire::Heartbeat { body, signature }));
        self.tell();
        Ok(())
    }

    /// Lays out anew the scopes whose entries have outgrown their snapshots. Costs what they hold:
    /// for a thread that may block, after a commit. Answers how many there were.
    pub fn renew_snapshots(&self) -> usize {
        let (_, scopes) = self.cut();
        let due = scopes.iter().filter(|(_, held)| held.overgrown());
        let due: Vec<Scope> = due.map(|(scope, _)| scope.clone()).collect();
        self.lay_out_anew(&due);
        due.len()
    }

    /// Lays out `due`, at the centre. One that nobody asks for is never laid out: the registry's
    /// objects are here in one form already.
    pub(super) fn lay_out_anew(&self, due: &[Scope]) {
        let Role::Centre(signer) = &self.0.role else { return };
        let (directory, scopes) = self.cut();
        for scope in due {
            let Some(held) = scopes.get(scope) else { continue };
            let laid = lay_out(&directory, scope, Some(held.head), signer);
            let _alone = self.writing();
            // Entries may have come meanwhile: the snapshot is of a head that they lead away from.
            if let Some(held) = self.state().scopes.get_mut(scope) {
                Arc::make_mut(held).renew(laid);
            }
        }
        self.tell();
    }
}

/// Everything of `scope`, signed. `head` is `None` where its history begins here: then the head is
/// of the content.
fn lay_out(
    directory: &Directory,
    scope: &Scope,
    head: Option<Head>,
    signer: &DirectorySigner,
) -> Laid {
    let DirectoryPosition { epoch, revision, .. } = directory.position();
    let (epoch, revision) = head.map_or((epoch, revision), |head| number(&head));
    let snapshot = ScopeSnapshot {
        mesh: directory.mesh().clone(),
        scope: scope.clone(),
        epoch,
        revision,
        entry_hash: head.and_then(|head| head.hash),
        objects: directory.objects_in(scope),
    };
    let body: Bytes = write_scope_snapshot(&snapshot);
    let hash = snapshot.entry_hash.unwrap_or_else(|| sha256(&[&body]));
    let signature = Some(signer.sign(Signed::Snapshot, directory.mesh(), &body));
    let head = Head { epoch, revision, hash: Some(hash) };
    Laid { head, message: wire::Snapshot { body, signature } }
}
