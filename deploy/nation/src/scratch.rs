//! The folder of a nation's files, which goes with the nation unless somebody wants to keep it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::guard::Guard;
use crate::remains::{FOLDER, Ledger};

/// Private keys are in it, so nobody else may enter.
const MODE: u32 = 0o700;

/// See the module. Dropping it removes the folder, and then dismisses its guard.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: PathBuf,
    kept: bool,
    _guard: Guard,
}

/// A folder that cannot hold a nation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScratchError {
    #[error("{}: is a file, choose a directory to keep the nation in", dir.display())]
    File { dir: PathBuf },
    #[error("{}: is not empty, choose another directory", dir.display())]
    NotEmpty { dir: PathBuf },
    #[error("{}: cannot be used", dir.display())]
    Unused { dir: PathBuf, source: io::Error },
    #[error("no guard can be started, which would clear up after a launcher that is killed")]
    Guard(#[source] io::Error),
}

impl Scratch {
    /// In `keep`, or in the system's temporary directory; and where to write processes down.
    pub(crate) fn new(keep: Option<&Path>) -> Result<(Self, Ledger), ScratchError> {
        let dir = match keep {
            Some(dir) => dir.to_owned(),
            None => std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id())),
        };
        if dir.is_file() {
            return Err(ScratchError::File { dir });
        }
        let unused = |source| ScratchError::Unused { dir: dir.clone(), source };
        // In the temporary directory it must be new: what is there already may be somebody's trap.
        DirBuilder::new().mode(MODE).recursive(keep.is_some()).create(&dir).map_err(unused)?;
        if dir.read_dir().map_err(unused)?.next().is_some() {
            return Err(ScratchError::NotEmpty { dir });
        }
        let dir = dir.canonicalize().map_err(unused)?;
        let kept = keep.is_some();
        let unused = |source| ScratchError::Unused { dir: dir.clone(), source };
        let ledger = Ledger::create(&dir).map_err(unused)?;
        let program = std::env::current_exe().map_err(ScratchError::Guard)?;
        let guard = Guard::start(&program, &dir, kept).map_err(ScratchError::Guard)?;
        Ok((Self { dir, kept, _guard: guard }, ledger))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing depends on it; the system clears its temporary directory too.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_hold_a_nation_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = |dir: &Path| {
            let error = Scratch::new(Some(dir)).expect_err("it cannot be used").to_string();
            error.replace(&format!("{}", folder.path().display()), "DIR")
        };
        let want = "DIR/file: is a file, choose a directory to keep the nation in";
        assert_eq!(refused(&file), want);
        assert_eq!(refused(folder.path()), "DIR: is not empty, choose another directory");
        assert_eq!(refused(&file.join("below")), "DIR/file/below: cannot be used");
    }
}
