//! `hubctl directory`: from a source that people write to the snapshot that nodes read, and back.
//!
//! The source is TOML: `epoch` and `revision` at the top, the section `[mesh]` as in every
//! configuration, then `[[clusters]]`, `[[agencies]]`, `[[systems]]`, `[[services]]`,
//! `[[agreements]]` with `[terms]`, and `[[link_keys]]`. What a registry is given has the same
//! arrays without the header, in one file or in many below a folder.

use std::io;
use std::path::{Path, PathBuf};

use mesh_core::agreement::Agreement;
use mesh_core::directory::Objects;
use mesh_proto::directory::{SnapshotError, read_snapshot};
use mesh_rt::directory_file::SNAPSHOT_BYTES_MAX;
use mesh_rt::exit::CmdError;
use serde::Serialize;

pub use self::source::{DirectorySource, SourceError, encode, read_objects, read_source};
pub use self::written::Written;
use crate::output::{Columns, Format, Told};

mod agreement_set;
mod folder;
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
    pub agreements: Vec<AgreementRow>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    pub clusters: usize,
    pub agencies: usize,
    pub systems: usize,
    pub services: usize,
    pub agreements: usize,
    pub link_keys: usize,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AgreementRow {
    pub id: String,
    pub title: String,
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
        let directory = read_snapshot(bytes)?.directory;
        let objects = directory.objects();
        let position = directory.position();
        Ok(Self {
            mesh: directory.mesh().mesh.to_string(),
            domain: directory.mesh().domain().into(),
            epoch: position.epoch,
            revision: position.revision,
            counts: Counts::of(&objects),
            agreements: objects.agreements.iter().map(AgreementRow::from).collect(),
        })
    }
}

impl Counts {
    fn of(objects: &Objects) -> Self {
        Self {
            clusters: objects.clusters.len(),
            agencies: objects.agencies.len(),
            systems: objects.systems.len(),
            services: objects.services.len(),
            agreements: objects.agreements.len(),
            link_keys: objects.link_keys.len(),
        }
    }
}

impl From<&Agreement> for AgreementRow {
    fn from(agreement: &Agreement) -> Self {
        let terms = agreement.terms();
        Self {
            id: agreement.id().to_string(),
            title: terms.title.clone(),
            consumer: terms.consumer.to_string(),
            service: terms.service.to_string(),
            operations: terms.operations.iter().map(ToString::to_string).collect(),
            purposes: terms.purposes.keys().map(ToString::to_string).collect(),
        }
    }
}

/// Replaces `file` by `bytes`. A crash leaves the old file or the new one, nothing between.
pub fn write_file(file: &Path, bytes: &[u8]) -> Result<(), SnapshotFileError> {
    mesh_rt::file::replace(file, bytes)
        .map_err(|source| SnapshotFileError::Write { file: file.into(), source })
}

pub(crate) fn compile(source: &Path, out: &Path, format: Format) -> Result<Told, CmdError> {
    let directory = read_source(source).map_err(CmdError::usage)?;
    let bytes = encode(&directory).map_err(CmdError::failure)?;
    write_file(out, &bytes).map_err(CmdError::failure)?;
    let DirectorySource { position, mesh, objects } = directory;
    let counts = Counts::of(&objects);
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
    let Contents { mesh, domain, epoch, revision, counts, agreements } = contents;
    let mut columns = Columns::new(&["AGREEMENT", "CONSUMER", "SERVICE", "OPERATIONS", "PURPOSES"]);
    for given in agreements {
        columns.row(&[
            given.title.clone(),
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
    let Counts { clusters, agencies, systems, services, agreements, link_keys } = counts;
    let mut columns =
        Columns::new(&["CLUSTERS", "AGENCIES", "SYSTEMS", "SERVICES", "AGREEMENTS", "LINK KEYS"])
            .numbers(&[0, 1, 2, 3, 4, 5]);
    let counts = [clusters, agencies, systems, services, agreements, link_keys];
    columns.row(&counts.map(ToString::to_string));
    columns.text()
}

#[cfg(test)]
mod tests;
