//! The directory as this node has it now: decided here, at the centre, or told by the one above,
//! and handed on to those below.
//!
//! ```text
//! registry ─▶ prepare ─▶ store ─▶ publish         take ◀─ group of entries and snapshots
//!                                    │             │  hear ◀─ heartbeat
//!                                    ▼             ▼
//!                       the directory, and what is held of each scope
//!                                           │
//!                                           ▼
//!                     lacks ─▶ group, heartbeat ─▶ each follower
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use mesh_core::directory::Directory;
use mesh_core::directory::history::Head;
use mesh_core::directory::scope::Scope;
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::NodeName;
use mesh_proto::wire::directory::v1 as wire;
use tokio::sync::watch;

use self::hear::LastHeard;
use self::held::Held;

mod centre;
mod follower;
mod hear;
mod held;
mod refused;
mod sign;
mod tell;

pub use self::centre::{Prepared, Stored};
pub use self::hear::Heard;
pub use self::refused::NotTaken;
pub use self::sign::{DirectoryKeys, DirectorySigner, sha256};
pub use self::tell::Follower;

/// See the module. Cheap to clone; every clone speaks of the same directory.
#[derive(Clone)]
pub struct LiveDirectory(Arc<Known>);

struct Known {
    /// Asked on every exchange, and so apart from the rest.
    now: ArcSwap<Directory>,
    role: Role,
    /// Held only to look and to swap; see [`LiveDirectory::writing`].
    state: Mutex<State>,
    /// Held while something new is made of what is here.
    alone: Mutex<()>,
    changed: watch::Sender<DirectoryPosition>,
}

/// Where news of the directory comes from.
enum Role {
    /// From nowhere: it is what it was made with.
    Fixed,
    /// From the registry, and this node signs it.
    Centre(DirectorySigner),
    /// From the node above, signed by the centre.
    Follower { me: NodeName, keys: DirectoryKeys },
}

/// What is held of the scopes, all of one moment.
#[derive(Default)]
struct State {
    scopes: BTreeMap<Scope, Arc<Held>>,
    /// The last heartbeat that describes just this, and when it was sent.
    heartbeat: Option<(u64, wire::Heartbeat)>,
    heard: Option<LastHeard>,
}

impl LiveDirectory {
    /// One that stays as `directory` is, and tells nobody of it.
    pub fn in_memory(directory: Directory) -> Self {
        Self::new(directory, BTreeMap::new(), Role::Fixed)
    }

    fn new(directory: Directory, scopes: BTreeMap<Scope, Arc<Held>>, role: Role) -> Self {
        let changed = watch::Sender::new(directory.position());
        Self(Arc::new(Known {
            now: ArcSwap::from_pointee(directory),
            role,
            state: Mutex::new(State { scopes, ..State::default() }),
            alone: Mutex::default(),
            changed,
        }))
    }

    /// The directory at this moment. Ask once for each decision, so that it is of one piece.
    pub fn now(&self) -> Arc<Directory> {
        self.0.now.load_full()
    }

    /// Where this node stands: at the centre by the last commit, elsewhere by the last heartbeat
    /// that described what the node holds.
    pub fn position(&self) -> DirectoryPosition {
        self.now().position()
    }

    /// The heads of all scopes that are held.
    pub fn heads(&self) -> BTreeMap<Scope, Head> {
        let state = self.state();
        state.scopes.iter().map(|(scope, held)| (scope.clone(), held.head)).collect()
    }

    /// Wakes after whatever those who follow may lack: entries, snapshots, heartbeats.
    pub fn changed(&self) -> watch::Receiver<DirectoryPosition> {
        self.0.changed.subscribe()
    }

    /// The directory and what is held of each scope, of one moment.
    fn cut(&self) -> (Arc<Directory>, BTreeMap<Scope, Arc<Held>>) {
        let state = self.state();
        (self.now(), state.scopes.clone())
    }

    fn replace(&self, directory: Directory, new: State) {
        let mut state = self.state();
        *state = new;
        self.0.now.store(Arc::new(directory));
        drop(state);
        self.tell();
    }

    /// Wakes those who wait for news.
    fn tell(&self) {
        self.0.changed.send_replace(self.position());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics under this lock")
    }

    /// One at a time makes something new of what is here, so that nothing is lost between its look
    /// and its change.
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.alone.lock().expect("nothing panics under this lock")
    }
}

impl fmt::Debug for LiveDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveDirectory").field("position", &self.position()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
