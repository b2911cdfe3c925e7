//! Change sets: what an operator wants changed, against what it was written, who decided of it, and
//! what came of it. Every change of the registry is one, and those that were refused are kept too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::rules::{ParseRulesError, Rules};
use crate::directory::change::{Change, Key, ObjectKind};
use crate::exchange::Digest;
use crate::id::OperatorId;

mod rules;

/// Bytes of the encoding of one change set at most. A commit writes its objects, its log record and
/// the set itself, and all of them fit into one commit of the store.
pub const CHANGE_SET_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the encoding of one object at most.
pub const OBJECT_BYTES_MAX: usize = 8 * 1024;

/// Operators who may decide of one change set.
pub const DECISIONS_MAX: usize = 16;

/// Parts that one sequence of change sets may have.
pub const PARTS_MAX: u32 = 10_000;

/// How far ahead of the centre's clock a change set may have been written.
pub const WRITTEN_AHEAD_MS_MAX: u64 = 5 * 60 * 1000;

/// Bytes of the hash in an id.
const ID_HASH_BYTES: usize = 10;

/// A time that fits into an id: 48 bits, as in a version 7 UUID (RFC 9562 §5.7).
const ID_TIME_MAX: u64 = (1 << 48) - 1;

/// Names one change set: when it was written, then the beginning of the hash of what it says. So
/// its author knows it before it is sent, and ids are in the order in which they were written.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChangeSetId {
    written_at_unix_ms: u64,
    hash: [u8; ID_HASH_BYTES],
}

/// Text that is no id of a change set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a change set's id is 12 hexadecimal digits, '-' and 20 more, in lower case")]
pub struct ParseChangeSetIdError;

/// A change, beside the object that its author saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    pub change: Change,
    /// Digest of the object as it was; `None` where there was none.
    pub was: Option<Digest>,
}

/// What a change does to its object.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Add,
    Change,
    Remove,
}

/// What the author of a change set says. It never changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body {
    /// Where the registry stood when it was written, for people: what counts is each object.
    pub base: (u64, u64),
    pub changes: Vec<Written>,
    pub author: OperatorId,
    /// A sentence for those who approve, and for the record; may be empty.
    pub reason: String,
    pub written_at_unix_ms: u64,
    pub part: Option<Part>,
}

/// The place of a change set in a sequence that is too large for one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// 1 to `of`.
    pub number: u32,
    pub of: u32,
    /// The part before, which must be committed first; `None` for the first.
    pub follows: Option<ChangeSetId>,
}

/// What an operator makes of a change set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Approve,
    Reject,
    /// By its author alone.
    Withdraw,
}

/// Who decided what, when, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    pub operator: OperatorId,
    pub verdict: Verdict,
    /// A sentence; may be empty.
    pub reason: String,
    pub decided_at_unix_ms: u64,
}

/// What came of a change set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// It waits for approvals.
    Proposed,
    /// It is part of the registry from this revision on.
    Committed { epoch: u64, revision: u64, at_unix_ms: u64 },
    /// By an operator, or because the objects would not fit together.
    Refused { why: String },
    /// By its author.
    Withdrawn,
    /// These objects are no longer what its author saw.
    Overtaken { keys: Vec<Key> },
}

/// A change set with all that happened to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeSet {
    pub id: ChangeSetId,
    /// SHA-256 of the encoding of its body: what was approved, to the byte.
    pub sha256: Digest,
    pub body: Body,
    /// Approvals that the rules wanted when it was proposed.
    pub needs: u8,
    /// In the order in which they were made, one of each operator.
    pub decisions: Vec<Decision>,
    pub state: State,
}

/// A decision that does not count, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotDecided {
    #[error("it is {0} already")]
    Closed(&'static str),
    #[error("its author cannot approve or reject it; withdraw it instead")]
    ByItsAuthor,
    #[error("only its author can withdraw it")]
    NotItsAuthor,
    #[error("this operator has decided of it already")]
    Twice,
    #[error("{DECISIONS_MAX} operators have decided of it, which is the limit")]
    TooMany,
}

impl ChangeSet {
    /// Takes `decision`. One rejection refuses the set; approvals add up.
    pub fn decide(&mut self, decision: Decision) -> Result<(), NotDecided> {
        if self.state != State::Proposed {
            return Err(NotDecided::Closed(self.state.name()));
        }
        let by_its_author = decision.operator == self.body.author;
        match decision.verdict {
            Verdict::Approve | Verdict::Reject if by_its_author => {
                return Err(NotDecided::ByItsAuthor);
            }
            Verdict::Withdraw if !by_its_author => return Err(NotDecided::NotItsAuthor),
            Verdict::Approve | Verdict::Reject | Verdict::Withdraw => {}
        }
        if self.decisions.iter().any(|earlier| earlier.operator == decision.operator) {
            return Err(NotDecided::Twice);
        }
        if DECISIONS_MAX <= self.decisions.len() {
            return Err(NotDecided::TooMany);
        }
        match decision.verdict {
            Verdict::Approve => {}
            Verdict::Reject => {
                let why = format!("rejected by {}", decision.operator);
                self.state = State::Refused { why };
            }
            Verdict::Withdraw => self.state = State::Withdrawn,
        }
        self.decisions.push(decision);
        Ok(())
    }

    pub fn approvals(&self) -> usize {
        self.decisions.iter().filter(|decision| decision.verdict == Verdict::Approve).count()
    }

    /// Approvals that it still lacks by the rules of today; those of the day on which it was
    /// proposed hold too.
    pub fn lacks(&self, rules: &Rules) -> usize {
        let needs = self.needs.max(rules.needed(&self.body));
        usize::from(needs).saturating_sub(self.approvals())
    }
}

impl Body {
    /// The objects that are no longer what the author saw. `now` tells the digest of the object
    /// with this key as it is.
    pub fn overtaken(&self, now: impl Fn(&Key) -> Option<Digest>) -> Vec<Key> {
        let keys = self.changes.iter().map(|written| (written.change.key(), written.was));
        keys.filter(|(key, was)| now(key) != *was).map(|(key, _)| key).collect()
    }
}

impl Written {
    pub fn action(&self) -> Action {
        match (&self.change, self.was) {
            (Change::Remove(_), _) => Action::Remove,
            (Change::Put(_), None) => Action::Add,
            (Change::Put(_), Some(_)) => Action::Change,
        }
    }

    pub fn kind(&self) -> ObjectKind {
        self.change.key().kind()
    }
}

impl State {
    /// Its word, such as `proposed`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Committed { .. } => "committed",
            Self::Refused { .. } => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Overtaken { .. } => "overtaken",
        }
    }
}

impl ChangeSetId {
    /// The id of a change set that was written at this time and whose body has this SHA-256.
    pub fn new(written_at_unix_ms: u64, sha256: &Digest) -> Self {
        let mut hash = [0; ID_HASH_BYTES];
        hash.copy_from_slice(&sha256.0[..ID_HASH_BYTES]);
        Self { written_at_unix_ms: written_at_unix_ms.min(ID_TIME_MAX), hash }
    }

    pub fn written_at_unix_ms(&self) -> u64 {
        self.written_at_unix_ms
    }

    /// What the ids of all sets that were written at this time or later are not before.
    pub fn first_at(written_at_unix_ms: u64) -> Self {
        Self::new(written_at_unix_ms, &Digest([0; 32]))
    }
}

impl fmt::Display for ChangeSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}-", self.written_at_unix_ms)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ChangeSetId {
    type Err = ParseChangeSetIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (time, rest) = text.split_once('-').ok_or(ParseChangeSetIdError)?;
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let fits = time.len() == 12 && rest.len() == 2 * ID_HASH_BYTES;
        if !fits || !time.bytes().chain(rest.bytes()).all(hex) {
            return Err(ParseChangeSetIdError);
        }
        let mut hash = [0; ID_HASH_BYTES];
        for (index, byte) in hash.iter_mut().enumerate() {
            let digits = &rest[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ParseChangeSetIdError)?;
        }
        let written = u64::from_str_radix(time, 16).map_err(|_| ParseChangeSetIdError)?;
        Ok(Self { written_at_unix_ms: written, hash })
    }
}

#[cfg(test)]
mod tests;
