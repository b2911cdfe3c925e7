//! A folder for one process alone, where it keeps what it must know after a restart.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// See the module. Others are kept out while it lives.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    _lock: File,
}

/// A folder that this process cannot have.
#[derive(Debug, thiserror::Error)]
pub enum StateFolderError {
    #[error("{}: cannot be used, check that it is there and that this account may write into it",
        path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{}: another process uses it, give each node a folder of its own", path.display())]
    InUse { path: PathBuf },
}

impl StateFolder {
    /// Takes `path` for this process. A folder that is not there yet is made, for its owner alone.
    pub fn open(path: &Path) -> Result<Self, StateFolderError> {
        let refused = |source| StateFolderError::Folder { path: path.into(), source };
        make(path).map_err(refused)?;
        let file = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(file);
        let lock = lock.map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateFolderError::InUse { path: path.into() }),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of this name in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = StateFolder::open(&path).unwrap();
        let second = StateFolder::open(&path).unwrap_err();
        assert!(
            second.to_string().ends_with(
                "state: another process uses it, give each node a \
                                              folder of its own"
            ),
            "{second}"
        );
        drop(first);
        StateFolder::open(&path).unwrap();
        let below = StateFolder::open(&path.join("lock").join("x")).unwrap_err();
        assert!(matches!(below, StateFolderError::Folder { .. }), "{below}");
    }
}
