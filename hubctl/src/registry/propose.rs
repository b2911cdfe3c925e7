//! Proposing changes: as change sets, part after part, and never twice. An answer that was lost is
//! found by the id that a change set has before it is sent.

use std::time::Duration;

use mesh_core::change_set::{Body, ChangeSet, ChangeSetId, Part, State, Written};
use mesh_core::directory::change::{ByKey, Change};
use mesh_core::directory::history::Head;
use mesh_core::id::OperatorId;
use mesh_core::reason::Reason;
use mesh_proto::wire::registry::v1 as wire;
use mesh_registry::digest::{Sealed, of_object, seal, unseal};
use mesh_rt::exit::CmdError;
use tokio::time::sleep;

use super::Registry;
use super::parts::parts;
use crate::client::{AskError, NodeClient, Unanswered};

/// How often one change set is sent, or looked for, before `hubctl` gives up.
const TRIES_MAX: u32 = 5;

/// Between two tries.
const TRY_PAUSE: Duration = Duration::from_millis(1000);

/// Changes as an operator proposes them.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// Where the registry stood, and what it held.
    base: Head,
    have: ByKey,
    parts: Vec<Vec<Change>>,
    author: OperatorId,
    reason: String,
}

/// What came of a proposal, part by part, as far as it went.
#[derive(Debug)]
pub(crate) struct Proposed {
    pub(crate) sets: Vec<ChangeSet>,
    pub(crate) parts: usize,
    /// Why it went no further.
    pub(crate) stopped: Option<AskError>,
    /// The set at which it stopped.
    pub(crate) stopped_at: Option<ChangeSetId>,
}

/// Who is asked as nobody in particular cannot change anything.
#[derive(Debug, thiserror::Error)]
#[error("{0}: changes are written by operators; name a certificate in the section [operator]")]
struct NoOperator(Box<mesh_core::node::NodeName>);

impl Proposal {
    /// `changes` of `registry`, split where they are too many for one change set.
    pub(crate) fn new(
        centre: &NodeClient,
        registry: &Registry,
        changes: Vec<Change>,
        reason: &str,
    ) -> Result<Self, CmdError> {
        let author = centre.operator().cloned();
        let author =
            author.ok_or_else(|| CmdError::usage(NoOperator(Box::new(centre.node().clone()))))?;
        let parts = parts(&registry.mesh, &registry.objects, changes).map_err(CmdError::usage)?;
        let (base, have, reason) = (registry.head, registry.objects.clone(), reason.into());
        Ok(Self { base, have, parts, author, reason })
    }

    /// Sends part after part. With `dry_run` the centre judges each, and keeps none.
    pub(crate) async fn send(self, centre: &NodeClient, now_ms: u64, dry_run: bool) -> Proposed {
        let parts = self.parts.len();
        let mut proposed = Proposed { sets: Vec::new(), parts, stopped: None, stopped_at: None };
        for (index, changes) in self.parts.iter().enumerate() {
            let follows = proposed.sets.last().map(|set| set.id);
            let part =
                (1 < parts).then_some(Part { number: index as u32 + 1, of: parts as u32, follows });
            let sealed = seal(&self.body(changes, part, now_ms));
            let id = sealed.id;
            let answer = send(centre, sealed, dry_run).await;
            match answer.and_then(|set| taken(centre, set)) {
                Ok(set) => proposed.sets.push(set),
                Err(why) => {
                    proposed.stopped = Some(why);
                    proposed.stopped_at = Some(id);
                    break;
                }
            }
        }
        proposed
    }

    fn body(&self, changes: &[Change], part: Option<Part>, now_ms: u64) -> Body {
        let written = changes.iter().map(|change| Written {
            change: change.clone(),
            was: self.have.get(&change.key()).map(of_object),
        });
        Body {
            base: (self.base.epoch, self.base.revision),
            changes: written.collect(),
            author: self.author.clone(),
            reason: self.reason.clone(),
            written_at_unix_ms: now_ms,
            part,
        }
    }
}

/// A set that came back closed was decided of between two tries.
fn taken(centre: &NodeClient, set: ChangeSet) -> Result<ChangeSet, AskError> {
    match set.state {
        State::Proposed | State::Committed { .. } => Ok(set),
        State::Refused { .. } | State::Withdrawn | State::Overtaken { .. } => {
            let why = format!("change set {} is {} by now", set.id, set.state.name());
            Err(centre.unanswered(Unanswered::Malformed { why }))
        }
    }
}

/// Sends one change set until it is known what came of it.
async fn send(centre: &NodeClient, sealed: Sealed, dry_run: bool) -> Result<ChangeSet, AskError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let request = wire::SubmitRequest { body: sealed.bytes.clone(), dry_run };
        let why = match centre.submit(request).await {
            Ok(set) => return read(centre, set),
            Err(why) if may_pass(&why) && tries < TRIES_MAX => why,
            Err(why) => return Err(why),
        };
        sleep(TRY_PAUSE).await;
        // Its answer may have been lost; then it is there. The same again is never a second one.
        if !dry_run && !matches!(why.reason, Unanswered::Refused(_)) {
            let request = wire::GetChangeSetRequest { id: sealed.id.to_string() };
            if let Ok(set) = centre.change_set(request).await {
                let set = read(centre, set)?;
                if set.state != State::Proposed || 0 < set.needs {
                    return Ok(set);
                }
            }
        }
    }
}

/// Does it help to try again?
fn may_pass(why: &AskError) -> bool {
    match &why.reason {
        Unanswered::Refused(problem) => matches!(
            problem.reason,
            Reason::AdminRateLimited | Reason::Overloaded | Reason::RegistryUnavailable
        ),
        Unanswered::BrokeOff { .. } | Unanswered::Silent { .. } => true,
        Unanswered::Unreachable { .. }
        | Unanswered::Handshake { .. }
        | Unanswered::Status { .. }
        | Unanswered::OtherNode { .. }
        | Unanswered::Malformed { .. } => false,
    }
}

/// A change set as the centre answered it.
pub(crate) fn read(centre: &NodeClient, set: wire::ChangeSet) -> Result<ChangeSet, AskError> {
    unseal(set).map_err(|why| {
        centre.unanswered(Unanswered::Malformed { why: format!("change set: {why}") })
    })
}
