//! The directory as this node has it now: read from its file at the start, kept up with the one
//! above, and handed on to those below.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use bytes::Bytes;
use mesh_core::directory::Directory;
use mesh_core::directory::history::{Entry, Head, News, Untakeable};
use mesh_core::directory::scope::Scope;
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_proto::directory::{Snapshot, read_entry, read_snapshot, write_snapshot};
use mesh_proto::wire::directory::v1 as wire;
use mesh_rt::directory_file::{DirectoryFileError, load_directory};
use mesh_rt::file;
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
pub use self::sign::{DirectoryKeyError, DirectoryKeys, DirectorySigner, sha256};
pub use self::tell::Follower;

/// Entries that are kept for those who follow; who is further behind gets a snapshot.
const TAIL_ENTRIES_MAX: usize = 1024;

/// And their bytes.
const TAIL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// See the module. Cheap to clone; every clone speaks of the same directory.
#[derive(Clone)]
pub struct LiveDirectory(Arc<Known>);

struct Known {
    now: ArcSwap<Directory>,
    role: Role,
    /// Held only to look and to swap; see [`LiveDirectory::writing`].
    state: Mutex<State>,
    /// Held while something new is made of what is here.
    alone: Mutex<()>,
    history: Mutex<History>,
    changed: watch::Sender<Head>,
    /// Held while a change is made, so that the file goes through the same states as the memory.
    writing: tokio::sync::Mutex<()>,
    /// `None` for one that lives in memory alone.
    file: Option<PathBuf>,
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

/// What those below are told.
struct History {
    head: Head,
    /// The encoding of the directory at `head`.
    snapshot: Bytes,
    /// The last entries, each with the head that it follows.
    tail: VecDeque<(Head, wire::Entry)>,
    tail_bytes: usize,
}

/// What a follower lacks.
#[derive(Debug)]
pub(crate) enum Lacks {
    Nothing,
    Entries(Vec<wire::Entry>),
    Snapshot(Bytes),
}

/// A change that is ready to be made.
struct Next {
    snapshot: Snapshot,
    encoded: Bytes,
    /// The entry that makes it; `None` for a directory that came whole.
    entry: Option<wire::Entry>,
}

impl LiveDirectory {
    /// Begins with the snapshot in `file`, which must be one of `mesh`; later ones replace it.
    pub fn load(file: &Path, mesh: &MeshDomain) -> Result<Self, DirectoryFileError> {
        let snapshot = load_directory(file, mesh)?;
        Ok(Self::of(snapshot, Some(file.into())))
    }

    /// Begins with `directory`, and keeps it in memory alone.
    pub fn in_memory(directory: Directory) -> Self {
        let head = Head::from(directory.position());
        Self::of(Snapshot { directory, head }, None)
    }

    /// Begins with `directory`, whose history stands at `head`, and keeps it in memory alone: for
    /// the centre, whose store keeps it.
    pub fn at(directory: Directory, head: Head) -> Self {
        Self::of(Snapshot { directory, head }, None)
    }

    fn of(snapshot: Snapshot, file: Option<PathBuf>) -> Self {
        let Snapshot { directory, head } = snapshot;
        let snapshot = write_snapshot(directory.mesh(), head, &directory.objects());
        let history = History { head, snapshot, tail: VecDeque::new(), tail_bytes: 0 };
        Self(Arc::new(Known {
            now: ArcSwap::from_pointee(directory),
            role: Role::Fixed,
            state: Mutex::default(),
            alone: Mutex::default(),
            history: Mutex::new(history),
            changed: watch::Sender::new(head),
            writing: tokio::sync::Mutex::default(),
            file,
        }))
    }

    fn new(directory: Directory, scopes: BTreeMap<Scope, Arc<Held>>, role: Role) -> Self {
        let head = head_of(directory.position());
        let (heartbeat, heard) = (None, None);
        let history =
            History { head, snapshot: Bytes::new(), tail: VecDeque::new(), tail_bytes: 0 };
        Self(Arc::new(Known {
            now: ArcSwap::from_pointee(directory),
            role,
            state: Mutex::new(State { scopes, heartbeat, heard }),
            alone: Mutex::default(),
            history: Mutex::new(history),
            changed: watch::Sender::new(head),
            writing: tokio::sync::Mutex::default(),
            file: None,
        }))
    }

    /// The heads of all scopes that are held.
    pub fn heads(&self) -> BTreeMap<Scope, Head> {
        let state = self.state();
        state.scopes.iter().map(|(scope, held)| (scope.clone(), held.head)).collect()
    }

    /// Where this node stands: by the last heartbeat that described what it holds.
    pub fn position(&self) -> DirectoryPosition {
        self.now().position()
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
        self.0.changed.send_replace(head_of(self.position()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics under this lock")
    }

    /// One at a time makes something new of what is here, so that nothing is lost between its look
    /// and its change.
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.alone.lock().expect("nothing panics under this lock")
    }

    /// The directory at this moment. Ask once for each decision, so that it is of one piece.
    pub fn now(&self) -> Arc<Directory> {
        self.0.now.load_full()
    }

    /// Where its history stands.
    pub fn head(&self) -> Head {
        self.history().head
    }

    /// Tells of every later head, or at least of the last one.
    pub fn changed(&self) -> watch::Receiver<Head> {
        self.0.changed.subscribe()
    }

    /// Makes the change that `entry` describes: first durable, then true. At the centre, which
    /// alone decides what comes next.
    pub async fn commit(&self, entry: &Entry) -> Result<Head, NotTaken> {
        let _alone = self.0.writing.lock().await;
        let body = mesh_proto::directory::write_entry(entry);
        let next = self.after(&wire::Entry { body, signature: None })?;
        self.store(next.encoded.clone()).await?;
        Ok(self.put(next))
    }

    /// Judges the change that `entry` describes, and makes none.
    pub fn rehearse(&self, entry: &Entry) -> Result<(), NotTaken> {
        let body = mesh_proto::directory::write_entry(entry);
        self.after(&wire::Entry { body, signature: None }).map(drop)
    }

    /// Takes an entry from above. It is true at once; its file follows, and a crash between the two
    /// only means that the entry comes again.
    pub(crate) async fn take_entry(&self, entry: &wire::Entry) -> Result<Head, NotTaken> {
        let _alone = self.0.writing.lock().await;
        let next = self.after(entry)?;
        let encoded = next.encoded.clone();
        let head = self.put(next);
        self.store(encoded).await?;
        Ok(head)
    }

    /// Takes a whole directory from above, if it is not the one that is here already.
    pub(crate) async fn take_snapshot(&self, snapshot: &wire::Snapshot) -> Result<Head, NotTaken> {
        use prost::Message as _;

        let _alone = self.0.writing.lock().await;
        let encoded = Bytes::from(snapshot.encode_to_vec());
        let snapshot = read_snapshot(&encoded)?;
        if snapshot.directory.mesh() != self.now().mesh() {
            return Err(NotTaken::OtherMesh);
        }
        match self.head().check_snapshot(snapshot.head).map_err(nation)? {
            News::Known => Ok(self.head()),
            News::Newer => {
                let head = self.put(Next { snapshot, encoded: encoded.clone(), entry: None });
                self.store(encoded).await?;
                Ok(head)
            }
        }
    }

    /// What a follower that has `have` lacks. One that is ahead, as after a restart of this node,
    /// lacks nothing yet.
    pub(crate) fn since(&self, have: Option<Head>) -> (Head, Lacks) {
        let history = self.history();
        let head = history.head;
        let lacks = match have {
            Some(have) if have == head => Lacks::Nothing,
            Some(have) if (head.epoch, head.revision) < (have.epoch, have.revision) => {
                Lacks::Nothing
            }
            Some(have) => match history.tail.iter().position(|(before, _)| *before == have) {
                Some(at) => {
                    let entries = history.tail.range(at..);
                    Lacks::Entries(entries.map(|(_, entry)| entry.clone()).collect())
                }
                None => Lacks::Snapshot(history.snapshot.clone()),
            },
            None => Lacks::Snapshot(history.snapshot.clone()),
        };
        (head, lacks)
    }

    /// The directory after `entry`, if it follows the one that is here.
    fn after(&self, entry: &wire::Entry) -> Result<Next, NotTaken> {
        let read = read_entry(&entry.body)?;
        let hash = sha256(&[&entry.body]);
        let head = read.head(hash);
        if self.head().check_entry(&read, hash).map_err(nation)? == News::Known {
            let have = Some(self.head());
            return Err(nation(Untakeable::Gap { have, entry: (read.epoch, read.revision) }));
        }
        let directory = self.now().with(&read.changes)?.at(head.position());
        let encoded = write_snapshot(directory.mesh(), head, &directory.objects());
        let snapshot = Snapshot { directory, head };
        Ok(Next { snapshot, encoded, entry: Some(entry.clone()) })
    }

    fn put(&self, next: Next) -> Head {
        let Next { snapshot: Snapshot { directory, head }, encoded, entry } = next;
        let mut history = self.history();
        match entry {
            Some(entry) => history.push(entry),
            None => history.forget(),
        }
        history.head = head;
        history.snapshot = encoded;
        self.0.now.store(Arc::new(directory));
        drop(history);
        self.0.changed.send_replace(head);
        head
    }

    async fn store(&self, encoded: Bytes) -> Result<(), NotTaken> {
        let Some(file) = self.0.file.clone() else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || file::replace(&file, &encoded)).await;
        written.map_err(std::io::Error::other).flatten().map_err(NotTaken::Store)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.0.history.lock().expect("nothing panics under this lock")
    }
}

fn nation(why: Untakeable) -> NotTaken {
    NotTaken::Untakeable { scope: Scope::Nation, why }
}

fn head_of(position: DirectoryPosition) -> Head {
    let DirectoryPosition { epoch, revision, root } = position;
    Head { epoch, revision, hash: root }
}

impl History {
    fn push(&mut self, entry: wire::Entry) {
        self.tail_bytes += entry.body.len();
        self.tail.push_back((self.head, entry));
        while TAIL_ENTRIES_MAX < self.tail.len() || TAIL_BYTES_MAX < self.tail_bytes {
            let Some((_, oldest)) = self.tail.pop_front() else { break };
            self.tail_bytes -= oldest.body.len();
        }
    }

    fn forget(&mut self) {
        self.tail.clear();
        self.tail_bytes = 0;
    }
}

impl fmt::Debug for LiveDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Known { file, .. } = &*self.0;
        f.debug_struct("LiveDirectory")
            .field("head", &self.head())
            .field("file", file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod signed_tests;
#[cfg(test)]
mod tests;
