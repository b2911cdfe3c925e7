//! `hubctl change`: change sets that wait or were decided of, what they would change, and deciding.

use clap::Subcommand;
use mesh_core::change_set::{Action as Does, ChangeSet, Decision, Rules, State, Verdict};
use mesh_core::directory::change::{ByKey, Change as CoreChange};
use mesh_proto::registry::{
    Decide, PAGE_SETS_MAX, SetsPage, write_decide, write_sets_page, write_summary,
};
use mesh_proto::wire::registry::v1 as wire;
use mesh_registry::digest::of_object;
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::changes::{Action, Shown, shown, text};
use super::propose::read;
use super::{Registry, centre};
use crate::cli::now_ms;
use crate::client::{AskError, NodeClient, Unanswered};
use crate::config::Config;
use crate::output::{Columns, Format, Told, ago, printable};

/// How far back a list goes that nobody asked to go further.
const DAYS_DEFAULT: u32 = 30;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// List change sets that wait for approvals
    List {
        /// Those that were decided of, too
        #[arg(long)]
        all: bool,
        /// With --all: as far back as so many days
        #[arg(long, value_name = "DAYS", default_value_t = DAYS_DEFAULT)]
        days: u32,
    },
    /// Show what a change set changes, and what came of it
    Show {
        /// Its id, or as much of the beginning as no other has
        id: String,
    },
    /// Approve change sets of others, in this order; the last approval makes the change
    Approve(Ids),
    /// Refuse change sets of others
    Reject(Ids),
    /// Take back change sets of one's own
    Withdraw(Ids),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ids {
    /// Ids, or as much of the beginning of each as no other has
    #[arg(required = true)]
    ids: Vec<String>,
    /// A sentence for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// A change set in a list.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    state: &'static str,
    author: String,
    reason: String,
    written_at_unix_ms: u64,
    add: u32,
    change: u32,
    remove: u32,
    needs: u32,
    approvals: u32,
    part: Option<String>,
    epoch: u64,
    revision: u64,
}

/// A change set in full.
#[derive(Debug, Serialize)]
struct Sheet {
    id: String,
    state: &'static str,
    /// Why it was refused; empty for any other.
    refused_because: String,
    author: String,
    reason: String,
    written_at_unix_ms: u64,
    base_epoch: u64,
    base_revision: u64,
    needs: u8,
    decisions: Vec<Decided>,
    /// Epoch and revision that it made.
    committed: Option<(u64, u64)>,
    changes: Vec<Shown>,
    /// Keys of objects that are no longer what its author saw.
    overtaken_by: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Decided {
    operator: String,
    verdict: &'static str,
    reason: String,
    at_unix_ms: u64,
}

pub(crate) async fn change(
    config: &Config,
    command: Change,
    format: Format,
) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    match command {
        Change::List { all, days } => {
            let rows = list(&centre, all, days).await.map_err(CmdError::failure)?;
            Ok(Told::new(format, &rows, |rows| table(rows, all)))
        }
        Change::Show { id } => {
            let sheet = show(&centre, &id).await.map_err(CmdError::failure)?;
            Ok(Told::new(format, &sheet, sheet_text))
        }
        Change::Approve(ids) => decide(&centre, ids, Verdict::Approve, format).await,
        Change::Reject(ids) => decide(&centre, ids, Verdict::Reject, format).await,
        Change::Withdraw(ids) => decide(&centre, ids, Verdict::Withdraw, format).await,
    }
}

async fn list(centre: &NodeClient, all: bool, days: u32) -> Result<Vec<Row>, AskError> {
    let since_unix_ms = match all {
        true => now_ms().saturating_sub(u64::from(days).saturating_mul(DAY_MS)),
        false => 0,
    };
    let page = SetsPage { open: !all, after: None, since_unix_ms, limit: PAGE_SETS_MAX };
    let mut request = write_sets_page(&page);
    let mut rows = Vec::new();
    loop {
        let answer = centre.change_sets(request.clone()).await?;
        rows.extend(answer.change_sets.iter().map(row));
        if answer.next_after <= request.after {
            return Ok(rows);
        }
        request.after = answer.next_after;
    }
}

async fn show(centre: &NodeClient, id: &str) -> Result<Sheet, AskError> {
    let set = find(centre, id).await?;
    let open = matches!(set.state, State::Proposed | State::Overtaken { .. });
    let registry = if open { Some(Registry::read(centre).await?) } else { None };
    Ok(sheet(&set, registry.as_ref()))
}

/// Reads each, then decides of what was read.
async fn decide(
    centre: &NodeClient,
    Ids { ids, reason }: Ids,
    verdict: Verdict,
    format: Format,
) -> Result<Told, CmdError> {
    let mut rows = Vec::new();
    let mut complaint = None;
    for id in &ids {
        match decide_one(centre, id, verdict, &reason).await {
            Ok(set) => rows.push(row(&write_summary(&set, &Rules::default()))),
            Err(why) => {
                complaint = Some(CmdError::failure(why));
                break;
            }
        }
    }
    let mut told = Told::new(format, &rows, |rows| decided_text(rows));
    told.complaint = complaint;
    Ok(told)
}

async fn decide_one(
    centre: &NodeClient,
    id: &str,
    verdict: Verdict,
    reason: &str,
) -> Result<ChangeSet, AskError> {
    let set = find(centre, id).await?;
    let (id, sha256, reason) = (set.id, set.sha256, reason.to_owned());
    let request = write_decide(&Decide { id, sha256, verdict, reason });
    match centre.decide(request).await {
        Ok(decided) => read(centre, decided),
        // The answer was lost: what came of it stands in the change set.
        Err(AskError {
            reason: Unanswered::BrokeOff { .. } | Unanswered::Silent { .. }, ..
        }) => find(centre, &id.to_string()).await,
        Err(why) => Err(why),
    }
}

async fn find(centre: &NodeClient, id: &str) -> Result<ChangeSet, AskError> {
    let set = centre.change_set(wire::GetChangeSetRequest { id: id.into() }).await?;
    read(centre, set)
}

fn sheet(set: &ChangeSet, registry: Option<&Registry>) -> Sheet {
    let changes: Vec<CoreChange> =
        set.body.changes.iter().map(|written| written.change.clone()).collect();
    let nothing = ByKey::new();
    let have = registry.map_or(&nothing, |registry| &registry.objects);
    let mut changes = shown(have, &changes);
    for (shown, written) in changes.iter_mut().zip(&set.body.changes) {
        shown.action = match written.action() {
            Does::Add => Action::Add,
            Does::Change => Action::Change,
            Does::Remove => Action::Remove,
        };
    }
    let overtaken =
        registry.map(|registry| set.body.overtaken(|key| registry.objects.get(key).map(of_object)));
    let overtaken = overtaken.unwrap_or_default();
    Sheet {
        id: set.id.to_string(),
        state: set.state.name(),
        refused_because: match &set.state {
            State::Refused { why } => why.clone(),
            _ => String::new(),
        },
        author: set.body.author.to_string(),
        reason: set.body.reason.clone(),
        written_at_unix_ms: set.body.written_at_unix_ms,
        base_epoch: set.body.base.0,
        base_revision: set.body.base.1,
        needs: set.needs,
        decisions: set.decisions.iter().map(decided).collect(),
        committed: match set.state {
            State::Committed { epoch, revision, .. } => Some((epoch, revision)),
            _ => None,
        },
        changes,
        overtaken_by: overtaken.iter().map(ToString::to_string).collect(),
    }
}

fn decided(decision: &Decision) -> Decided {
    let verdict = match decision.verdict {
        Verdict::Approve => "approve",
        Verdict::Reject => "reject",
        Verdict::Withdraw => "withdraw",
    };
    Decided {
        operator: decision.operator.to_string(),
        verdict,
        reason: decision.reason.clone(),
        at_unix_ms: decision.decided_at_unix_ms,
    }
}

fn row(set: &wire::ChangeSetSummary) -> Row {
    Row {
        id: set.id.clone(),
        state: state(set.state()),
        author: set.author.clone(),
        reason: set.reason.clone(),
        written_at_unix_ms: set.written_at_unix_ms,
        add: set.added,
        change: set.changed,
        remove: set.removed,
        needs: set.needs,
        approvals: set.approvals,
        part: set.part.as_ref().map(|part| format!("{} of {}", part.number, part.of)),
        epoch: set.committed_epoch,
        revision: set.committed_revision,
    }
}

fn state(state: wire::ChangeSetState) -> &'static str {
    match state {
        wire::ChangeSetState::Unspecified => "unknown",
        wire::ChangeSetState::Proposed => "proposed",
        wire::ChangeSetState::Committed => "committed",
        wire::ChangeSetState::Refused => "refused",
        wire::ChangeSetState::Withdrawn => "withdrawn",
        wire::ChangeSetState::Overtaken => "overtaken",
    }
}

fn table(rows: &[Row], all: bool) -> String {
    if rows.is_empty() {
        return match all {
            true => "no change set was written in this time\n".into(),
            false => "no change set waits for approvals\n".into(),
        };
    }
    let header = ["CHANGE SET", "STATE", "APPROVALS", "BY", "WRITTEN", "+ ~ -", "PART", "REASON"];
    let mut columns = Columns::new(&header);
    let now_ms = now_ms();
    for row in rows {
        columns.row(&[
            row.id.clone(),
            row.state.into(),
            format!("{} of {}", row.approvals, row.needs),
            row.author.clone(),
            ago(row.written_at_unix_ms, now_ms),
            format!("{} {} {}", row.add, row.change, row.remove),
            row.part.clone().unwrap_or_default(),
            row.reason.clone(),
        ]);
    }
    columns.text()
}

fn decided_text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let Row { id, state, needs, approvals, epoch, revision, .. } = row;
        match *state {
            "committed" => format!("{id} is committed: revision {epoch}.{revision}\n"),
            "proposed" => format!("{id} has {approvals} of {needs} approvals\n"),
            other => format!("{id} is {other}\n"),
        }
    };
    rows.iter().map(line).collect()
}

fn sheet_text(sheet: &Sheet) -> String {
    let now_ms = now_ms();
    let written = ago(sheet.written_at_unix_ms, now_ms);
    let mut lines = vec![
        format!("change set {}", sheet.id),
        format!("  state     {}", printable(&state_text(sheet))),
        format!("  by        {}, {written}", printable(&sheet.author)),
        format!("  reason    {}", printable(&sheet.reason)),
        format!("  written   for revision {}.{}", sheet.base_epoch, sheet.base_revision),
    ];
    for Decided { operator, verdict, reason, at_unix_ms } in &sheet.decisions {
        let when = ago(*at_unix_ms, now_ms);
        lines.push(printable(&format!("  {verdict:<9} {operator}, {when} {reason}")));
    }
    let mut text = lines.join("\n") + "\n\n" + &text(&sheet.changes);
    if !sheet.overtaken_by.is_empty() && sheet.committed.is_none() {
        text += "\nno longer what its author saw:\n";
        for key in &sheet.overtaken_by {
            text += &format!("  {}\n", printable(key));
        }
        text += "the changes above are shown against what the registry holds now; its author \
                 applies again to make a new set\n";
    }
    text
}

fn state_text(sheet: &Sheet) -> String {
    let approvals = sheet.decisions.iter().filter(|made| made.verdict == "approve").count();
    match (sheet.state, sheet.committed) {
        (state, Some((epoch, revision))) => format!("{state}, revision {epoch}.{revision}"),
        ("proposed", None) => format!("proposed, {approvals} of {} approvals", sheet.needs),
        ("refused", None) => format!("refused: {}", sheet.refused_because),
        (state, None) => state.into(),
    }
}
