//! The source of a directory: TOML that people write, read whole or refused at a line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mesh_core::directory::{
    Agency, Cluster, Directory, DirectoryError, LinkKey, Objects, Permission, Service, System,
};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::write_snapshot;
use mesh_rt::config::Mesh;
use serde::Deserialize;
use toml::Spanned;

/// Largest source, in bytes.
const SOURCE_BYTES_MAX: u64 = 64 * 1024 * 1024;

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
}

/// The file as it is written. Each object keeps its place, so that a name that is missing is told
/// with the line of whoever uses it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFile {
    epoch: u64,
    revision: u64,
    mesh: Mesh,
    #[serde(default)]
    clusters: Vec<Spanned<Cluster>>,
    #[serde(default)]
    agencies: Vec<Spanned<Agency>>,
    #[serde(default)]
    systems: Vec<Spanned<System>>,
    #[serde(default)]
    services: Vec<Spanned<Service>>,
    #[serde(default)]
    permissions: Vec<Spanned<Permission>>,
    #[serde(default)]
    link_keys: Vec<Spanned<LinkKey>>,
}

/// Where one object begins, by the names that [`DirectoryError`] gives it.
struct Mark {
    kind: &'static str,
    name: String,
    offset: usize,
}

/// Reads `file`, whose objects then fit together, or says which line to change.
pub fn read_source(file: &Path) -> Result<DirectorySource, SourceError> {
    let read = |source| SourceError::Read { file: file.into(), source };
    let bytes = read_bounded(file, SOURCE_BYTES_MAX).map_err(read)?;
    let text = String::from_utf8(bytes)
        .map_err(|why| read(io::Error::new(io::ErrorKind::InvalidData, why.utf8_error())))?;
    parse(&text).map_err(|(offset, message)| {
        let line = text[..offset].matches('\n').count() + 1;
        SourceError::Line { file: file.into(), line, message }
    })
}

/// The snapshot that nodes read.
pub fn encode(source: &DirectorySource) -> Result<Bytes, DirectoryError> {
    let DirectorySource { position, mesh, objects } = source;
    Directory::build(mesh.clone(), *position, objects.clone())?;
    Ok(write_snapshot(mesh, *position, objects))
}

/// The content of `file`, which may have `bytes_max` bytes: a wrong path may lead to a device.
pub(super) fn read_bounded(file: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(file)?.take(bytes_max + 1).read_to_end(&mut content)?;
    if bytes_max < content.len() as u64 {
        let message = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(content)
}

/// The source, or the offset of what is wrong with it.
fn parse(text: &str) -> Result<DirectorySource, (usize, String)> {
    let fields: SourceFile = toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        // The parser puts what it expected on lines of its own.
        (offset, error.message().replace('\n', ", "))
    })?;
    let marks = fields.marks();
    let source = fields.into_source();
    match encode(&source) {
        Ok(_) => Ok(source),
        Err(error) => Err((offset_of(&marks, &error), error.to_string())),
    }
}

impl SourceFile {
    fn marks(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        mark(&mut marks, "cluster", &self.clusters, |cluster| cluster.id.to_string());
        mark(&mut marks, "agency", &self.agencies, |agency| agency.address.to_string());
        mark(&mut marks, "system", &self.systems, |system| system.address.to_string());
        mark(&mut marks, "service", &self.services, |service| service.address.to_string());
        mark(&mut marks, "permission", &self.permissions, |given| given.id.to_string());
        mark(&mut marks, "link key of", &self.link_keys, |key| key.node.clone());
        marks
    }

    fn into_source(self) -> DirectorySource {
        DirectorySource {
            position: DirectoryPosition { epoch: self.epoch, revision: self.revision, root: None },
            mesh: self.mesh.domain().clone(),
            objects: Objects {
                clusters: values(self.clusters),
                agencies: values(self.agencies),
                systems: values(self.systems),
                services: values(self.services),
                permissions: values(self.permissions),
                link_keys: values(self.link_keys),
            },
        }
    }
}

fn mark<T>(
    marks: &mut Vec<Mark>,
    kind: &'static str,
    objects: &[Spanned<T>],
    name: impl Fn(&T) -> String,
) {
    let objects = objects.iter();
    marks.extend(objects.map(|object| {
        let (name, offset) = (name(object.get_ref()), object.span().start);
        Mark { kind, name, offset }
    }));
}

fn values<T>(objects: Vec<Spanned<T>>) -> Vec<T> {
    objects.into_iter().map(Spanned::into_inner).collect()
}

/// Where the object begins that `error` speaks of; of two with one name, the second.
fn offset_of(marks: &[Mark], error: &DirectoryError) -> usize {
    let (DirectoryError::Twice { kind, name }
    | DirectoryError::Missing { kind, name, .. }
    | DirectoryError::Unfit { kind, name, .. }) = error;
    // An operation is named with its service, and stands there.
    let (kind, name) = match (*kind, name.split_once(" of ")) {
        ("operation", Some((_, service))) => ("service", service),
        (kind, _) => (kind, name.as_str()),
    };
    let mut named = marks.iter().filter(|mark| mark.kind == kind && mark.name == name);
    let found = match error {
        DirectoryError::Twice { .. } => named.next_back(),
        DirectoryError::Missing { .. } | DirectoryError::Unfit { .. } => named.next(),
    };
    found.map_or(0, |mark| mark.offset)
}
