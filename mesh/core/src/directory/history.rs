//! The history of a directory: entries that follow each other by hash, and what a node takes.

use super::change::Change;
use crate::exchange::{Digest, DirectoryPosition};

/// Bytes of the encoding of one entry at most.
pub const ENTRY_BYTES_MAX: usize = 1024 * 1024;

/// Where a history stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    pub epoch: u64,
    pub revision: u64,
    /// SHA-256 of the body of the entry that made this revision; `None` where a revision was laid
    /// out whole.
    pub hash: Option<Digest>,
}

/// One commit: changes that were made together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    pub epoch: u64,
    pub revision: u64,
    /// The hash of the head that it was made on.
    pub previous: Option<Digest>,
    pub changes: Vec<Change>,
    pub committed_at_unix_ms: u64,
}

/// What a snapshot is to a node that has a directory already.
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
    #[error(
        "entry {}.{} does not follow revision {}.{}",
        entry.0, entry.1, have.epoch, have.revision
    )]
    Gap { have: Head, entry: (u64, u64) },
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

impl Head {
    pub fn position(&self) -> DirectoryPosition {
        DirectoryPosition { epoch: self.epoch, revision: self.revision, root: None }
    }

    /// May `entry` come next?
    pub fn check_entry(&self, entry: &Entry) -> Result<(), Untakeable> {
        let follows = entry.epoch == self.epoch
            && self.revision.checked_add(1) == Some(entry.revision)
            && entry.previous == self.hash;
        if follows {
            return Ok(());
        }
        Err(Untakeable::Gap { have: *self, entry: (entry.epoch, entry.revision) })
    }

    /// May a snapshot at `offered` take the place of what this head describes?
    pub fn check_snapshot(&self, offered: Head) -> Result<News, Untakeable> {
        let place = |head: &Self| (head.epoch, head.revision);
        match place(self).cmp(&place(&offered)) {
            std::cmp::Ordering::Less => Ok(News::Newer),
            std::cmp::Ordering::Equal if self.hash == offered.hash => Ok(News::Known),
            std::cmp::Ordering::Equal => Err(Untakeable::SplitView { offered }),
            std::cmp::Ordering::Greater => Err(Untakeable::Rollback { have: *self, offered }),
        }
    }
}

impl From<DirectoryPosition> for Head {
    /// A revision that was laid out whole.
    fn from(position: DirectoryPosition) -> Self {
        Self { epoch: position.epoch, revision: position.revision, hash: None }
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

    #[test]
    fn an_entry_follows_by_number_and_hash() {
        let have = head(2, 7, A);
        #[rustfmt::skip]
        let cases = [
            // Epoch, revision, previous  Follows
            (2, 8,        A,              true),
            (2, 8,        B,              false),
            (2, 8,        None,           false),
            (2, 7,        A,              false),
            (2, 9,        A,              false),
            (3, 8,        A,              false),
            (1, 8,        A,              false),
        ];
        for (epoch, revision, previous, want) in cases {
            let (changes, committed_at_unix_ms) = (Vec::new(), 0);
            let entry = Entry { epoch, revision, previous, changes, committed_at_unix_ms };
            assert_eq!(have.check_entry(&entry).is_ok(), want, "{entry:?}");
        }
        let last = head(1, u64::MAX, A);
        let (changes, committed_at_unix_ms) = (Vec::new(), 0);
        let wrapped = Entry { epoch: 1, revision: 0, previous: A, changes, committed_at_unix_ms };
        assert!(last.check_entry(&wrapped).is_err());
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
