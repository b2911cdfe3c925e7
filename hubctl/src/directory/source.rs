//! The source of a directory: TOML that people write, read whole or refused at a line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mesh_core::directory::{Directory, DirectoryError, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::write_snapshot;
use mesh_rt::config::Mesh;
use serde::Deserialize;

use super::written::Written;

/// Largest source, in bytes of all its files.
pub(super) const SOURCE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a directory is compiled from.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectorySource {
    pub position: DirectoryPosition,
    pub mesh: MeshDomain,
    pub objects: Objects,
}

/// A source that makes no directory. Names the file, then the line, then what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}:{line}: {message}", file.display())]
    Line { file: PathBuf, line: usize, message: String },
    /// Of an object that none of the files holds.
    #[error("{message}")]
    Elsewhere { message: String },
}

/// What stands above the objects in a source of one file.
#[derive(Debug, Deserialize)]
struct Header {
    epoch: u64,
    revision: u64,
    mesh: Mesh,
}

/// Reads the objects of `path`, one file or every `*.toml` below a folder, whole or not at all.
/// None is there twice; what they name may be in the registry already, so that is for those who
/// have both. `Written` tells besides where each object stands.
pub fn read_objects(path: &Path) -> Result<Objects, SourceError> {
    Written::read(path).map(|written| written.objects)
}

/// Reads `file`, whose objects then fit together, or says which line to change.
pub fn read_source(file: &Path) -> Result<DirectorySource, SourceError> {
    let (header, written): (Header, _) =
        Written::read_with_header(file, &["epoch", "revision", "mesh"])?;
    let position = DirectoryPosition { epoch: header.epoch, revision: header.revision, root: None };
    let mesh = header.mesh.domain().clone();
    written.directory(mesh.clone(), position)?;
    Ok(DirectorySource { position, mesh, objects: written.objects })
}

/// The snapshot that nodes read.
pub fn encode(source: &DirectorySource) -> Result<Bytes, DirectoryError> {
    let DirectorySource { position, mesh, objects } = source;
    Directory::build(mesh.clone(), *position, objects.clone())?;
    Ok(write_snapshot(mesh, *position, objects))
}

/// The text of one file of a source.
pub(super) fn read_text(file: &Path, bytes_max: u64) -> Result<String, SourceError> {
    let read = |source| SourceError::Read { file: file.into(), source };
    let bytes = read_bounded(file, bytes_max).map_err(read)?;
    String::from_utf8(bytes)
        .map_err(|why| read(io::Error::new(io::ErrorKind::InvalidData, why.utf8_error())))
}

/// The name of standard input among files.
pub(super) const STDIN: &str = "-";

/// The content of `file`, or of standard input, which may have `bytes_max` bytes. A wrong path may
/// lead to a device, or to a pipe into which nobody writes, so only a regular file is opened.
pub(super) fn read_bounded(file: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if file == Path::new(STDIN) {
        io::stdin().lock().take(bytes_max + 1).read_to_end(&mut content)?;
    } else if std::fs::metadata(file)?.is_file() {
        File::open(file)?.take(bytes_max + 1).read_to_end(&mut content)?;
    } else {
        let message = "it is no regular file; `-` means standard input";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if bytes_max < content.len() as u64 {
        let message = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(content)
}
