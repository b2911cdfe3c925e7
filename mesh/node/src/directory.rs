//! The directory as this node has it now: read from its file at the start, kept up with the one
//! above, and handed on to those below.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use bytes::Bytes;
use mesh_core::directory::change::ChangeError;
use mesh_core::directory::history::{Entry, Head, News, Untakeable};
use mesh_core::directory::{Directory, DirectoryError, Unmade};
use mesh_core::exchange::Digest;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::{Snapshot, SnapshotError, read_entry, read_snapshot, write_snapshot};
use mesh_proto::malformed::Malformed;
use mesh_proto::wire::directory::v1 as wire;
use mesh_rt::directory_file::{DirectoryFileError, load_directory};
use mesh_rt::file;
use tokio::sync::watch;

/// Entries that are kept for those who follow; who is further behind gets a snapshot.
const TAIL_ENTRIES_MAX: usize = 1024;

/// And their bytes.
const TAIL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// See the module. Cheap to clone; every clone speaks of the same directory.
#[derive(Clone)]
pub struct LiveDirectory(Arc<Known>);

struct Known {
    now: ArcSwap<Directory>,
    history: Mutex<History>,
    changed: watch::Sender<Head>,
    /// Held while a change is made, so that the file goes through the same states as the memory.
    writing: tokio::sync::Mutex<()>,
    /// `None` for one that lives in memory alone.
    file: Option<PathBuf>,
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

/// Why this node keeps the directory that it has.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("it cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Untakeable(#[from] Untakeable),
    #[error("its changes cannot be made: {0}")]
    Change(#[from] ChangeError),
    #[error("its objects do not fit together: {0}")]
    Directory(#[from] DirectoryError),
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    #[error("it is of another mesh")]
    OtherMesh,
    #[error("it cannot be written to its file")]
    Store(#[source] std::io::Error),
}

impl From<Unmade> for NotTaken {
    fn from(why: Unmade) -> Self {
        match why {
            Unmade::Change(why) => Self::Change(why),
            Unmade::Directory(why) => Self::Directory(why),
        }
    }
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

    fn of(snapshot: Snapshot, file: Option<PathBuf>) -> Self {
        let Snapshot { directory, head } = snapshot;
        let snapshot = write_snapshot(directory.mesh(), head, &directory.objects());
        let history = History { head, snapshot, tail: VecDeque::new(), tail_bytes: 0 };
        Self(Arc::new(Known {
            now: ArcSwap::from_pointee(directory),
            history: Mutex::new(history),
            changed: watch::Sender::new(head),
            writing: tokio::sync::Mutex::default(),
            file,
        }))
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
        match self.head().check_snapshot(snapshot.head)? {
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
        let hash = sha256(&entry.body);
        let head = read.head(hash);
        if self.head().check_entry(&read, hash)? == News::Known {
            let have = Some(self.head());
            return Err(Untakeable::Gap { have, entry: (read.epoch, read.revision) }.into());
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

fn sha256(bytes: &[u8]) -> Digest {
    let hashed = digest::digest(&digest::SHA256, bytes);
    Digest(hashed.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests;
