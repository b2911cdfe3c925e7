//! What happens to one change set after the other: judged, kept, decided of, made.

use std::sync::Arc;

use bytes::Bytes;
use mesh_core::change_set::{
    ChangeSet, Decision, NotDecided, Rules, State, Verdict, WRITTEN_AHEAD_MS_MAX,
};
use mesh_core::id::OperatorId;
use mesh_core::reason::{Problem, Reason};
use mesh_node::Node;
use mesh_proto::malformed::Malformed;
use mesh_proto::registry::{Decide, read_body, write_change_set};
use mesh_proto::wire::registry::v1 as wire;
use mesh_registry::{digest, layout};
use mesh_rt::exit::sentence;
use mesh_rt::members::Members;
use mesh_store::{Commit, CommitError, Guard, Store, StoreError, StoreRevision, Write};
use prost::Message as _;
use tokio::sync::Mutex;
use tracing::{error, info};

use super::judge::Judged;
use super::made::Uncertain;
use crate::descriptions::Descriptions;

/// The registry's writing side. One change set at a time.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(super) node: Node,
    pub(super) store: Arc<dyn Store>,
    pub(super) rules: Rules,
    /// Whose officers sign agreements; without it no agreement is taken.
    pub(super) members: Option<Members>,
    pub(super) descriptions: Descriptions,
    /// Held from the look at what is there until the change is made.
    pub(super) standing: Arc<Mutex<Standing>>,
}

/// What the next commit begins with.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The last change of the registry's head in the store. Every commit guards it, so nobody else
    /// can have changed an object in between.
    pub(super) head_written: StoreRevision,
    /// A commit of which it is not known whether it was made.
    pub(super) uncertain: Option<Uncertain>,
}

/// A change set as the store has it, and the revision that guards it.
pub(super) struct Stored {
    pub(super) set: ChangeSet,
    pub(super) written: StoreRevision,
}

impl Desk {
    pub(crate) fn new(
        node: Node,
        store: Arc<dyn Store>,
        (rules, members): (Rules, Option<Members>),
        head_written: StoreRevision,
    ) -> Self {
        let standing = Arc::new(Mutex::new(Standing { head_written, uncertain: None }));
        let descriptions = Descriptions::new(node.clone(), Arc::clone(&store));
        Self { node, store, rules, members, descriptions, standing }
    }

    /// Reads what `author` proposes, and sees that it is the author's own.
    pub(super) fn read(&self, author: &OperatorId, bytes: &Bytes) -> Result<ChangeSet, Problem> {
        let body = read_body(bytes).map_err(|why| self.malformed(&why))?;
        if body.author != *author {
            let why = "is not the operator whose certificate the connection has";
            return Err(self.malformed(&Malformed::new("author", why)));
        }
        let now_ms = self.node.clock.unix_ms();
        if now_ms.saturating_add(WRITTEN_AHEAD_MS_MAX) < body.written_at_unix_ms {
            let why = "is later than the centre's clock; check the clock of the operator's machine";
            return Err(self.malformed(&Malformed::new("written_at_unix_ms", why)));
        }
        let sealed = digest::seal(&body);
        if sealed.bytes != *bytes {
            return Err(self.malformed(&Malformed::new("body", "is not in its shortest form")));
        }
        let needs = self.rules.needed(&body);
        let (id, sha256) = (sealed.id, sealed.sha256);
        Ok(ChangeSet { id, sha256, body, needs, decisions: Vec::new(), state: State::Proposed })
    }

    /// Judges `set` and keeps nothing.
    pub(super) async fn rehearse(&self, set: ChangeSet) -> Result<wire::ChangeSet, Problem> {
        // Of a later part nothing is known before the parts that it follows are made.
        let is_first = set.body.part.is_none_or(|part| part.follows.is_none());
        if is_first {
            self.judge(&set).await.map_err(|judged| self.refused(&set, &judged))?;
        }
        Ok(write_change_set(&set))
    }

    /// Takes a change set. One that is known already is told of again.
    pub(super) async fn submit(
        &self,
        standing: &mut Standing,
        set: ChangeSet,
    ) -> Result<wire::ChangeSet, Problem> {
        self.settle(standing).await?;
        let known = self.stored(&layout::change_set(&set.id)).await?;
        if let Some(Stored { set, written }) = known {
            let is_due = set.state == State::Proposed && set.lacks(&self.rules) == 0;
            if !is_due {
                return Ok(write_change_set(&set));
            }
            return self.make_stored(standing, set, written).await;
        }
        let waits = 0 < set.needs && !self.follows_made(&set).await?;
        if !waits {
            if set.needs == 0 {
                self.check_order(&set).await?;
            }
            match self.judge(&set).await {
                Ok(prepared) if set.needs == 0 => {
                    let guard = Guard::Absent(layout::change_set(&set.id));
                    return self.make(standing, set, guard, prepared).await;
                }
                Ok(_) => {}
                Err(judged) => return Err(self.keep_refused(set, judged).await?),
            }
        }
        let guard = Guard::Absent(layout::change_set(&set.id));
        self.keep(&set, guard).await?;
        let (id, author, needs) = (set.id, &set.body.author, set.needs);
        info!(change_set = %id, %author, needs, "change proposed");
        Ok(write_change_set(&set))
    }

    /// Takes a decision; the last approval makes the change.
    pub(super) async fn decide(
        &self,
        standing: &mut Standing,
        operator: OperatorId,
        decide: Decide,
    ) -> Result<wire::ChangeSet, Problem> {
        self.settle(standing).await?;
        let Decide { id, sha256, verdict, reason } = decide;
        let Some(Stored { mut set, written }) = self.stored(&layout::change_set(&id)).await? else {
            let detail = format!("the registry has no change set {id}");
            return Err(self.node.problem(Reason::ChangeSetUnknown, detail));
        };
        if set.sha256 != sha256 {
            let detail = "what was read is not what the registry has under this id: read it again";
            return Err(self.node.problem(Reason::ChangeSetClosed, detail));
        }
        let decided_at_unix_ms = self.node.clock.unix_ms();
        let decision = Decision { operator: operator.clone(), verdict, reason, decided_at_unix_ms };
        set.decide(decision).map_err(|why| self.not_decided(&why))?;
        info!(change_set = %id, %operator, verdict = ?verdict, "change set decided of");
        if verdict == Verdict::Approve && set.lacks(&self.rules) == 0 {
            return self.make_stored(standing, set, written).await;
        }
        self.keep(&set, Guard::Unchanged(layout::change_set(&id), written)).await?;
        Ok(write_change_set(&set))
    }

    /// Makes what is in the store as proposed, and has the approvals that it needs.
    async fn make_stored(
        &self,
        standing: &mut Standing,
        mut set: ChangeSet,
        written: StoreRevision,
    ) -> Result<wire::ChangeSet, Problem> {
        self.check_order(&set).await?;
        let guard = Guard::Unchanged(layout::change_set(&set.id), written);
        match self.judge(&set).await {
            Ok(prepared) => self.make(standing, set, guard, prepared).await,
            Err(judged) => {
                let problem = self.refused(&set, &judged);
                // What does not fit today may fit when another set was made; what its author saw
                // does not come back.
                if let Judged::Overtaken(keys) = judged {
                    set.state = State::Overtaken { keys };
                    self.keep(&set, guard).await?;
                }
                Err(problem)
            }
        }
    }

    /// Keeps a set that cannot be made, and answers why.
    async fn keep_refused(&self, mut set: ChangeSet, judged: Judged) -> Result<Problem, Problem> {
        let problem = self.refused(&set, &judged);
        set.state = match judged {
            Judged::Overtaken(keys) => State::Overtaken { keys },
            Judged::Unfit(why) | Judged::TooLarge(why) => State::Refused { why },
            // Nothing is known of the set yet; it may be sent again.
            Judged::Failed(problem) => return Err(problem),
        };
        self.keep(&set, Guard::Absent(layout::change_set(&set.id))).await?;
        Ok(problem)
    }

    /// Writes a change set that changes nothing else.
    async fn keep(&self, set: &ChangeSet, guard: Guard) -> Result<(), Problem> {
        let writes = self.record(set);
        let commit = Commit::new(vec![guard], writes.into())
            .map_err(|why| self.node.problem(Reason::ChangeSetTooLarge, why.to_string()))?;
        self.store.commit(commit).await.map(drop).map_err(|why| self.not_kept(&why))
    }

    /// The writes that record `set` as it is now.
    pub(super) fn record(&self, set: &ChangeSet) -> [Write; 2] {
        let open = layout::open(&set.id);
        [
            Write::put(layout::change_set(&set.id), write_change_set(set).encode_to_vec()),
            match set.state {
                State::Proposed => Write::put(open, ""),
                _ => Write::Delete { key: open },
            },
        ]
    }

    fn not_decided(&self, why: &NotDecided) -> Problem {
        let reason = match why {
            NotDecided::Closed(_) => Reason::ChangeSetClosed,
            NotDecided::ByItsAuthor
            | NotDecided::NotItsAuthor
            | NotDecided::Twice
            | NotDecided::TooMany => Reason::ApprovalRefused,
        };
        self.node.problem(reason, why.to_string())
    }

    pub(super) fn malformed(&self, why: &Malformed) -> Problem {
        let reason = match why.field {
            "body" | "object" if why.why.contains("limit") => Reason::ChangeSetTooLarge,
            _ => Reason::RequestMalformed,
        };
        self.node.problem(reason, why.to_string())
    }

    pub(super) fn not_kept(&self, why: &CommitError) -> Problem {
        if let CommitError::Store(StoreError::TooLarge { .. }) = why {
            return self.node.problem(Reason::ChangeSetTooLarge, why.to_string());
        }
        error!(cause = sentence(why), "the registry cannot keep a change");
        let detail = match why {
            CommitError::OutcomeUnknown { .. } => format!("{why}; read the change set again"),
            CommitError::Conflict { .. } => {
                format!("{why}: does a second centre write to the store of this one?")
            }
            CommitError::Store(_) => why.to_string(),
        };
        self.node.problem(Reason::RegistryUnavailable, detail)
    }

    pub(super) fn not_read(&self, why: &StoreError) -> Problem {
        error!(cause = sentence(why), "the registry cannot read its store");
        self.node.problem(Reason::RegistryUnavailable, why.to_string())
    }
}
