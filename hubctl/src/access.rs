//! `hubctl access check`: may a consumer use an operation, and if not, which rule says so, who can
//! mend it, and since when. Asked at the centre, or at each `--node`.

use std::fmt::Write as _;

use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::id::{OperationId, PurposeId};
use mesh_core::node::NodeName;
use mesh_core::time::UnixMs;
use mesh_proto::catalogue::AccessQuestion;
use mesh_proto::wire::catalogue::v1::check_access_response::Verdict;
use mesh_proto::wire::catalogue::v1::{Allowed, CheckAccessResponse, Stopped};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use crate::client::{AskError, ask_all, clients};
use crate::config::Config;
use crate::output::{Format, Told, printable};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Access {
    /// Say whether CONSUMER may use OPERATION of SERVICE; if not, the first rule that refuses
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The system that asks, such as ir/com/counter-1021/desk
    consumer: SystemAddress,
    /// The service with its version, such as ir/gov/civil-registration/persons/identity.v1
    service: ServiceAddress,
    /// The operation, such as getPerson
    operation: OperationId,
    /// What the data is asked for, such as licence-issue
    #[arg(long)]
    purpose: PurposeId,
}

/// What one node says.
#[derive(Debug, Serialize)]
struct Answer {
    node: String,
    allowed: bool,
    /// Where its directory stands.
    epoch: u64,
    revision: u64,
    #[serde(flatten)]
    verdict: Says,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Says {
    Allowed {
        agreement: String,
        state: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        retires_at: Option<UnixMs>,
        way: Vec<String>,
    },
    Stopped {
        rule: String,
        reason: String,
        hop: String,
        detail: String,
        mender: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<UnixMs>,
        /// Whom to ask: the agency, and what its service card names.
        contacts: Vec<String>,
    },
}

/// Somebody says no.
#[derive(Debug, thiserror::Error)]
#[error("{refusing} of {asked} nodes would refuse it")]
struct Denied {
    refusing: usize,
    asked: usize,
}

/// An answer without a verdict.
#[derive(Debug, thiserror::Error)]
#[error("{0}: its answer holds no verdict; check that its version fits this program")]
struct NoVerdict(String);

pub(crate) async fn check(
    config: &Config,
    nodes: &[String],
    args: CheckArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let CheckArgs { consumer, service, operation, purpose } = args;
    let question = AccessQuestion { consumer, service, operation, purpose };
    let centre = [NodeName::Centre.to_string()];
    let nodes = if nodes.is_empty() { &centre } else { nodes };
    let clients = clients(config, nodes).map_err(CmdError::usage)?;
    let answers = ask_all(&clients, async |client| client.check_access(&question).await).await;
    let asked = clients.iter().map(|client| client.node().to_string()).zip(answers);
    let answers = asked.map(|(node, answer)| read(node, answer));
    let answers: Vec<Answer> = answers.collect::<Result<_, _>>()?;
    let refusing = answers.iter().filter(|answer| !answer.allowed).count();
    let mut told = Told::new(format, &answers, |answers| text(answers));
    if refusing != 0 {
        told.complaint = Some(CmdError::failure(Denied { refusing, asked: answers.len() }));
    }
    Ok(told)
}

fn read(node: String, answer: Result<CheckAccessResponse, AskError>) -> Result<Answer, CmdError> {
    let answer = answer.map_err(CmdError::failure)?;
    let position = answer.directory.unwrap_or_default();
    let (allowed, verdict) = match answer.verdict {
        Some(Verdict::Allowed(allowed)) => (true, read_allowed(allowed)),
        Some(Verdict::Stopped(stopped)) => (false, read_stopped(stopped)),
        None => return Err(CmdError::failure(NoVerdict(node))),
    };
    let (epoch, revision) = (position.epoch, position.revision);
    Ok(Answer { node, allowed, epoch, revision, verdict })
}

fn read_allowed(allowed: Allowed) -> Says {
    let Allowed { agreement, state, retire_at_unix_ms, way } = allowed;
    Says::Allowed { agreement, state, retires_at: moment(retire_at_unix_ms), way }
}

fn read_stopped(stopped: Stopped) -> Says {
    let agency = stopped
        .agency
        .map(|agency| format!("{} ({}), {}", agency.name_en, agency.name_fa, agency.address));
    let contacts = stopped.contacts.into_iter().map(|contact| {
        let reach = [contact.phone, contact.email].into_iter().filter(|text| !text.is_empty());
        format!("{}: {}", contact.role, reach.collect::<Vec<_>>().join(", "))
    });
    Says::Stopped {
        rule: stopped.rule,
        reason: stopped.reason,
        hop: stopped.hop,
        detail: stopped.detail,
        mender: stopped.mender,
        since: moment(stopped.since_unix_ms),
        contacts: agency.into_iter().chain(contacts).collect(),
    }
}

fn moment(unix_ms: u64) -> Option<UnixMs> {
    (unix_ms != 0).then_some(UnixMs(unix_ms))
}

fn text(answers: &[Answer]) -> String {
    let mut text = String::new();
    for Answer { node, epoch, revision, verdict, .. } in answers {
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {name:<10}  {}", printable(value));
        };
        match verdict {
            Says::Allowed { agreement, state, retires_at, way } => {
                line("verdict", "allow");
                line("agreement", agreement);
                line("service", state);
                if let Some(at) = retires_at {
                    line("retires", &at.to_string());
                }
                line("way", &way.join(" → "));
            }
            Says::Stopped { rule, reason, hop, detail, mender, since, contacts } => {
                line("verdict", &format!("refuse, {reason} at {hop}"));
                line("rule", rule);
                line("because", detail);
                if let Some(since) = since {
                    line("since", &since.to_string());
                }
                line("mender", mender);
                contacts.iter().for_each(|contact| line("ask", contact));
            }
        }
        line("asked", &format!("{node}, directory {epoch}.{revision}"));
    }
    text
}
