//! The file: who may open it, when it has room, and what its trouble means to an operator.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase as _};

use super::reading::Reading;
use super::tables::{self, Layout};
use crate::error::StoreError;

/// Memory that the database takes for pages of the file, at most.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Room that is left on the disk for reading, repair and compaction: a write that finds less is
/// refused before it begins.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// Makes a database of an open file. Tests give one whose disk fails.
type Mount = Box<dyn Fn(&Builder, File) -> Result<Database, DatabaseError> + Send + Sync>;

/// One store's file.
pub(super) struct Disk {
    path: PathBuf,
    mount: Mount,
    reserve_bytes: u64,
    state: RwLock<State>,
}

enum State {
    Open(Database),
    /// It failed, and this is how. A full disk is tried again; any other trouble is for a person.
    Down(StoreError),
    Closed,
}

/// Why something that was done with the database was not done.
pub(super) enum Trouble {
    Said(StoreError),
    Database(redb::Error),
}

impl Disk {
    pub(super) fn new(path: &Path) -> Self {
        let mount: Mount =
            Box::new(|builder, file| builder.create_with_backend(FileBackend::new(file)?));
        Self::with(path, mount, RESERVE_BYTES)
    }

    pub(super) fn with(path: &Path, mount: Mount, reserve_bytes: u64) -> Self {
        let state = RwLock::new(State::Closed);
        Self { path: path.into(), mount, reserve_bytes, state }
    }

    /// Opens the file, or makes it.
    pub(super) fn open(&self) -> Result<(), StoreError> {
        if !self.path.exists() {
            self.make()?;
        }
        let database = self.mount_existing()?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Open(database);
        Ok(())
    }

    /// Whoever still reads is waited for.
    pub(super) fn close(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    pub(super) fn read<T>(
        &self,
        what: impl FnOnce(&Reading) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        self.on_database(|database| {
            let transaction = database.begin_read()?;
            what(&Reading::of(&transaction)?)
        })
    }

    /// Does something with the open database.
    pub(super) fn on_database<T>(
        &self,
        what: impl FnOnce(&Database) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(database) => what(database).map_err(|trouble| self.said(trouble)),
            State::Down(why) => Err(why.clone()),
            State::Closed => Err(StoreError::Closed),
        }
    }

    /// Whether a write may begin.
    pub(super) fn has_room(&self) -> Result<(), StoreError> {
        let Ok(disk) = rustix::fs::statvfs(&self.path) else {
            // Then the write itself will tell.
            return Ok(());
        };
        if self.reserve_bytes <= disk.f_bavail.saturating_mul(disk.f_frsize) {
            return Ok(());
        }
        let reserve_mib = self.reserve_bytes / (1024 * 1024);
        let path = self.path.display();
        let check = format!("less than {reserve_mib} MiB are free on the disk of {path}");
        Err(StoreError::Full { check })
    }

    /// After a write failed: a database that has seen its disk fail does nothing more until it is
    /// opened again. That is done here when the disk was full, so that reads go on.
    pub(super) fn failed(&self, why: &StoreError) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(_) = *state {
            tracing::error!(cause = %why, "the store cannot write its file");
        }
        // Lets go of the file first, which can be opened once only.
        *state = State::Down(why.clone());
        if matches!(why, StoreError::Full { .. }) {
            self.try_again(&mut state);
        }
    }

    /// Opens a file again whose disk was full.
    pub(super) fn recover(&self) {
        let is_full = |state: &State| matches!(state, State::Down(StoreError::Full { .. }));
        if !is_full(&self.state.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if is_full(&state) {
            self.try_again(&mut state);
        }
    }

    fn try_again(&self, state: &mut State) {
        match self.mount_existing() {
            Ok(database) => {
                tracing::info!("the store has opened its file again");
                *state = State::Open(database);
            }
            Err(why) => *state = State::Down(why),
        }
    }

    /// A file is complete before it has its name, and no file ever loses its name to a new one.
    fn make(&self) -> Result<(), StoreError> {
        let mut unfinished = self.path.clone().into_os_string();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let io = |why: io::Error| self.said(redb::Error::Io(why).into());
        let options = OpenOptions::new().read(true).write(true).create(true).mode(0o600).clone();
        let mount = || {
            let file = options.open(&unfinished).map_err(io)?;
            file.set_permissions(Permissions::from_mode(0o600)).map_err(io)?;
            self.mount(file)
        };
        // The lock comes before the look, or two that begin together would ruin each other's.
        let database = match mount() {
            // Left by one that ended while it made it.
            Err(StoreError::Foreign { .. } | StoreError::Corrupt { .. }) => {
                fs::remove_file(&unfinished).map_err(io)?;
                mount()?
            }
            other => other?,
        };
        if tables::layout(&database).map_err(|trouble| self.said(trouble))? == Layout::Empty {
            tables::make(&database).map_err(|trouble| self.said(trouble))?;
        }
        match fs::hard_link(&unfinished, &self.path) {
            Err(why) if why.kind() != ErrorKind::AlreadyExists => return Err(io(why)),
            _ => fs::remove_file(&unfinished).map_err(io)?,
        }
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
    }

    fn mount_existing(&self) -> Result<Database, StoreError> {
        let path = self.path.display();
        let io = |why: io::Error| self.said(redb::Error::Io(why).into());
        let foreign = |what: &str| StoreError::Foreign { check: format!("{path} {what}") };
        let about = fs::metadata(&self.path).map_err(io)?;
        if !about.is_file() {
            return Err(foreign("is no regular file"));
        }
        if about.len() == 0 {
            return Err(foreign("is empty; take it away to begin with an empty store"));
        }
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let check = format!("{path} has mode {mode:03o}, want 600: it is for its owner alone");
            return Err(StoreError::Denied { check });
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path).map_err(io)?;
        let database = self.mount(file)?;
        match tables::layout(&database).map_err(|trouble| self.said(trouble))? {
            Layout::Ours => Ok(database),
            Layout::Empty => Err(foreign("is another program's database")),
            Layout::Other(format) => {
                let want = tables::FORMAT;
                Err(foreign(&format!("has format {format}, and this program reads {want}")))
            }
        }
    }

    fn mount(&self, file: File) -> Result<Database, StoreError> {
        let mut builder = Builder::new();
        // Damage is found now, and not in the middle of a read.
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        (self.mount)(&builder, file).map_err(|why| self.said(redb::Error::from(why).into()))
    }

    /// In words for whoever operates the centre.
    pub(super) fn said(&self, trouble: Trouble) -> StoreError {
        let why = match trouble {
            Trouble::Said(said) => return said,
            Trouble::Database(why) => why,
        };
        let path = self.path.display();
        match why {
            redb::Error::Io(why) => self.said_of_io(&why),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                let check = format!("another process has {path} open; it must end first");
                StoreError::InUse { check }
            }
            redb::Error::Corrupted(what) => {
                StoreError::Corrupt { check: format!("{path}: {what}") }
            }
            redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableDoesNotExist(_) => {
                StoreError::Foreign { check: format!("{path}: {why}") }
            }
            redb::Error::DatabaseClosed => StoreError::Closed,
            why => StoreError::Unavailable { check: format!("{path}: {why}; see its disk") },
        }
    }

    fn said_of_io(&self, why: &io::Error) -> StoreError {
        let path = self.path.display();
        match why.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StoreError::Full { check: format!("no room for {path}: {why}") }
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                StoreError::Denied { check: format!("{path}: {why}") }
            }
            // So says the database of a file that is none.
            ErrorKind::InvalidData => StoreError::Foreign { check: format!("{path}: {why}") },
            // A file that was cut off ends before what it refers to.
            ErrorKind::UnexpectedEof => StoreError::Corrupt { check: format!("{path}: {why}") },
            _ => StoreError::Unavailable { check: format!("{path}: {why}; see its disk") },
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("path", &self.path).finish_non_exhaustive()
    }
}

impl From<StoreError> for Trouble {
    fn from(said: StoreError) -> Self {
        Self::Said(said)
    }
}

impl From<redb::Error> for Trouble {
    fn from(why: redb::Error) -> Self {
        Self::Database(why)
    }
}

impl From<redb::StorageError> for Trouble {
    fn from(why: redb::StorageError) -> Self {
        Self::Database(why.into())
    }
}

impl From<redb::TableError> for Trouble {
    fn from(why: redb::TableError) -> Self {
        Self::Database(why.into())
    }
}

impl From<redb::TransactionError> for Trouble {
    fn from(why: redb::TransactionError) -> Self {
        Self::Database(why.into())
    }
}

impl From<redb::CommitError> for Trouble {
    fn from(why: redb::CommitError) -> Self {
        Self::Database(why.into())
    }
}
