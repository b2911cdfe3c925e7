//! The history of a directory: entries that follow each other by hash, and what a node takes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::change::{CHANGES_MAX, Change};
use super::scope::{self, Scope};
use crate::exchange::{Digest, DirectoryPosition};
use crate::tree_hash::Sha256;

/// Bytes of the encoding of one commit's changes at most.
pub const ENTRY_BYTES_MAX: usize = 1024 * 1024;

/// Changes in the entry of one scope: each that was committed may bring or take a service besides.
pub const SCOPE_CHANGES_MAX: usize = 2 * CHANGES_MAX;

/// Bytes of the encoding of one scope's entry at most.
pub const SCOPE_ENTRY_BYTES_MAX: usize = 2 * ENTRY_BYTES_MAX;

/// Where a history stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    pub epoch: u64,
    pub revision: u64,
    /// SHA-256 of the body of the entry that made this revision, or of the content where it was
    /// laid out whole.
    pub hash: Option<Digest>,
}

/// What one commit is to one scope: changes that were made together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    pub scope: Scope,
    /// Of the registry, the same for every scope; so a scope's entries leave numbers out.
    pub epoch: u64,
    pub revision: u64,
    /// The hash of the scope's head that it was made on; `None` where the scope begins with it.
    pub previous: Option<Digest>,
    pub changes: Vec<Change>,
    pub committed_at_unix_ms: u64,
}

/// What an entry or a snapshot is to a node that has something already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// Later than what the node has.
    Newer,
    /// What the node has.
    Known,
}

/// Why a node keeps what it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Untakeable {
    /// Something between is missing; a snapshot helps.
    #[error("entry {}.{} does not follow {}", entry.0, entry.1, shown(*have))]
    Gap { have: Option<Head>, entry: (u64, u64) },
    /// Somebody takes the node back to what was true once.
    #[error(
        "revision {}.{} is older than {}.{}, which this node has",
        offered.epoch, offered.revision, have.epoch, have.revision
    )]
    Rollback { have: Head, offered: Head },
    /// Two histories under one number.
    #[error(
        "revision {}.{} is not the one of this number that this node has",
        offered.epoch, offered.revision
    )]
    SplitView { offered: Head },
}

fn shown(have: Option<Head>) -> String {
    let number = |have: Head| format!("revision {}.{}", have.epoch, have.revision);
    have.map_or("what begins with another".into(), number)
}

impl Head {
    pub fn position(&self) -> DirectoryPosition {
        DirectoryPosition { epoch: self.epoch, revision: self.revision, root: None }
    }

    fn number(&self) -> (u64, u64) {
        (self.epoch, self.revision)
    }

    /// May `entry`, whose body has the hash `hash`, come next in its scope?
    pub fn check_entry(&self, entry: &Entry, hash: Digest) -> Result<News, Untakeable> {
        let offered = entry.head(hash);
        match self.check_snapshot(offered)? {
            News::Known => Ok(News::Known),
            News::Newer if entry.epoch == self.epoch && entry.previous == self.hash => {
                Ok(News::Newer)
            }
            News::Newer => Err(Untakeable::Gap { have: Some(*self), entry: offered.number() }),
        }
    }

    /// May a snapshot at `offered` take the place of what this head describes?
    pub fn check_snapshot(&self, offered: Self) -> Result<News, Untakeable> {
        match self.number().cmp(&offered.number()) {
            Ordering::Less => Ok(News::Newer),
            Ordering::Equal if self.hash == offered.hash => Ok(News::Known),
            Ordering::Equal => Err(Untakeable::SplitView { offered }),
            Ordering::Greater => Err(Untakeable::Rollback { have: *self, offered }),
        }
    }
}

impl Entry {
    /// The head of its scope after it; `hash` is that of its body.
    pub fn head(&self, hash: Digest) -> Head {
        Head { epoch: self.epoch, revision: self.revision, hash: Some(hash) }
    }

    /// May it come next where a node has `have` of its scope?
    pub fn check(&self, have: Option<Head>, hash: Digest) -> Result<News, Untakeable> {
        match have {
            // The registry was restored or moved, and the scope came to be after that.
            Some(have) if have.epoch < self.epoch && self.previous.is_none() => Ok(News::Newer),
            Some(have) => have.check_entry(self, hash),
            None if self.previous.is_none() => Ok(News::Newer),
            None => Err(Untakeable::Gap { have: None, entry: (self.epoch, self.revision) }),
        }
    }
}

impl From<DirectoryPosition> for Head {
    /// A revision that was laid out whole.
    fn from(position: DirectoryPosition) -> Self {
        Self { epoch: position.epoch, revision: position.revision, hash: None }
    }
}

/// What the centre says at a moment, signed, whether anything changed or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heartbeat {
    pub sent_at_unix_ms: u64,
    /// The last commit.
    pub epoch: u64,
    pub revision: u64,
    /// Of every scope there is.
    pub heads: BTreeMap<Scope, Head>,
}

impl Heartbeat {
    /// Where a node stands that has what this describes.
    pub fn position(&self, sha256: Sha256) -> DirectoryPosition {
        let root = Some(scope::root(sha256, &self.heads));
        DirectoryPosition { epoch: self.epoch, revision: self.revision, root }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<Digest> = Some(Digest([0xa; 32]));
    const B: Option<Digest> = Some(Digest([0xb; 32]));

    fn head(epoch: u64, revision: u64, hash: Option<Digest>) -> Head {
        Head { epoch, revision, hash }
    }

    fn entry(epoch: u64, revision: u64, previous: Option<Digest>) -> Entry {
        let (scope, changes, committed_at_unix_ms) = (Scope::Nation, Vec::new(), 0);
        Entry { scope, epoch, revision, previous, changes, committed_at_unix_ms }
    }

    #[test]
    fn an_entry_follows_by_number_and_hash() {
        let have = head(2, 7, A);
        let (new, known) = (Digest([0xcc; 32]), Digest([0xa; 32]));
        type Told = Result<News, &'static str>;
        #[rustfmt::skip]
        let cases: [(u64, u64, Option<Digest>, Digest, Told); 10] = [
            // Epoch, revision, previous, own hash, what it is
            (2, 8,        A,    new,   Ok(News::Newer)),
            (2, 90,       A,    new,   Ok(News::Newer)),
            (2, 8,        B,    new,   Err("does not follow")),
            (2, 8,        None, new,   Err("does not follow")),
            (3, 8,        A,    new,   Err("does not follow")),
            (3, 1,        None, new,   Ok(News::Newer)),
            (2, 7,        B,    known, Ok(News::Known)),
            (2, 7,        B,    new,   Err("is not the one")),
            (2, 6,        A,    new,   Err("is older")),
            (1, 8,        A,    new,   Err("is older")),
        ];
        for (epoch, revision, previous, hash, want) in cases {
            let told = entry(epoch, revision, previous).check(Some(have), hash);
            let told = told.map_err(|why| why.to_string());
            match want {
                Ok(news) => assert_eq!(told, Ok(news), "{epoch}.{revision}"),
                Err(part) => assert!(told.clone().unwrap_err().contains(part), "{told:?}"),
            }
        }
        let last = head(1, u64::MAX, A);
        assert!(entry(1, 0, A).check(Some(last), new).is_err());
    }

    #[test]
    fn a_scope_begins_with_the_entry_that_names_none_before_it() {
        let hash = Digest([0xcc; 32]);
        assert_eq!(entry(1, 9, None).check(None, hash), Ok(News::Newer));
        let late = entry(1, 9, A).check(None, hash).unwrap_err().to_string();
        assert_eq!(late, "entry 1.9 does not follow what begins with another");
    }

    #[test]
    fn a_snapshot_only_takes_a_node_forward() {
        let have = head(2, 7, A);
        assert_eq!(have.check_snapshot(head(2, 8, B)), Ok(News::Newer));
        assert_eq!(have.check_snapshot(head(3, 1, None)), Ok(News::Newer));
        assert_eq!(have.check_snapshot(have), Ok(News::Known));
        let other = head(2, 7, B);
        assert_eq!(have.check_snapshot(other), Err(Untakeable::SplitView { offered: other }));
        for offered in [head(2, 6, A), head(1, 9, B)] {
            assert_eq!(have.check_snapshot(offered), Err(Untakeable::Rollback { have, offered }));
        }
    }
}
