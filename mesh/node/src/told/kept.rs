//! What a node was told, on disk: the groups of the feed as they came, and the last heartbeat.
//!
//! ```text
//! directory             a journal: first all that there was when it was written whole, then groups
//! directory.set-aside   one that could not be used, for whoever looks into it
//! heartbeat             the last heartbeat: when the centre spoke, and how far the node has been
//! ```
//!
//! All of it is signed, and verified again when it is read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes};
use mesh_core::directory::history::{Head, Untakeable};
use mesh_core::directory::scope::Scope;
use mesh_proto::directory::{read_entry, read_scope_snapshot};
use mesh_proto::wire::directory::v1::feed_event::Kind;
use mesh_proto::wire::directory::v1::{FeedEvent, Heartbeat};
use mesh_rt::file;
use mesh_rt::journal::{Contents, Journal, JournalError};
use mesh_rt::state_folder::{StateFolder, StateFolderError};
use prost::Message as _;
use tracing::{error, warn};

use crate::directory::NotTaken;

const DIRECTORY: &str = "directory";
const SET_ASIDE: &str = "directory.set-aside";
const HEARTBEAT: &str = "heartbeat";

/// A heartbeat on disk, in bytes: heads of all scopes and a signature.
const HEARTBEAT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The files of one node; see the module.
#[derive(Debug)]
pub struct Kept {
    folder: StateFolder,
    journal: Journal,
    /// How far the node had been, where what it has is less.
    floor: Option<Floor>,
}

/// What a node that lost its directory still knows: snapshots before these are no news.
#[derive(Debug)]
struct Floor(BTreeMap<Scope, Head>);

/// What was on disk.
#[derive(Debug, Default)]
pub struct Found {
    /// Groups in the order in which they came.
    pub groups: Vec<Vec<FeedEvent>>,
    pub heartbeat: Option<Heartbeat>,
    /// Why what is there cannot be used.
    pub wrong: Option<String>,
}

/// Files that this node cannot have.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    #[error("directory.state_dir: {0}")]
    Folder(#[from] StateFolderError),
    #[error("{}: cannot be read, check that this account may", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: cannot be written, check that this account may", file.display())]
    Write { file: PathBuf, source: io::Error },
}

impl Kept {
    /// Takes `folder`, and reads what is there. A torn end is cut; a wrong file is only told of.
    pub fn open(path: &Path) -> Result<(Self, Found), KeptError> {
        let folder = StateFolder::open(path)?;
        let file = folder.file(DIRECTORY);
        let (journal, contents, wrong) = match Journal::open(&file) {
            Ok((journal, contents)) => {
                if 0 < contents.torn_bytes {
                    let bytes = contents.torn_bytes;
                    warn!(file = %file.display(), bytes, "a torn end of the directory is cut");
                }
                (journal, contents, None)
            }
            Err(JournalError::Read(source)) => return Err(KeptError::Read { file, source }),
            Err(JournalError::Write(source)) => return Err(KeptError::Write { file, source }),
            Err(wrong) => (Journal::absent(&file), Contents::default(), Some(wrong.to_string())),
        };
        let mut found = Found { wrong, heartbeat: read_heartbeat(&folder)?, ..Found::default() };
        for record in contents.records {
            match read_group(record) {
                Ok(group) => found.groups.push(group),
                Err(why) => found.wrong = Some(format!("a group cannot be read: {why}")),
            }
        }
        Ok((Self { folder, journal, floor: None }, found))
    }

    /// Puts what is on disk out of the way: it cannot be used, because of `why`. Whoever wants to
    /// know finds it; the node is told anew by the one above.
    pub fn set_aside(&mut self, why: &str) -> Result<(), KeptError> {
        let (file, aside) = (self.folder.file(DIRECTORY), self.folder.file(SET_ASIDE));
        error!(file = %file.display(), set_aside_as = %aside.display(), why,
            "the directory on disk cannot be used: this node asks the one above for it anew; if \
             nobody changed the file by mistake, look at the disk and at who has access to it");
        let write = |source| KeptError::Write { file: file.clone(), source };
        std::fs::rename(&file, &aside).map_err(write)?;
        std::fs::File::open(self.folder.path()).and_then(|it| it.sync_all()).map_err(write)?;
        self.journal = Journal::absent(&file);
        Ok(())
    }

    /// Remembers that the node had been where `heads` say, before it lost what it had.
    pub(crate) fn set_floor(&mut self, heads: BTreeMap<Scope, Head>) {
        self.floor = Some(Floor(heads));
    }

    /// Refuses a group that would take the node back: one that lays a scope out, and does not lead
    /// as far as the node had been.
    pub(crate) fn check_floor(&self, group: &[FeedEvent]) -> Result<(), NotTaken> {
        let Some(Floor(floor)) = &self.floor else { return Ok(()) };
        let mut reached: BTreeMap<Scope, Head> = BTreeMap::new();
        for event in group {
            match &event.kind {
                Some(Kind::Snapshot(snapshot)) => {
                    let read = read_scope_snapshot(&snapshot.body)?;
                    let (epoch, revision) = (read.epoch, read.revision);
                    reached.insert(read.scope, Head { epoch, revision, hash: read.entry_hash });
                }
                Some(Kind::Entry(entry)) => {
                    let entry = read_entry(&entry.body)?;
                    if let Some(head) = reached.get_mut(&entry.scope) {
                        (head.epoch, head.revision) = (entry.epoch, entry.revision);
                    }
                }
                Some(Kind::Heartbeat(_)) | None => {}
            }
        }
        for (scope, offered) in reached {
            let Some(have) = floor.get(&scope) else { continue };
            if (offered.epoch, offered.revision) < (have.epoch, have.revision) {
                let why = Untakeable::Rollback { have: *have, offered };
                return Err(NotTaken::Untakeable { scope, why: Box::new(why) });
            }
        }
        Ok(())
    }

    /// Keeps `group` beside what there is. `whole` tells all that there is, for when the file is
    /// worth writing anew, or has to be.
    pub fn keep(
        &mut self,
        group: &[FeedEvent],
        whole: impl FnOnce() -> Vec<FeedEvent>,
    ) -> io::Result<()> {
        if self.journal.takes_more() && !self.journal.is_long() {
            return self.journal.append(&write_group(group));
        }
        self.keep_whole(&whole())
    }

    /// Writes all that there is. After a write that failed only this makes the file sound again.
    pub fn keep_whole(&mut self, whole: &[FeedEvent]) -> io::Result<()> {
        if whole.is_empty() { Ok(()) } else { self.journal.replace(&write_group(whole)) }
    }

    /// Is what the node was told on disk, as far as is known?
    pub fn is_sound(&self) -> bool {
        self.journal.takes_more()
    }

    pub fn keep_heartbeat(&mut self, heartbeat: &Heartbeat) -> io::Result<()> {
        // What it describes is what the node has.
        self.floor = None;
        file::replace(&self.folder.file(HEARTBEAT), &heartbeat.encode_to_vec())
    }
}

/// What a rehearsal reads: it takes nothing, and changes nothing.
pub(super) fn look(path: &Path) -> Result<Option<String>, KeptError> {
    let file = path.join(DIRECTORY);
    match Contents::read(&file) {
        Ok(_) => Ok(None),
        Err(JournalError::Read(source)) => Err(KeptError::Read { file, source }),
        Err(wrong) => Ok(Some(wrong.to_string())),
    }
}

fn read_heartbeat(folder: &StateFolder) -> Result<Option<Heartbeat>, KeptError> {
    let path = folder.file(HEARTBEAT);
    match file::read(&path, HEARTBEAT_BYTES_MAX) {
        Ok(bytes) => match Heartbeat::decode(&bytes[..]) {
            Ok(heartbeat) => Ok(Some(heartbeat)),
            Err(why) => {
                warn!(file = %path.display(), %why, "the last heartbeat on disk cannot be read");
                Ok(None)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeptError::Read { file: path, source }),
    }
}

/// A group as one record: its events one after the other, each behind its length.
fn write_group(group: &[FeedEvent]) -> Vec<u8> {
    let mut record = Vec::new();
    for event in group {
        event.encode_length_delimited(&mut record).expect("a vector grows");
    }
    record
}

fn read_group(mut record: Bytes) -> Result<Vec<FeedEvent>, prost::DecodeError> {
    let mut group = Vec::new();
    while record.has_remaining() {
        group.push(FeedEvent::decode_length_delimited(&mut record)?);
    }
    Ok(group)
}
