//! A disk that fails when a test wants it to, and forgets at a power cut what it had not synced.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::super::disk::Disk;

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Medium(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    /// Changes that still work, and how the next ones fail.
    fault: Option<(usize, ErrorKind)>,
    /// Whether only one change fails.
    is_once: bool,
    /// Whether a change has failed.
    is_hit: bool,
    syncs: usize,
    /// What was there before each write since the last sync: place, bytes.
    unsynced: Vec<(u64, Vec<u8>)>,
}

#[derive(Debug)]
struct Backend {
    medium: Medium,
    file: File,
    below: FileBackend,
}

impl Medium {
    /// A store's file on this disk, which is never too full.
    pub(super) fn disk(&self, path: &Path) -> Disk {
        let medium = self.clone();
        let mount = move |builder: &redb::Builder, file: File| {
            let below = FileBackend::new(file.try_clone()?)?;
            builder.create_with_backend(Backend { medium: medium.clone(), file, below })
        };
        Disk::with(path, Box::new(mount), 0)
    }

    /// After so many changes that work, all fail.
    pub(super) fn fail_after(&self, changes: usize, how: ErrorKind) {
        let mut inside = self.lock();
        (inside.fault, inside.is_once, inside.is_hit) = (Some((changes, how)), false, false);
    }

    /// After so many changes that work, one fails.
    pub(super) fn fail_once_after(&self, changes: usize, how: ErrorKind) {
        let mut inside = self.lock();
        (inside.fault, inside.is_once, inside.is_hit) = (Some((changes, how)), true, false);
    }

    /// Lets all changes work again. Whether one has failed.
    pub(super) fn mend(&self) -> bool {
        let mut inside = self.lock();
        inside.fault = None;
        inside.is_hit
    }

    /// Takes back some of the writes that were not synced, by `chance`, and the others not.
    pub(super) fn cut(&self, path: &Path, mut chance: impl FnMut() -> bool) {
        let file = File::options().write(true).open(path).unwrap();
        for (place, before) in self.lock().unsynced.drain(..).rev() {
            // A disk writes whole sectors.
            for (sector, before) in before.chunks(512).enumerate() {
                if chance() {
                    file.write_all_at(before, place + 512 * sector as u64).unwrap();
                }
            }
        }
    }

    /// How often the disk was asked to keep what it has.
    pub(super) fn syncs(&self) -> usize {
        self.lock().syncs
    }

    fn change(&self) -> Result<(), Error> {
        let mut inside = self.lock();
        match inside.fault {
            None => Ok(()),
            Some((0, how)) => {
                inside.is_hit = true;
                if inside.is_once {
                    inside.fault = None;
                }
                Err(how.into())
            }
            Some((left, how)) => {
                inside.fault = Some((left - 1, how));
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, Error> {
        self.below.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.below.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.medium.change()?;
        self.below.set_len(len)
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.medium.change()?;
        self.below.sync_data()?;
        let mut inside = self.medium.lock();
        inside.unsynced.clear();
        inside.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.medium.change()?;
        let mut before = vec![0; data.len()];
        self.file.read_exact_at(&mut before, offset)?;
        self.below.write(offset, data)?;
        self.medium.lock().unsynced.push((offset, before));
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}
