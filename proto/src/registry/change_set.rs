//! Change sets and decisions: messages to values and back.

use bytes::Bytes;
use mesh_core::change_set::{
    Action, Body, CHANGE_SET_BYTES_MAX, ChangeSet, ChangeSetId, DECISIONS_MAX, Decision,
    OBJECT_BYTES_MAX, PARTS_MAX, Part, Rules, State, Verdict, Written,
};
use mesh_core::directory::change::{CHANGES_MAX, Key};
use mesh_core::exchange::Digest;
use prost::Message as _;

use super::read_reason;
use crate::directory::{read_change, write_change};
use crate::malformed::{Malformed, at_most, digest, parse, parse_optional};
use crate::wire::directory::v1::change::Kind;
use crate::wire::registry::v1 as wire;

/// A decision that is asked for; the operator is known by the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decide {
    pub id: ChangeSetId,
    /// SHA-256 of the body that the operator has read.
    pub sha256: Digest,
    pub verdict: Verdict,
    pub reason: String,
}

/// Reads the body of a change set, whole or not at all.
pub fn read_body(bytes: &[u8]) -> Result<Body, Malformed> {
    at_most("body", bytes.len(), CHANGE_SET_BYTES_MAX)?;
    let body = wire::ChangeSetBody::decode(bytes).map_err(|why| Malformed::new("body", why))?;
    at_most("changes", body.changes.len(), CHANGES_MAX)?;
    if body.changes.is_empty() {
        return Err(Malformed::missing("changes"));
    }
    let changes: Vec<Written> =
        body.changes.into_iter().map(read_written).collect::<Result<_, _>>()?;
    let mut keys: Vec<Key> = changes.iter().map(|written| written.change.key()).collect();
    keys.sort();
    if let Some([twice, _]) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Malformed::new("changes", format!("{twice} is changed twice at once")));
    }
    Ok(Body {
        base: (body.base_epoch, body.base_revision),
        changes,
        author: parse("author", &body.author)?,
        reason: read_reason(body.reason)?,
        written_at_unix_ms: body.written_at_unix_ms,
        part: body.part.as_ref().map(read_part).transpose()?,
    })
}

/// The bytes that [`read_body`] reads as `body`.
pub fn write_body(body: &Body) -> Bytes {
    let (base_epoch, base_revision) = body.base;
    let changes = body.changes.iter().map(|written| wire::WrittenChange {
        change: Some(write_change(&written.change)),
        was: written.was.map_or(Bytes::new(), |Digest(bytes)| Bytes::copy_from_slice(&bytes)),
    });
    let body = wire::ChangeSetBody {
        base_epoch,
        base_revision,
        changes: changes.collect(),
        author: body.author.to_string(),
        reason: body.reason.clone(),
        written_at_unix_ms: body.written_at_unix_ms,
        part: body.part.map(write_part),
    };
    body.encode_to_vec().into()
}

/// Reads a change set. `sha256` is that of its body, which the caller computes.
pub fn read_change_set(set: wire::ChangeSet, sha256: Digest) -> Result<ChangeSet, Malformed> {
    let body = read_body(&set.body)?;
    let id: ChangeSetId = parse("id", &set.id)?;
    if id != ChangeSetId::new(body.written_at_unix_ms, &sha256) {
        return Err(Malformed::new("id", "is not that of the body"));
    }
    at_most("decisions", set.decisions.len(), DECISIONS_MAX)?;
    let state = read_state(&set)?;
    let needs = u8::try_from(set.needs).map_err(|why| Malformed::new("needs", why))?;
    let decisions = set.decisions.into_iter().map(read_decision).collect::<Result<_, _>>()?;
    Ok(ChangeSet { id, sha256, body, needs, decisions, state })
}

/// The message that [`read_change_set`] reads as `set`.
pub fn write_change_set(set: &ChangeSet) -> wire::ChangeSet {
    let mut message = wire::ChangeSet {
        id: set.id.to_string(),
        body: write_body(&set.body),
        needs: set.needs.into(),
        decisions: set.decisions.iter().map(write_decision).collect(),
        state: write_state(&set.state).into(),
        ..wire::ChangeSet::default()
    };
    match &set.state {
        State::Committed { epoch, revision, at_unix_ms } => {
            message.committed_epoch = *epoch;
            message.committed_revision = *revision;
            message.committed_at_unix_ms = *at_unix_ms;
        }
        State::Refused { why } => message.refused_because.clone_from(why),
        State::Overtaken { keys } => {
            message.overtaken_by = keys.iter().map(ToString::to_string).collect();
        }
        State::Proposed | State::Withdrawn => {}
    }
    message
}

/// What a list tells of `set`; by `rules` it needs so many approvals today.
pub fn write_summary(set: &ChangeSet, rules: &Rules) -> wire::ChangeSetSummary {
    let count = |action| {
        let changes = set.body.changes.iter().filter(|written| written.action() == action);
        changes.count() as u32
    };
    let (committed_epoch, committed_revision) = match set.state {
        State::Committed { epoch, revision, .. } => (epoch, revision),
        _ => (0, 0),
    };
    wire::ChangeSetSummary {
        id: set.id.to_string(),
        author: set.body.author.to_string(),
        reason: set.body.reason.clone(),
        written_at_unix_ms: set.body.written_at_unix_ms,
        state: write_state(&set.state).into(),
        added: count(Action::Add),
        changed: count(Action::Change),
        removed: count(Action::Remove),
        needs: set.needs.max(rules.needed(&set.body)).into(),
        approvals: set.approvals() as u32,
        committed_epoch,
        committed_revision,
        part: set.body.part.map(write_part),
    }
}

/// Reads a decision that is asked for, whole or not at all.
pub fn read_decide(request: wire::DecideRequest) -> Result<Decide, Malformed> {
    Ok(Decide {
        id: parse("id", &request.id)?,
        sha256: digest("body_sha256", &request.body_sha256)?,
        verdict: read_verdict(request.verdict)?,
        reason: read_reason(request.reason)?,
    })
}

/// The message that [`read_decide`] reads as `decide`.
pub fn write_decide(decide: &Decide) -> wire::DecideRequest {
    wire::DecideRequest {
        id: decide.id.to_string(),
        body_sha256: Bytes::copy_from_slice(&decide.sha256.0),
        verdict: write_verdict(decide.verdict).into(),
        reason: decide.reason.clone(),
    }
}

fn read_written(written: wire::WrittenChange) -> Result<Written, Malformed> {
    let change = written.change.ok_or(Malformed::missing("change"))?;
    if let Some(Kind::Put(object)) = &change.kind {
        at_most("object", object.encoded_len(), OBJECT_BYTES_MAX)?;
    }
    let was = if written.was.is_empty() { None } else { Some(digest("was", &written.was)?) };
    Ok(Written { change: read_change(change)?, was })
}

fn read_part(part: &wire::Part) -> Result<Part, Malformed> {
    let wire::Part { number, of, follows } = part;
    if !(1..=PARTS_MAX).contains(of) || !(1..=*of).contains(number) {
        let why = format!("is {number} of {of}, want 1 to {PARTS_MAX}");
        return Err(Malformed::new("part", why));
    }
    let follows = parse_optional("part.follows", follows)?;
    if follows.is_some() == (*number == 1) {
        return Err(Malformed::new("part.follows", "is the part before, which the first has not"));
    }
    Ok(Part { number: *number, of: *of, follows })
}

fn write_part(part: Part) -> wire::Part {
    let follows = part.follows.map_or(String::new(), |id| id.to_string());
    wire::Part { number: part.number, of: part.of, follows }
}

fn read_state(set: &wire::ChangeSet) -> Result<State, Malformed> {
    let state = wire::ChangeSetState::try_from(set.state);
    Ok(match state.map_err(|why| Malformed::new("state", why))? {
        wire::ChangeSetState::Unspecified => return Err(Malformed::missing("state")),
        wire::ChangeSetState::Proposed => State::Proposed,
        wire::ChangeSetState::Committed => State::Committed {
            epoch: set.committed_epoch,
            revision: set.committed_revision,
            at_unix_ms: set.committed_at_unix_ms,
        },
        wire::ChangeSetState::Refused => State::Refused { why: set.refused_because.clone() },
        wire::ChangeSetState::Withdrawn => State::Withdrawn,
        wire::ChangeSetState::Overtaken => {
            let keys = set.overtaken_by.iter().map(|key| parse("overtaken_by", key));
            State::Overtaken { keys: keys.collect::<Result<_, _>>()? }
        }
    })
}

pub fn write_state(state: &State) -> wire::ChangeSetState {
    match state {
        State::Proposed => wire::ChangeSetState::Proposed,
        State::Committed { .. } => wire::ChangeSetState::Committed,
        State::Refused { .. } => wire::ChangeSetState::Refused,
        State::Withdrawn => wire::ChangeSetState::Withdrawn,
        State::Overtaken { .. } => wire::ChangeSetState::Overtaken,
    }
}

fn read_decision(decision: wire::Decision) -> Result<Decision, Malformed> {
    Ok(Decision {
        operator: parse("decision.operator", &decision.operator)?,
        verdict: read_verdict(decision.verdict)?,
        reason: read_reason(decision.reason)?,
        decided_at_unix_ms: decision.decided_at_unix_ms,
    })
}

fn write_decision(decision: &Decision) -> wire::Decision {
    wire::Decision {
        operator: decision.operator.to_string(),
        verdict: write_verdict(decision.verdict).into(),
        reason: decision.reason.clone(),
        decided_at_unix_ms: decision.decided_at_unix_ms,
    }
}

fn read_verdict(verdict: i32) -> Result<Verdict, Malformed> {
    match wire::Verdict::try_from(verdict) {
        Ok(wire::Verdict::Approve) => Ok(Verdict::Approve),
        Ok(wire::Verdict::Reject) => Ok(Verdict::Reject),
        Ok(wire::Verdict::Withdraw) => Ok(Verdict::Withdraw),
        Ok(wire::Verdict::Unspecified) => Err(Malformed::missing("verdict")),
        Err(_) => Err(Malformed::new("verdict", format!("{verdict} is no verdict"))),
    }
}

pub fn write_verdict(verdict: Verdict) -> wire::Verdict {
    match verdict {
        Verdict::Approve => wire::Verdict::Approve,
        Verdict::Reject => wire::Verdict::Reject,
        Verdict::Withdraw => wire::Verdict::Withdraw,
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::change::{Change, Object};
    use mesh_core::directory::{Agency, Cluster};
    use mesh_core::limits::DETAIL_BYTES_MAX;

    use super::*;

    fn body() -> Body {
        let cluster = Cluster {
            id: "health".parse().unwrap(),
            name_fa: "سلامت".into(),
            name_en: "Health".into(),
            hub: true,
            intra_cluster: Default::default(),
        };
        let removed = Change::Remove("agency/ir/gov/tax".parse().unwrap());
        Body {
            base: (1, 7),
            changes: vec![
                Written { change: Change::Put(Object::Cluster(cluster)), was: None },
                Written { change: removed, was: Some(Digest([3; 32])) },
            ],
            author: "sara".parse().unwrap(),
            reason: "the cluster has moved".into(),
            written_at_unix_ms: 1_795_000_000_000,
            part: Some(Part { number: 2, of: 3, follows: Some(ChangeSetId::first_at(5)) }),
        }
    }

    fn set(state: State) -> ChangeSet {
        let (body, sha256) = (body(), Digest([9; 32]));
        let decision = Decision {
            operator: "omid".parse().unwrap(),
            verdict: Verdict::Approve,
            reason: "seen".into(),
            decided_at_unix_ms: 9,
        };
        let id = ChangeSetId::new(body.written_at_unix_ms, &sha256);
        ChangeSet { id, sha256, body, needs: 1, decisions: vec![decision], state }
    }

    #[test]
    fn a_change_set_reads_as_it_was_written() {
        let states = [
            State::Proposed,
            State::Committed { epoch: 1, revision: 8, at_unix_ms: 7 },
            State::Refused { why: "rejected by omid".into() },
            State::Withdrawn,
            State::Overtaken { keys: vec!["cluster/health".parse().unwrap()] },
        ];
        for state in states {
            let set = set(state);
            assert_eq!(read_change_set(write_change_set(&set), set.sha256), Ok(set));
        }
        let foreign = read_change_set(write_change_set(&set(State::Withdrawn)), Digest([1; 32]));
        assert_eq!(foreign.unwrap_err().field, "id");
    }

    #[test]
    fn a_summary_counts() {
        let rules = Rules::default();
        let summary = write_summary(&set(State::Proposed), &rules);
        let counts = (summary.added, summary.changed, summary.removed);
        assert_eq!((counts, summary.needs, summary.approvals), ((1, 0, 1), 1, 1));
    }

    #[test]
    fn a_body_is_read_whole_or_not_at_all() {
        type Wrong = fn(&mut wire::ChangeSetBody);
        let cases: &[(&str, Wrong)] = &[
            ("changes", |b| b.changes.clear()),
            ("changes", |b| b.changes = vec![b.changes[0].clone(); CHANGES_MAX + 1]),
            ("changes", |b| b.changes = vec![b.changes[0].clone(); 2]),
            ("change", |b| b.changes[0].change = None),
            ("was", |b| b.changes[1].was = Bytes::from_static(&[1; 31])),
            ("author", |b| b.author = "Sara".into()),
            ("reason", |b| b.reason = "x".repeat(DETAIL_BYTES_MAX + 1)),
            ("reason", |b| b.reason = "a\nb".into()),
            ("part", |b| b.part.as_mut().unwrap().number = 0),
            ("part", |b| b.part.as_mut().unwrap().number = 4),
            ("part.follows", |b| b.part.as_mut().unwrap().number = 1),
            ("part.follows", |b| b.part.as_mut().unwrap().follows.clear()),
        ];
        assert_eq!(read_body(&write_body(&body())), Ok(body()));
        for (field, change) in cases {
            let mut wrong = wire::ChangeSetBody::decode(write_body(&body())).unwrap();
            change(&mut wrong);
            assert_eq!(read_body(&wrong.encode_to_vec()).unwrap_err().field, *field);
        }
        assert!(read_body(&[0; CHANGE_SET_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn an_object_has_a_largest_size() {
        let mut large = body();
        large.changes[0].change = Change::Put(Object::Agency(Agency {
            address: "ir/gov/tax".parse().unwrap(),
            name_fa: String::new(),
            name_en: "x".repeat(OBJECT_BYTES_MAX),
        }));
        large.changes.truncate(1);
        assert_eq!(read_body(&write_body(&large)).unwrap_err().field, "object");
    }

    #[test]
    fn a_decision_reads_as_it_was_written() {
        for verdict in [Verdict::Approve, Verdict::Reject, Verdict::Withdraw] {
            let (id, sha256) = (ChangeSetId::first_at(7), Digest([1; 32]));
            let decide = Decide { id, sha256, verdict, reason: "seen".into() };
            assert_eq!(read_decide(write_decide(&decide)), Ok(decide));
        }
        let none = wire::DecideRequest::default();
        assert_eq!(read_decide(none).unwrap_err().field, "id");
    }
}
