//! `hubctl apply`: from files to changes, in batches, until the nodes have them.

use std::path::PathBuf;
use std::time::Duration;

use mesh_core::directory::Directory;
use mesh_core::directory::change::{self, ByKey, CHANGES_MAX, Change, ObjectKind};
use mesh_core::directory::history::{ENTRY_BYTES_MAX, Head};
use mesh_core::node::NodeName;
use mesh_proto::registry::{Commit, write_commit};
use mesh_rt::exit::CmdError;
use prost::Message as _;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::changes::{Counts, Shown, counts, shown, text};
use super::cut_off::{CutOff, cut_off, named};
use super::prune;
use super::{Registry, centre};
use crate::client::{AskError, NodeClient, ask_all, clients};
use crate::config::Config;
use crate::directory::Written;
use crate::output::{Format, Told};

/// How long `apply` looks on while nodes take what was committed.
const REACH_TIME_MAX: Duration = Duration::from_secs(5);

/// Between two looks at the nodes.
const REACH_PAUSE: Duration = Duration::from_millis(50);

/// Room that a commit leaves in its message for what stands around the changes.
const COMMIT_BYTES_MAX: usize = ENTRY_BYTES_MAX - 64 * 1024;

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
    /// A sentence for the record, which the centre logs
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
    /// Where the registry stood when the changes were made out.
    base_epoch: u64,
    base_revision: u64,
    /// Where it stands now.
    epoch: u64,
    revision: u64,
    /// Objects that the files do not mention, and that stay as they are without `--prune`.
    unmentioned: usize,
    /// Nodes that the directory no longer lets in after the changes.
    cut_off: Vec<String>,
    /// Which nodes have it; `null` where nobody waited.
    reach: Option<Reach>,
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

/// A sequence of commits that broke off.
#[derive(Debug, thiserror::Error)]
#[error(
    "{made} of {all} changes were made, up to revision {epoch}.{revision}; run it again to go on"
)]
struct BrokeOff {
    made: usize,
    all: usize,
    epoch: u64,
    revision: u64,
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

    let base = registry.head;
    let head = if args.dry_run {
        rehearse(&centre, base, &changes).await?;
        base
    } else {
        commit(&centre, base, &changes, &args.reason).await?
    };
    let reach =
        if args.no_wait || head == base { None } else { Some(reach(config, head, &lost).await?) };
    let changes = shown(&registry.objects, &changes);
    let applied = Applied {
        dry_run: args.dry_run,
        counts: counts(&changes),
        changes,
        base_epoch: base.epoch,
        base_revision: base.revision,
        epoch: head.epoch,
        revision: head.revision,
        unmentioned: unmentioned(&registry.objects, &want, args.prune),
        cut_off: lost.iter().map(ToString::to_string).collect(),
        reach,
    };
    let mut told = Told::new(format, &applied, |applied| text_of(applied, &lost));
    if !args.dry_run && head != base && !lost.is_empty() {
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

/// Asks the centre what it thinks of the first batch: is it there, and may we?
async fn rehearse(centre: &NodeClient, base: Head, changes: &[Change]) -> Result<(), CmdError> {
    let Some(batch) = batches(changes).next() else { return Ok(()) };
    let commit = commit_of(base, batch, "", true);
    centre.registry_commit(write_commit(&commit)).await.map(drop).map_err(CmdError::failure)
}

/// Commits batch by batch, each on the revision that the one before it made.
pub(crate) async fn commit(
    centre: &NodeClient,
    base: Head,
    changes: &[Change],
    reason: &str,
) -> Result<Head, CmdError> {
    let (mut head, mut made) = (base, 0);
    for batch in batches(changes) {
        let commit = commit_of(head, batch, reason, false);
        match centre.registry_commit(write_commit(&commit)).await {
            Ok(answer) => {
                head = Head { epoch: answer.epoch, revision: answer.revision, hash: None };
            }
            Err(error) if made == 0 => return Err(CmdError::failure(error)),
            Err(source) => {
                let (epoch, revision) = (head.epoch, head.revision);
                let all = changes.len();
                return Err(CmdError::failure(BrokeOff { made, all, epoch, revision, source }));
            }
        }
        made += batch.len();
    }
    Ok(head)
}

fn commit_of(base: Head, changes: &[Change], reason: &str, dry_run: bool) -> Commit {
    Commit {
        base_epoch: base.epoch,
        base_revision: base.revision,
        changes: changes.to_vec(),
        reason: reason.into(),
        dry_run,
    }
}

/// Parts of `changes` that one commit takes each.
fn batches(changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    let mut rest = changes;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(CHANGES_MAX).take_while(|change| {
            bytes += mesh_proto::directory::write_change(change).encoded_len();
            bytes <= COMMIT_BYTES_MAX
        });
        // One that is too large by itself is sent all the same: the centre says so.
        let count = fits.count().max(1).min(rest.len());
        let (batch, later) = rest.split_at(count);
        rest = later;
        (!batch.is_empty()).then_some(batch)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_what_one_commit_takes() {
        let remove = |number: usize| {
            let key = format!("cluster/p{number}").parse().unwrap();
            Change::Remove(key)
        };
        let all: Vec<Change> = (0..250).map(remove).collect();
        let sizes: Vec<usize> = batches(&all).map(<[Change]>::len).collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert_eq!(batches(&all).flatten().count(), 250);
        assert_eq!(batches(&[]).count(), 0);
    }
}
