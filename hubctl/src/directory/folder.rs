//! Which files a source is: one file, or every `*.toml` below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::source::{STDIN, SourceError};

/// Most entries of a source's folders together.
const ENTRIES_MAX: usize = 100_000;

/// How deep folders may stand in each other.
const DEPTH_MAX: usize = 16;

/// The files of `path` in the order of their paths. What is hidden or not `*.toml` is none of them,
/// in capitals or not. `path` itself may be a symbolic link, since somebody named it.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let read = |source| SourceError::Read { file: path.into(), source };
    if path == Path::new(STDIN) || !fs::metadata(path).map_err(read)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut walk = Walk { files: Vec::new(), entries: 0 };
    walk.enter(path, 0)?;
    if walk.files.is_empty() {
        return Err(read(io::Error::new(io::ErrorKind::NotFound, "it holds no *.toml file")));
    }
    walk.files.sort();
    Ok(walk.files)
}

struct Walk {
    files: Vec<PathBuf>,
    entries: usize,
}

impl Walk {
    fn enter(&mut self, folder: &Path, depth: usize) -> Result<(), SourceError> {
        let read = |source| SourceError::Read { file: folder.into(), source };
        if DEPTH_MAX < depth {
            let message = format!("it stands in more than {DEPTH_MAX} folders");
            return Err(read(io::Error::other(message)));
        }
        for entry in fs::read_dir(folder).map_err(read)? {
            self.entries += 1;
            if ENTRIES_MAX < self.entries {
                let message = format!("the source has more than {ENTRIES_MAX} files and folders");
                return Err(read(io::Error::other(message)));
            }
            let entry = entry.map_err(read)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(read)?);
            // Editors and version control keep their own files so.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_symlink() {
                // Passing it over would drop what it leads to without a word.
                let message = "it is a symbolic link, which is not followed";
                return Err(SourceError::Read { file: path, source: io::Error::other(message) });
            }
            if kind.is_dir() {
                self.enter(&path, depth + 1)?;
            } else if path.extension().is_some_and(|found| found.eq_ignore_ascii_case("toml")) {
                self.files.push(path);
            }
        }
        Ok(())
    }
}
