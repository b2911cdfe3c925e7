//! `hubctl directory`: from a source that people write to the snapshot that nodes read, and back.
//!
//! The source is TOML: `epoch` and `revision` at the top, the section `[mesh]` as in every
//! configuration, then `[[clusters]]`, `[[agencies]]`, `[[systems]]`, `[[services]]`,
//! `[[permissions]]`, `[[permission_sets]]` and `[[link_keys]]`. What a registry is given has the
//! same arrays without the header, in one file or in many below a folder.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mesh_proto::directory::{SnapshotError, read_snapshot};
use mesh_proto::malformed::Malformed;
use mesh_proto::wire::directory::v1::object::Kind;
use mesh_proto::wire::directory::v1::{Snapshot, SnapshotBody};
use mesh_rt::directory_file::SNAPSHOT_BYTES_MAX;
use mesh_rt::exit::CmdError;
use prost::Message as _;
use serde::Serialize;

pub use self::source::{DirectorySource, SourceError, encode, read_objects, read_source};
pub use self::written::Written;
use crate::output::{Columns, Format, Told};

mod folder;
mod permission_set;
mod source;
mod written;

/// A snapshot that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFileError {
    #[error("{}: cannot be written", file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: is no whole snapshot", file.display())]
    Snapshot { file: PathBuf, source: SnapshotError },
}

/// What a snapshot holds, as `directory show` tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Contents {
    pub mesh: String,
    pub domain: String,
    pub epoch: u64,
    pub revision: u64,
    pub counts: Counts,
    pub permissions: Vec<PermissionRow>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    pub clusters: usize,
    pub agencies: usize,
    pub systems: usize,
    pub services: usize,
    pub permissions: usize,
    pub link_keys: usize,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PermissionRow {
    pub id: String,
    pub consumer: String,
    pub service: String,
    pub operations: Vec<String>,
    pub purposes: Vec<String>,
}

/// What was compiled, as `directory compile` tells it.
#[derive(Serialize)]
struct Compiled {
    file: PathBuf,
    bytes: usize,
    mesh: String,
    domain: String,
    epoch: u64,
    revision: u64,
    counts: Counts,
}

impl Contents {
    /// Reads a snapshot, whole or not at all.
    pub fn read(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let directory = read_snapshot(bytes)?;
        let snapshot = Snapshot::decode(bytes)
            .and_then(|snapshot| SnapshotBody::decode(snapshot.body))
            .map_err(|why| Malformed::new("snapshot", why))?;
        let mut counts = Counts::default();
        let mut permissions = Vec::new();
        for kind in snapshot.objects.into_iter().filter_map(|object| object.kind) {
            match kind {
                Kind::Cluster(_) => counts.clusters += 1,
                Kind::Agency(_) => counts.agencies += 1,
                Kind::System(_) => counts.systems += 1,
                Kind::Service(_) => counts.services += 1,
                Kind::LinkKey(_) => counts.link_keys += 1,
                Kind::Permission(given) => permissions.push(PermissionRow {
                    id: given.id,
                    consumer: given.consumer,
                    service: given.service,
                    operations: given.operations,
                    purposes: given.purposes,
                }),
                // Of a later version; the directory above would not have been read.
                Kind::Agreement(_) | Kind::MemberKey(_) | Kind::Replica(_) | Kind::Operator(_) => {}
            }
        }
        counts.permissions = permissions.len();
        let position = directory.position();
        Ok(Self {
            mesh: directory.mesh().mesh.to_string(),
            domain: directory.mesh().domain().into(),
            epoch: position.epoch,
            revision: position.revision,
            counts,
            permissions,
        })
    }
}

/// Replaces `file` by `bytes`. A crash leaves the old file or the new one, nothing between.
pub fn write_file(file: &Path, bytes: &[u8]) -> Result<(), SnapshotFileError> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || {
        let mut opened = File::create(&unfinished)?;
        opened.write_all(bytes)?;
        opened.sync_all()?;
        fs::rename(&unfinished, file)?;
        // The name is durable only when its folder is.
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| SnapshotFileError::Write { file: file.into(), source })
}

pub(crate) fn compile(source: &Path, out: &Path, format: Format) -> Result<Told, CmdError> {
    let directory = read_source(source).map_err(CmdError::usage)?;
    let bytes = encode(&directory).map_err(CmdError::failure)?;
    write_file(out, &bytes).map_err(CmdError::failure)?;
    let DirectorySource { position, mesh, objects } = directory;
    let counts = Counts {
        clusters: objects.clusters.len(),
        agencies: objects.agencies.len(),
        systems: objects.systems.len(),
        services: objects.services.len(),
        permissions: objects.permissions.len(),
        link_keys: objects.link_keys.len(),
    };
    let compiled = Compiled {
        file: out.into(),
        bytes: bytes.len(),
        mesh: mesh.mesh.to_string(),
        domain: mesh.domain().into(),
        epoch: position.epoch,
        revision: position.revision,
        counts,
    };
    Ok(Told::new(format, &compiled, |compiled| {
        let Compiled { file, bytes, mesh, domain, epoch, revision, counts } = compiled;
        format!(
            "{}: mesh {mesh} ({domain}) at {epoch}.{revision}, {bytes} bytes\n\n{}",
            file.display(),
            counts_table(counts)
        )
    }))
}

pub(crate) fn show(file: &Path, format: Format) -> Result<Told, CmdError> {
    let contents = read_file(file).map_err(CmdError::failure)?;
    Ok(Told::new(format, &contents, table))
}

fn read_file(file: &Path) -> Result<Contents, SnapshotFileError> {
    let bytes = source::read_bounded(file, SNAPSHOT_BYTES_MAX)
        .map_err(|source| SnapshotFileError::Read { file: file.into(), source })?;
    Contents::read(&bytes)
        .map_err(|source| SnapshotFileError::Snapshot { file: file.into(), source })
}

fn table(contents: &Contents) -> String {
    let Contents { mesh, domain, epoch, revision, counts, permissions } = contents;
    let mut columns =
        Columns::new(&["PERMISSION", "CONSUMER", "SERVICE", "OPERATIONS", "PURPOSES"]);
    for given in permissions {
        columns.row(&[
            given.id.clone(),
            given.consumer.clone(),
            given.service.clone(),
            given.operations.join(", "),
            given.purposes.join(", "),
        ]);
    }
    let counts = counts_table(counts);
    format!("mesh {mesh} ({domain}) at {epoch}.{revision}\n\n{counts}\n{}", columns.text())
}

fn counts_table(counts: &Counts) -> String {
    let Counts { clusters, agencies, systems, services, permissions, link_keys } = counts;
    let mut columns =
        Columns::new(&["CLUSTERS", "AGENCIES", "SYSTEMS", "SERVICES", "PERMISSIONS", "LINK KEYS"])
            .numbers(&[0, 1, 2, 3, 4, 5]);
    let counts = [clusters, agencies, systems, services, permissions, link_keys];
    columns.row(&counts.map(ToString::to_string));
    columns.text()
}

#[cfg(test)]
mod tests;
