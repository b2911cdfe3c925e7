//! Committing: exactly once, even where answers are lost.
//!
//! Every commit puts a mark of its own, and has as a guard that the mark is absent. So a commit can
//! be sent again by whoever got no answer: it is made by one of the tries, and the mark says by
//! which revision. Where guards fail although an earlier try is still on its way, the mark is put
//! without the commit, and that try comes too late for ever. Marks go with a lease.

use super::Etcd;
use super::keys::ours;
use super::lease;
use super::rpc::compare::{CompareResult, CompareTarget, TargetUnion};
use super::rpc::{
    Compare, DeleteRangeRequest, KeyValue, Operation, Outcome, PutRequest, RangeRequest, RequestOp,
    ResponseOp, TxnRequest, TxnResponse,
};
use super::verdict::Refusal;
use crate::commit::{Commit, Guard, Write};
use crate::error::{CommitError, StoreError};
use crate::lease::LeaseId;
use crate::page::StoreRevision;

/// The value of a mark whose commit was made, and of one whose commit shall never be.
const MADE: &[u8] = b"made";
const VOID: &[u8] = b"void";

/// A lease of marks that ended early is replaced; one that ends at once again is no accident.
const LEASES_TRIED_MAX: usize = 3;

/// etcd's revision of an absent key; and one that no key has.
const ABSENT: i64 = 0;
const NEVER: i64 = -1;

/// What is known of a commit in the end.
enum Settled {
    Made(StoreRevision),
    NotMade,
    Unknown(StoreError),
}

pub(super) async fn commit(etcd: &Etcd, commit: &Commit) -> Result<StoreRevision, CommitError> {
    let mark = etcd.keys.mark(rand::random());
    let mut is_doubtful = false;
    for _ in 0..LEASES_TRIED_MAX {
        let lease = etcd.marks_lease.current(&etcd.members).await;
        let lease = lease.map_err(|error| unless_doubtful(is_doubtful, error))?;
        let attempt = Attempt { etcd, commit, mark: &mark, lease };
        let asked = etcd.members.ask(&attempt.request()).await;
        is_doubtful |= asked.is_doubtful;
        match asked.result {
            Ok(answer) => return attempt.judge(answer, is_doubtful).await,
            Err(Refusal::LeaseUnknown) => {
                let ended = attempt.ended_lease().await;
                let ended = ended.map_err(|error| unless_doubtful(is_doubtful, error))?;
                if let Some(lease) = ended {
                    let ended = StoreError::LeaseEnded { lease };
                    return attempt.refused(ended, is_doubtful).await;
                }
                etcd.marks_lease.forget(lease).await;
            }
            Err(Refusal::NoSpace) => return attempt.without_space(is_doubtful).await,
            Err(Refusal::Store(error @ StoreError::Unavailable { .. })) => {
                return Err(unless_doubtful(is_doubtful, error));
            }
            Err(refusal) => return attempt.refused(refusal.into_error(), is_doubtful).await,
        }
    }
    let check = "etcd ends leases as soon as it grants them; do its members' clocks run?";
    Err(unless_doubtful(is_doubtful, StoreError::Unavailable { check: check.into() }))
}

fn unless_doubtful(is_doubtful: bool, error: StoreError) -> CommitError {
    if is_doubtful {
        CommitError::OutcomeUnknown { check: error.to_string() }
    } else {
        CommitError::Store(error)
    }
}

/// A commit with its mark.
struct Attempt<'a> {
    etcd: &'a Etcd,
    commit: &'a Commit,
    mark: &'a bytes::Bytes,
    /// Of the mark.
    lease: LeaseId,
}

impl Attempt<'_> {
    fn request(&self) -> TxnRequest {
        let Self { etcd, commit, .. } = self;
        let guards = commit.guards().iter().map(|guard| {
            let revision = match guard {
                Guard::Absent(_) => ABSENT,
                Guard::Unchanged(_, revision) => {
                    i64::try_from(revision.0).ok().filter(|&at| at != ABSENT).unwrap_or(NEVER)
                }
            };
            is_at(etcd.keys.key(guard.key()), revision)
        });
        let writes = commit.writes().iter().map(|write| match write {
            Write::Put { key, value, lease } => Operation::RequestPut(PutRequest {
                key: etcd.keys.key(key),
                value: value.clone(),
                lease: lease.map_or(0, |lease| lease.0),
            }),
            Write::Delete { key } => {
                Operation::RequestDeleteRange(DeleteRangeRequest { key: etcd.keys.key(key) })
            }
        });
        // What is read when a guard fails: the mark first, then what is guarded, in that order.
        let keys = commit.guards().iter().map(|guard| etcd.keys.key(guard.key()));
        let reads = [self.mark.clone()].into_iter().chain(keys).map(read_key);
        TxnRequest {
            compare: guards.chain([is_at(self.mark.clone(), ABSENT)]).collect(),
            success: writes.chain([self.put_mark(MADE)]).map(operation).collect(),
            failure: reads.map(operation).collect(),
        }
    }

    fn put_mark(&self, value: &'static [u8]) -> Operation {
        let Self { mark, lease, .. } = self;
        Operation::RequestPut(PutRequest {
            key: (*mark).clone(),
            value: bytes::Bytes::from_static(value),
            lease: lease.0,
        })
    }

    async fn judge(
        &self,
        answer: TxnResponse,
        is_doubtful: bool,
    ) -> Result<StoreRevision, CommitError> {
        if answer.succeeded {
            return revision_of(&answer).map_err(CommitError::Store);
        }
        let mut found = answer.responses.iter().map(only_key);
        if let Some(mark) = found.next().flatten() {
            return Ok(ours(mark.mod_revision));
        }
        let guards = self.commit.guards().iter();
        let failed = guards.zip(found).find(|(guard, found)| !holds(guard, *found));
        let Some((guard, _)) = failed else {
            let check = "etcd refused a commit whose guards all hold".to_owned();
            return Err(StoreError::Foreign { check }.into());
        };
        let conflict = CommitError::Conflict { key: guard.key().clone() };
        if is_doubtful { self.not_later(conflict).await } else { Err(conflict) }
    }

    /// The commit was refused for a reason that says nothing of earlier tries.
    async fn refused(
        &self,
        error: StoreError,
        is_doubtful: bool,
    ) -> Result<StoreRevision, CommitError> {
        if is_doubtful { self.not_later(error.into()).await } else { Err(error.into()) }
    }

    /// `error`, once it is sure that no earlier try made the commit or can still make it.
    async fn not_later(&self, error: CommitError) -> Result<StoreRevision, CommitError> {
        match self.settle().await {
            Settled::Made(revision) => Ok(revision),
            Settled::NotMade => Err(error),
            Settled::Unknown(why) => Err(CommitError::OutcomeUnknown { check: why.to_string() }),
        }
    }

    /// Puts the mark without the commit, unless the mark is there.
    async fn settle(&self) -> Settled {
        let request = TxnRequest {
            compare: vec![is_at(self.mark.clone(), ABSENT)],
            success: vec![operation(self.put_mark(VOID))],
            failure: vec![operation(read_key(self.mark.clone()))],
        };
        match self.etcd.members.ask(&request).await.result {
            Ok(answer) if answer.succeeded => Settled::NotMade,
            Ok(answer) => match answer.responses.first().and_then(only_key) {
                Some(mark) if mark.value == MADE => Settled::Made(ours(mark.mod_revision)),
                // Void by an earlier try of this very call.
                _ => Settled::NotMade,
            },
            Err(refusal) => Settled::Unknown(refusal.into_error()),
        }
    }

    /// etcd may make a commit and then say that it has no space; reading tells. It takes no mark
    /// now, so that an earlier try cannot be kept from coming.
    async fn without_space(&self, is_doubtful: bool) -> Result<StoreRevision, CommitError> {
        let request = RangeRequest { key: self.mark.clone(), ..RangeRequest::default() };
        let full = Refusal::NoSpace.into_error();
        match self.etcd.members.ask(&request).await.result {
            Ok(answer) => match answer.kvs.first() {
                Some(mark) => Ok(ours(mark.mod_revision)),
                None => Err(unless_doubtful(is_doubtful, full)),
            },
            Err(_) => Err(CommitError::OutcomeUnknown { check: full.to_string() }),
        }
    }

    /// A lease of the commit's own that is over; `None` if it was the mark's.
    async fn ended_lease(&self) -> Result<Option<LeaseId>, StoreError> {
        let mut leases: Vec<LeaseId> = Vec::new();
        for write in self.commit.writes() {
            if let Write::Put { lease: Some(lease), .. } = write
                && !leases.contains(lease)
            {
                leases.push(*lease);
            }
        }
        for lease in leases {
            if !lease::is_alive(&self.etcd.members, lease).await? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }
}

fn operation(request: Operation) -> RequestOp {
    RequestOp { request: Some(request) }
}

/// Reads revisions, and of a mark its value too.
fn read_key(key: bytes::Bytes) -> Operation {
    Operation::RequestRange(RangeRequest { key, ..RangeRequest::default() })
}

fn is_at(key: bytes::Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Mod.into(),
        key,
        target_union: Some(TargetUnion::ModRevision(revision)),
    }
}

fn holds(guard: &Guard, found: Option<&KeyValue>) -> bool {
    let revision = found.map(|found| ours(found.mod_revision));
    match guard {
        Guard::Absent(_) => revision.is_none(),
        Guard::Unchanged(_, wanted) => revision == Some(*wanted),
    }
}

fn only_key(response: &ResponseOp) -> Option<&KeyValue> {
    match &response.response {
        Some(Outcome::ResponseRange(range)) => range.kvs.first(),
        _ => None,
    }
}

fn revision_of(answer: &TxnResponse) -> Result<StoreRevision, StoreError> {
    let header = answer.header.as_ref().map(|header| ours(header.revision));
    header.ok_or_else(|| StoreError::Foreign {
        check: "etcd answered a commit without its revision".into(),
    })
}
