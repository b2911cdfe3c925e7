//! Writing: changes that are made together or not at all, and what must be the case for that.

use std::collections::HashSet;

use bytes::Bytes;

use crate::key::StoreKey;
use crate::lease::LeaseId;
use crate::page::StoreRevision;

/// Guards of one commit, at most.
pub const GUARDS_MAX: usize = 100;

/// Writes of one commit, at most.
pub const WRITES_MAX: usize = 100;

/// Bytes of one commit's keys and values, its guards' keys among them. No value has another limit.
pub const COMMIT_BYTES_MAX: usize = 1024 * 1024;

/// What must be the case when a commit is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Guard {
    /// The store holds nothing under this key.
    Absent(StoreKey),
    /// The last change of this key was the one at this revision, and it was no deletion.
    Unchanged(StoreKey, StoreRevision),
}

/// One change of one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// Ends what the key held before, with its lease. The same value again is a change too.
    Put {
        key: StoreKey,
        value: Bytes,
        /// The key goes when this lease ends.
        lease: Option<LeaseId>,
    },
    /// Of an absent key it is no change, and no error.
    Delete { key: StoreKey },
}

/// One write or more, made together if all guards hold. Neither two guards nor two writes are of
/// the same key; a guard may be of a key that is written, or of any other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    guards: Vec<Guard>,
    writes: Vec<Write>,
}

/// Guards and writes that make no commit, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitRefused {
    #[error("a commit of {count} writes, want 1 to {WRITES_MAX}")]
    Writes { count: usize },
    #[error("a commit of {count} guards, limit {GUARDS_MAX}")]
    Guards { count: usize },
    #[error("a commit of {bytes} bytes in keys and values, limit {COMMIT_BYTES_MAX}")]
    Bytes { bytes: usize },
    #[error("a commit guards or writes {key} twice")]
    Twice { key: StoreKey },
}

impl Commit {
    pub fn new(guards: Vec<Guard>, writes: Vec<Write>) -> Result<Self, CommitRefused> {
        if !(1..=WRITES_MAX).contains(&writes.len()) {
            return Err(CommitRefused::Writes { count: writes.len() });
        }
        if GUARDS_MAX < guards.len() {
            return Err(CommitRefused::Guards { count: guards.len() });
        }
        let bytes = guards.iter().map(Guard::bytes).chain(writes.iter().map(Write::bytes)).sum();
        if COMMIT_BYTES_MAX < bytes {
            return Err(CommitRefused::Bytes { bytes });
        }
        once(guards.iter().map(Guard::key))?;
        once(writes.iter().map(Write::key))?;
        Ok(Self { guards, writes })
    }

    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    pub fn writes(&self) -> &[Write] {
        &self.writes
    }
}

fn once<'a>(mut keys: impl Iterator<Item = &'a StoreKey>) -> Result<(), CommitRefused> {
    let mut seen = HashSet::new();
    match keys.find(|key| !seen.insert(*key)) {
        Some(key) => Err(CommitRefused::Twice { key: key.clone() }),
        None => Ok(()),
    }
}

impl Guard {
    pub fn key(&self) -> &StoreKey {
        match self {
            Self::Absent(key) | Self::Unchanged(key, _) => key,
        }
    }

    fn bytes(&self) -> usize {
        self.key().as_str().len()
    }
}

impl Write {
    /// A value without a lease.
    pub fn put(key: StoreKey, value: impl Into<Bytes>) -> Self {
        Self::Put { key, value: value.into(), lease: None }
    }

    pub fn key(&self) -> &StoreKey {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    fn bytes(&self) -> usize {
        let value = match self {
            Self::Put { value, .. } => value.len(),
            Self::Delete { .. } => 0,
        };
        self.key().as_str().len() + value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> StoreKey {
        StoreKey::new(&format!("k/{number:03}")).unwrap()
    }

    fn puts(count: usize) -> Vec<Write> {
        (0..count).map(|number| Write::put(key(number), "value")).collect()
    }

    fn guards(count: usize) -> Vec<Guard> {
        (0..count).map(|number| Guard::Absent(key(number))).collect()
    }

    #[test]
    fn a_commit_is_bounded_in_writes_guards_and_bytes() {
        assert!(Commit::new(guards(GUARDS_MAX), puts(WRITES_MAX)).is_ok());
        assert_eq!(Commit::new(vec![], vec![]), Err(CommitRefused::Writes { count: 0 }));
        assert_eq!(Commit::new(vec![], puts(101)), Err(CommitRefused::Writes { count: 101 }));
        assert_eq!(Commit::new(guards(101), puts(1)), Err(CommitRefused::Guards { count: 101 }));
        let sized = |bytes: usize| Commit::new(vec![], vec![Write::put(key(1), vec![0; bytes])]);
        assert!(sized(COMMIT_BYTES_MAX - 5).is_ok());
        let bytes = COMMIT_BYTES_MAX + 1;
        assert_eq!(sized(COMMIT_BYTES_MAX - 4), Err(CommitRefused::Bytes { bytes }));
    }

    #[test]
    fn no_key_is_guarded_or_written_twice() {
        let twice = CommitRefused::Twice { key: key(0) };
        let guards = vec![Guard::Absent(key(0)), Guard::Unchanged(key(0), StoreRevision(1))];
        assert_eq!(Commit::new(guards, puts(1)), Err(twice.clone()));
        let writes = vec![Write::put(key(0), "a"), Write::Delete { key: key(0) }];
        assert_eq!(Commit::new(vec![], writes), Err(twice));
    }
}
