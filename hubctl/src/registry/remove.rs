//! `hubctl remove`: objects by name. A key of a node or an operator that is removed is revoked.

use mesh_core::change_set::State;
use mesh_core::directory::change::{Change, Key};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::propose::Proposal;
use super::{Kind, Registry, centre};
use crate::cli::now_ms;
use crate::config::Config;
use crate::output::{Format, Told};

#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// The kind of the objects
    kind: Kind,
    /// Their names, as `hubctl get` shows them; of a link key NODE/SHA-256
    #[arg(required = true)]
    names: Vec<String>,
    /// A sentence for those who approve, and for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Removed {
    keys: Vec<String>,
    change_set: String,
    state: &'static str,
    /// The revision that it made; `null` while it waits.
    revision: Option<u64>,
}

pub(crate) async fn remove(
    config: &Config,
    args: RemoveArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let RemoveArgs { kind, names, reason } = args;
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let keys = names.iter().map(|name| registry.find(kind, name));
    let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
    let changes = keys.iter().cloned().map(Change::Remove).collect();
    let proposal = Proposal::new(&centre, &registry, changes, &reason)?;
    let proposed = proposal.send(&centre, now_ms(), false).await;
    if let Some(why) = proposed.stopped {
        return Err(CmdError::failure(why));
    }
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let removed = proposed.sets.last().map(|set| Removed {
        keys,
        change_set: set.id.to_string(),
        state: set.state.name(),
        revision: match set.state {
            State::Committed { revision, .. } => Some(revision),
            _ => None,
        },
    });
    Ok(Told::new(format, &removed, |removed| removed.as_ref().map(text).unwrap_or_default()))
}

fn text(removed: &Removed) -> String {
    let Removed { keys, change_set, state, revision } = removed;
    let gone: String = keys.iter().map(|key| format!("- {key}\n")).collect();
    match revision {
        Some(revision) => {
            format!("{gone}change set {change_set} is {state}: revision {revision}\n")
        }
        None => {
            format!("{gone}change set {change_set} waits: hubctl change approve {change_set}\n")
        }
    }
}
