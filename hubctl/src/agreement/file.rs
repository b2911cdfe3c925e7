//! Where an agreement is: in a file, or in the registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mesh_core::agreement::{Agreement, Around, State};
use mesh_core::directory::Attribute;
use mesh_core::directory::change::Object;
use mesh_proto::directory::{AGREEMENT_BYTES_MAX, read_agreement_file, write_agreement_file};
use mesh_rt::exit::CmdError;

use super::now;
use crate::config::Config;
use crate::registry::{NoAgreement, Registry, centre};

/// An agreement, and where it came from.
pub(super) struct Found {
    pub(super) agreement: Agreement,
    pub(super) state: State,
    pub(super) place: Place,
}

pub(super) enum Place {
    File(PathBuf),
    Registry,
}

/// A file that holds no agreement, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}: holds no agreement: {why}", file.display())]
    Malformed { file: PathBuf, why: mesh_proto::malformed::Malformed },
    #[error("{}: cannot be written", file.display())]
    Write { file: PathBuf, source: std::io::Error },
    #[error("{}: is there already, and is not replaced", file.display())]
    Exists { file: PathBuf },
}

/// `name` as a file where there is one, else as the beginning of an id in the registry.
pub(super) async fn find(
    name: &str,
    load: impl Fn() -> Result<Config, CmdError>,
) -> Result<Found, CmdError> {
    let file = Path::new(name);
    if file.exists() {
        let agreement = read(file).map_err(CmdError::usage)?;
        let state = alone(&agreement);
        return Ok(Found { agreement, state, place: Place::File(file.into()) });
    }
    let centre = centre(&load()?).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let agreement = in_registry(&registry, name).map_err(CmdError::usage)?;
    let state = super::state(&registry.directory()?, &agreement);
    Ok(Found { agreement, state, place: Place::Registry })
}

pub(super) fn in_registry(registry: &Registry, name: &str) -> Result<Agreement, NoAgreement> {
    let key = registry.find_agreement(name)?;
    match registry.objects.get(&key) {
        Some(Object::Agreement(agreement)) => Ok(agreement.clone()),
        _ => Err(NoAgreement::Unknown { name: name.into() }),
    }
}

/// The state by what the file alone says: the registry may know of a successor.
pub(super) fn alone(agreement: &Agreement) -> State {
    agreement.state(&around_alone(&agreement.terms().attributes))
}

/// What surrounds an agreement of which nothing else is known. The consumer counts as what the
/// terms want it to be: only the registry knows.
pub(super) fn around_alone(attributes: &BTreeSet<Attribute>) -> Around<'_> {
    Around { beside: Vec::new(), attributes, now_unix_ms: now().0 }
}

pub(super) fn read(file: &Path) -> Result<Agreement, FileError> {
    let unreadable = |source| FileError::Read { file: file.into(), source };
    let length = std::fs::metadata(file).map_err(unreadable)?.len();
    // What is longer is no agreement, and is not read into memory to find out.
    let bytes = if length <= AGREEMENT_BYTES_MAX as u64 {
        std::fs::read(file).map_err(unreadable)?
    } else {
        vec![0; AGREEMENT_BYTES_MAX + 1]
    };
    read_agreement_file(&bytes).map_err(|why| FileError::Malformed { file: file.into(), why })
}

pub(super) fn write_new(file: &Path, agreement: &Agreement) -> Result<(), FileError> {
    if file.exists() {
        return Err(FileError::Exists { file: file.into() });
    }
    replace(file, agreement)
}

pub(super) fn replace(file: &Path, agreement: &Agreement) -> Result<(), FileError> {
    mesh_rt::file::replace(file, &write_agreement_file(agreement))
        .map_err(|source| FileError::Write { file: file.into(), source })
}
