//! Files of a PKI: written whole or not at all, private where they hold a key, never replaced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Readers {
    /// Its owner alone (mode 0600).
    Owner,
    /// Every account of the machine (mode 0644).
    Everyone,
}

/// What a file of the PKI could not be used for. The path says which.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}: is there already, and is not replaced", path.display())]
    Exists { path: PathBuf },
}

pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Read { path: path.into(), source })
}

/// Makes a directory that only its owner may enter (mode 0700), and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), FileError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| FileError::Write { path: path.into(), source })
}

/// Writes a file that must not be there yet. A crash leaves the whole file or none.
pub(crate) fn write_new(path: &Path, text: &str, readers: Readers) -> Result<(), FileError> {
    if path.symlink_metadata().is_ok() {
        return Err(FileError::Exists { path: path.into() });
    }
    let write = |source| FileError::Write { path: path.into(), source };
    let directory = path.parent().expect("a file of the PKI is in a directory of the PKI");
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    // A rest of an earlier crash is of no use, and may have other readers.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write(error)),
        _ => {}
    }
    let mut file = open_new(&unfinished, readers).map_err(write)?;
    file.write_all(text.as_bytes()).map_err(write)?;
    file.sync_all().map_err(write)?;
    fs::rename(&unfinished, path).map_err(write)?;
    // The name is durable only when its directory is.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(write)
}

fn open_new(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match readers {
            Readers::Owner => 0o600,
            Readers::Everyone => 0o644,
        },
    );
    #[cfg(not(unix))]
    let _ = readers;
    options.open(path)
}
