//! `hubctl apply`: from files to change sets, part after part, until the nodes have them.

use std::path::PathBuf;
use std::time::Duration;

use mesh_core::change_set::{ChangeSet, State};
use mesh_core::directory::Directory;
use mesh_core::directory::change::{self, ByKey, Change, ObjectKind};
use mesh_core::directory::history::Head;
use mesh_core::node::NodeName;
use mesh_core::reason::Reason;
use mesh_rt::exit::CmdError;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::changes::{Counts, Shown, counts, shown, text};
use super::cut_off::{CutOff, cut_off, named};
use super::propose::{Proposal, Proposed};
use super::prune;
use super::{Registry, centre};
use crate::cli::now_ms;
use crate::client::{AskError, NodeClient, Unanswered, ask_all, clients};
use crate::config::Config;
use crate::directory::Written;
use crate::output::{Format, Told};
use crate::service::warnings;

/// How long `apply` looks on while nodes take what was committed.
const REACH_TIME_MAX: Duration = Duration::from_secs(5);

/// Between two looks at the nodes.
const REACH_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// A TOML file, a folder whose *.toml files are read together, or `-` for standard input
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove what the registry has and the files do not mention; keys of links stay
    #[arg(long)]
    prune: bool,
    /// Remove with --prune even if it is more than one object in ten
    #[arg(long)]
    yes: bool,
    /// A sentence for those who approve, and for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Do not wait until the nodes have it
    #[arg(long)]
    no_wait: bool,
}

/// What came of it, as `-o json` tells it.
#[derive(Debug, Serialize)]
struct Applied {
    dry_run: bool,
    changes: Vec<Shown>,
    counts: Counts,
    /// The change sets that they were proposed as, in their order.
    change_sets: Vec<SetTold>,
    /// Where the registry stood when the changes were made out.
    base_epoch: u64,
    base_revision: u64,
    /// Where it stands now.
    epoch: u64,
    revision: u64,
    /// Objects that the files do not mention, and that stay as they are without `--prune`.
    unmentioned: usize,
    /// What the technical standards want besides, service by service.
    warnings: Vec<String>,
    /// Nodes that the directory no longer lets in after the changes.
    cut_off: Vec<String>,
    /// Which nodes have it; `null` where nobody waited.
    reach: Option<Reach>,
}

/// One change set, and what came of it so far.
#[derive(Debug, Serialize)]
struct SetTold {
    id: String,
    state: &'static str,
    /// Approvals that it waits for.
    needs: u8,
    /// The revision that it made; `null` where it made none yet.
    revision: Option<u64>,
}

/// Which of the nodes of the configuration have what was committed, without those it cuts off.
#[derive(Debug, Serialize)]
struct Reach {
    nodes: usize,
    in_force: usize,
    after_ms: u64,
    /// Those that have not, by name. They take it by themselves when their links are up.
    late: Vec<String>,
}

/// Files that say nothing: a mistake, and with `--prune` one that would empty the registry.
#[derive(Debug, thiserror::Error)]
#[error("{}: holds no object; check that it is the right file", path.display())]
struct NoObject {
    path: PathBuf,
}

/// A sequence that broke off.
#[derive(Debug, thiserror::Error)]
#[error(
    "{made} of {all} parts were taken, up to change set {last}; run it again to go on with the rest"
)]
struct BrokeOff {
    made: usize,
    all: usize,
    last: String,
    source: AskError,
}

/// Somebody else changed one of the objects meanwhile.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing of this part was changed: somebody else changed the same objects meanwhile, as shown; \
     run it again with --dry-run to see what it would change now{kept}"
)]
struct Overtaken {
    kept: String,
    source: AskError,
}

pub(crate) async fn apply(
    config: &Config,
    args: ApplyArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let written = Written::read(&args.file).map_err(CmdError::usage)?;
    let mut want = written.objects.clone().into_by_key();
    if want.is_empty() {
        return Err(CmdError::usage(NoObject { path: args.file }));
    }
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    // A file has terms, and no signatures: it proposes what the registry does not have yet.
    want.retain(|key, _| {
        key.kind() != ObjectKind::Agreement || !registry.objects.contains_key(key)
    });
    // What was signed is ended by its parties, and keys come and go with their nodes.
    let kept = [ObjectKind::LinkKey, ObjectKind::DirectoryKey, ObjectKind::Agreement];
    let removable = |kind| args.prune && !kept.contains(&kind);
    let changes = change::diff(&registry.objects, &want, removable);
    if args.prune && !args.yes && !args.dry_run {
        let could = registry.objects.keys().filter(|key| removable(key.kind())).count();
        prune::allowed(&changes, could).map_err(CmdError::usage)?;
    }
    let after = judge(&registry, &written, &changes)?;
    let lost = cut_off(&registry.objects, &registry.directory()?, &after);
    let unmentioned = unmentioned(&registry.objects, &want, args.prune);
    let ApplyArgs { dry_run, ref reason, no_wait, .. } = args;
    let making = Making { reason, dry_run, no_wait, unmentioned, lost };
    make(config, (&centre, &registry), changes, making, format).await
}

/// How changes are made, and what is told beside them.
#[derive(Debug)]
pub(crate) struct Making<'m> {
    /// A sentence for those who approve, and for the record.
    pub(crate) reason: &'m str,
    pub(crate) dry_run: bool,
    /// Nobody waits until the nodes have it.
    pub(crate) no_wait: bool,
    /// Objects that stay because nobody spoke of them.
    pub(crate) unmentioned: usize,
    /// Nodes that the changes cut off.
    pub(crate) lost: Vec<NodeName>,
}

/// Proposes `changes` of the registry, and waits until the nodes have them.
pub(crate) async fn make(
    config: &Config,
    (centre, registry): (&NodeClient, &Registry),
    changes: Vec<Change>,
    making: Making<'_>,
    format: Format,
) -> Result<Told, CmdError> {
    let Making { reason, dry_run, no_wait, unmentioned, lost } = making;
    let proposal = Proposal::new(centre, registry, changes.clone(), reason)?;
    let proposed = proposal.send(centre, now_ms(), dry_run).await;
    if proposed.stopped.is_some() {
        return stopped(centre, registry, &changes, proposed).await;
    }
    let base = registry.head;
    let head = proposed.sets.iter().rev().find_map(committed).unwrap_or(base);
    let reach =
        if no_wait || head == base { None } else { Some(reach(config, head, &lost).await?) };
    let warnings = warnings(&changes);
    let changes = shown(&registry.objects, &changes);
    let applied = Applied {
        dry_run,
        counts: counts(&changes),
        changes,
        change_sets: proposed.sets.iter().map(set_told).collect(),
        base_epoch: base.epoch,
        base_revision: base.revision,
        epoch: head.epoch,
        revision: head.revision,
        unmentioned,
        warnings,
        cut_off: lost.iter().map(ToString::to_string).collect(),
        reach,
    };
    let mut told = Told::new(format, &applied, |applied| text_of(applied, &lost));
    if !dry_run && head != base && !lost.is_empty() {
        told.complaint = Some(CmdError::failure(CutOff(lost)));
    }
    Ok(told)
}

/// Says before anything is sent what the registry would refuse, with the line at fault.
fn judge(
    registry: &Registry,
    written: &Written,
    changes: &[Change],
) -> Result<Directory, CmdError> {
    let after = change::apply(&registry.objects, changes).map_err(CmdError::failure)?;
    let objects = after.into_values().collect();
    Directory::build(registry.mesh.clone(), registry.head.position(), objects)
        .map_err(|error| CmdError::usage(written.explain(&error)))
}

/// Why a sequence went no further; of a conflict, what others changed of the same objects.
async fn stopped(
    centre: &NodeClient,
    before: &Registry,
    changes: &[Change],
    proposed: Proposed,
) -> Result<Told, CmdError> {
    let Proposed { sets, parts, stopped, stopped_at } = proposed;
    let Some(source) = stopped else { return Ok(Told { text: String::new(), complaint: None }) };
    let is_conflict = matches!(&source.reason, Unanswered::Refused(problem)
        if problem.reason == Reason::RegistryConflict);
    if is_conflict {
        let text = match Registry::read(centre).await {
            Ok(now) => text(&others(before, &now, changes)),
            Err(_) => String::new(),
        };
        let kept = stopped_at.map_or(String::new(), |id| format!("; it is kept as {id}"));
        let complaint = Some(CmdError::failure(Overtaken { kept, source }));
        return Ok(Told { text, complaint });
    }
    let Some(last) = sets.last() else { return Err(CmdError::failure(source)) };
    let (made, last) = (sets.len(), last.id.to_string());
    Err(CmdError::failure(BrokeOff { made, all: parts, last, source }))
}

/// What others changed of the objects of `changes`.
fn others(before: &Registry, now: &Registry, changes: &[Change]) -> Vec<Shown> {
    let ours: Vec<_> = changes.iter().map(Change::key).collect();
    let theirs = change::diff(&before.objects, &now.objects, |_| true);
    let theirs: Vec<Change> =
        theirs.into_iter().filter(|change| ours.contains(&change.key())).collect();
    shown(&before.objects, &theirs)
}

fn committed(set: &ChangeSet) -> Option<Head> {
    match set.state {
        State::Committed { epoch, revision, .. } => Some(Head { epoch, revision, hash: None }),
        _ => None,
    }
}

fn set_told(set: &ChangeSet) -> SetTold {
    SetTold {
        id: set.id.to_string(),
        state: set.state.name(),
        needs: set.needs,
        revision: committed(set).map(|head| head.revision),
    }
}

/// Waits until every node of `config` but those that are `lost` stands at `head` or later, but not
/// for long.
async fn reach(config: &Config, head: Head, lost: &[NodeName]) -> Result<Reach, CmdError> {
    let mut clients = clients(config, &[]).map_err(CmdError::usage)?;
    clients.retain(|client| !lost.contains(client.node()));
    let began = Instant::now();
    let mut late = clients.clone();
    loop {
        let answers = ask_all(&late, NodeClient::status).await;
        let stands = answers.iter().map(|answer| {
            let directory = answer.as_ref().ok().and_then(|status| status.directory.as_ref());
            directory.map(|at| (at.epoch, at.revision))
        });
        let behind = stands.map(|at| at < Some((head.epoch, head.revision)));
        let behind: Vec<bool> = behind.collect();
        let mut behind = behind.into_iter();
        late.retain(|_| behind.next().unwrap_or(false));
        if late.is_empty() || REACH_TIME_MAX <= began.elapsed() {
            let late: Vec<_> = late.iter().map(|client| client.node().to_string()).collect();
            return Ok(Reach {
                nodes: clients.len(),
                in_force: clients.len() - late.len(),
                after_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                late,
            });
        }
        sleep(REACH_PAUSE).await;
    }
}

fn unmentioned(have: &ByKey, want: &ByKey, pruned: bool) -> usize {
    let stays = |key: &&change::Key| {
        let apart = [ObjectKind::LinkKey, ObjectKind::DirectoryKey, ObjectKind::Agreement]
            .contains(&key.kind());
        !apart && !want.contains_key(key) && !pruned
    };
    have.keys().filter(stays).count()
}

fn text_of(applied: &Applied, lost: &[NodeName]) -> String {
    let Applied { dry_run, changes, counts, base_epoch, base_revision, .. } = applied;
    let mut text = text(changes);
    if changes.is_empty() {
        text += &format!(
            "no change: the registry holds this already, at {base_epoch}.{base_revision}\n"
        );
    } else {
        let Counts { add, change, remove } = counts;
        text += &format!("\n{add} new, {change} changed, {remove} removed: ");
        text += &match (dry_run, applied.epoch, applied.revision) {
            (true, ..) => format!("nothing was done, revision {base_epoch}.{base_revision}\n"),
            (false, epoch, revision) => {
                format!("revision {base_epoch}.{base_revision} → {epoch}.{revision}\n")
            }
        };
        text += &sets_text(*dry_run, &applied.change_sets);
    }
    for warning in &applied.warnings {
        text += &format!("warning: {warning}\n");
    }
    if 0 < applied.unmentioned {
        let (objects, stay) = match applied.unmentioned {
            1 => ("1 object".into(), "stays as it is"),
            count => (format!("{count} objects"), "stay as they are"),
        };
        text += &format!("{objects} that the files do not mention {stay}\n");
    }
    if *dry_run && !lost.is_empty() {
        text += &format!("would cut off {}\n", named(lost));
    }
    if let Some(Reach { nodes, in_force, after_ms, late }) = &applied.reach {
        text += &format!("in force at {in_force} of {nodes} nodes after {after_ms} ms\n");
        if !late.is_empty() {
            text += &format!("not yet at {}: they take it when they can\n", late.join(", "));
        }
    }
    text
}

/// One line for each change set.
fn sets_text(dry_run: bool, sets: &[SetTold]) -> String {
    let line = |(index, set): (usize, &SetTold)| {
        let part = match sets.len() {
            1 => "change set".into(),
            all => format!("part {} of {all}: change set", index + 1),
        };
        let SetTold { id, state, needs, .. } = set;
        match (dry_run, *state, needs) {
            (true, _, 0) => String::new(),
            (true, _, needs) => format!("{part} would need {needs} approvals\n"),
            (false, "proposed", needs) => {
                format!("{part} {id} waits for {needs} approvals: hubctl change approve {id}\n")
            }
            (false, state, _) => format!("{part} {id} is {state}\n"),
        }
    };
    sets.iter().enumerate().map(line).collect()
}
