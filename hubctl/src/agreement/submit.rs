//! `hubctl agreement submit`: files go to the registry, which takes the acts that it lacks.

use std::path::PathBuf;

use mesh_core::agreement::{Agreement, Refused};
use mesh_core::change_set::State;
use mesh_core::directory::change::{Change, Object};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::{file, now};
use crate::client::NodeClient;
use crate::config::Config;
use crate::output::{Columns, Format, Told};
use crate::registry::{self, Registry, centre};

#[derive(Debug, Serialize)]
struct Submitted {
    file: PathBuf,
    id: String,
    /// Acts that the registry did not have.
    added: usize,
    state: &'static str,
    words: String,
}

#[derive(Debug, Serialize)]
struct HandedIn {
    agreements: Vec<Submitted>,
    /// What is not made before others approve.
    change_sets_waiting: Vec<String>,
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
    let change_sets_waiting = commit(&centre, &registry, changes, reason).await?;
    let handed_in = HandedIn { agreements: all, change_sets_waiting };
    Ok(Told::new(format, &handed_in, |HandedIn { agreements, change_sets_waiting }| {
        let mut columns = Columns::new(&["AGREEMENT", "NEW ACTS", "STATE"]).numbers(&[1]);
        for Submitted { id, added, words, .. } in agreements {
            columns.row(&[id[..16].into(), added.to_string(), words.clone()]);
        }
        columns.text() + &waiting_text(change_sets_waiting)
    }))
}

/// What the registry has, with the acts of `offered` that it lacks: officers may have signed copies.
fn join(
    old: Option<&Agreement>,
    offered: &Agreement,
    around: &mesh_core::agreement::Around<'_>,
) -> Result<Agreement, Refused> {
    let Some(old) = old else { return Ok(offered.clone()) };
    let new = offered.acts.iter().filter(|act| !old.acts.contains(act));
    new.fold(Ok(old.clone()), |after, act| after?.step(act, around))
}

/// Proposes on what was read. The ids of the change sets that wait for approvals.
pub(super) async fn commit(
    centre: &NodeClient,
    registry: &Registry,
    changes: Vec<Change>,
    reason: &str,
) -> Result<Vec<String>, CmdError> {
    let sets = registry::propose(centre, registry, changes, reason).await?;
    let waiting = sets.iter().filter(|set| set.state == State::Proposed);
    Ok(waiting.map(|set| set.id.to_string()).collect())
}

/// What to do about change sets that wait, a line each.
pub(super) fn waiting_text(waiting: &[String]) -> String {
    let line = |id: &String| format!("change set {id} waits: hubctl change approve {id}\n");
    waiting.iter().map(line).collect()
}
