//! `hubctl agreement submit`: files go to the registry, which takes the acts that it lacks.

use std::path::PathBuf;

use mesh_core::agreement::{Agreement, Refused};
use mesh_core::directory::change::{Change, Object};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::{file, now};
use crate::client::NodeClient;
use crate::config::Config;
use crate::output::{Columns, Format, Told};
use crate::registry::{self, Making, Registry, centre};

#[derive(Debug, Serialize)]
struct Submitted {
    file: PathBuf,
    id: String,
    /// Acts that the registry did not have.
    added: usize,
    state: &'static str,
    words: String,
}

/// A file that the registry would refuse.
#[derive(Debug, thiserror::Error)]
#[error("{}: agreement {id}: {why}", file.display())]
struct Cannot {
    file: PathBuf,
    id: String,
    why: Refused,
}

pub(super) async fn submit(
    config: &Config,
    files: &[PathBuf],
    reason: &str,
    format: Format,
) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let directory = registry.directory()?;
    let (mut changes, mut all) = (Vec::new(), Vec::new());
    for path in files {
        let offered = file::read(path).map_err(CmdError::usage)?;
        let id = offered.id();
        let around = directory.around(&offered, now());
        let old = around.beside.iter().copied().find(|old| old.id() == id);
        let cannot =
            |why| CmdError::failure(Cannot { file: path.clone(), id: id.to_string(), why });
        let after = join(old, &offered, &around).map_err(cannot)?;
        let added = after.acts.len() - old.map_or(0, |old| old.acts.len().min(after.acts.len()));
        let state = after.state(&around);
        let (words, state) = (state.words(), state.name());
        all.push(Submitted { file: path.clone(), id: id.to_string(), added, state, words });
        if old != Some(&after) {
            changes.push(Change::Put(Object::Agreement(after)));
        }
    }
    let made = commit(config, (&centre, &registry), changes, reason).await?;
    let told = Told::new(format, &all, |all| {
        let mut columns = Columns::new(&["AGREEMENT", "NEW ACTS", "STATE"]).numbers(&[1]);
        for Submitted { id, added, words, .. } in all {
            columns.row(&[id[..16].into(), added.to_string(), words.clone()]);
        }
        columns.text()
    });
    Ok(both(told, made, format))
}

/// What the registry has, with the acts of `offered` that it lacks: officers may have signed
/// copies.
fn join(
    old: Option<&Agreement>,
    offered: &Agreement,
    around: &mesh_core::agreement::Around<'_>,
) -> Result<Agreement, Refused> {
    let Some(old) = old else { return Ok(offered.clone()) };
    let mut new = offered.acts.iter().filter(|act| !old.acts.contains(act));
    new.try_fold(old.clone(), |after, act| after.step(act, around))
}

/// Proposes the changes of what was read, as a change set, and waits until the nodes have it.
pub(super) async fn commit(
    config: &Config,
    centre_and_registry: (&NodeClient, &Registry),
    changes: Vec<Change>,
    reason: &str,
) -> Result<Told, CmdError> {
    let (no_wait, dry_run, lost) = (changes.is_empty(), false, Vec::new());
    let making = Making { reason, dry_run, no_wait, unmentioned: 0, lost };
    registry::make(config, centre_and_registry, changes, making, Format::Table).await
}

/// What was done, and for eyes what came of the change set.
pub(super) fn both(told: Told, made: Told, format: Format) -> Told {
    let text = match format {
        Format::Table => format!("{}\n{}", told.text, made.text),
        Format::Json => told.text,
    };
    Told { text, complaint: told.complaint.or(made.complaint) }
}
