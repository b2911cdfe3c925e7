//! Noticing that somebody was told another directory under the same number.

use std::collections::VecDeque;

use crate::exchange::{Digest, DirectoryPosition};

/// Positions that a node remembers. Exchanges that were decided longer ago than so many commits are
/// not compared.
const POSITIONS_MAX: usize = 256;

/// The roots that a node was told, by their numbers: the last ones, oldest first.
#[derive(Clone, Debug, Default)]
pub struct KnownRoots(VecDeque<((u64, u64), Digest)>);

/// Two roots under one number. One of them is not what the centre tells everybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the directory of {}.{} was told in two versions: this node was told the root {known}, \
     and is shown {shown}", .number.0, .number.1
)]
pub struct SplitView {
    /// Epoch and revision.
    pub number: (u64, u64),
    pub known: Digest,
    pub shown: Digest,
}

impl KnownRoots {
    /// Remembers `position`, unless another root is known for its number.
    pub fn note(&mut self, position: DirectoryPosition) -> Result<(), SplitView> {
        self.compare(position)?;
        let DirectoryPosition { epoch, revision, root: Some(root) } = position else {
            return Ok(());
        };
        let number = (epoch, revision);
        // Most often it is the last one again, and nearly always later than all others.
        let at = self.0.partition_point(|(known, _)| *known < number);
        if self.0.get(at).is_some_and(|(known, _)| *known == number) {
            return Ok(());
        }
        self.0.insert(at, (number, root));
        if POSITIONS_MAX < self.0.len() {
            self.0.pop_front();
        }
        Ok(())
    }

    /// Is what is shown what this node knows? What it does not know cannot be compared.
    pub fn compare(&self, shown: DirectoryPosition) -> Result<(), SplitView> {
        let DirectoryPosition { epoch, revision, root: Some(root) } = shown else { return Ok(()) };
        let number = (epoch, revision);
        let found = self.0.binary_search_by_key(&number, |(known, _)| *known);
        match found.map(|at| self.0[at].1) {
            Ok(known) if known != root => Err(SplitView { number, known, shown: root }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, revision: u64, root: u8) -> DirectoryPosition {
        DirectoryPosition { epoch, revision, root: Some(Digest([root; 32])) }
    }

    #[test]
    fn another_root_under_a_known_number_is_noticed() {
        let mut known = KnownRoots::default();
        for position in [at(1, 7, 1), at(1, 8, 2), at(2, 1, 3), at(1, 8, 2)] {
            assert_eq!(known.note(position), Ok(()));
        }
        let split = SplitView { number: (1, 8), known: Digest([2; 32]), shown: Digest([9; 32]) };
        assert_eq!(known.compare(at(1, 8, 9)), Err(split));
        assert_eq!(known.note(at(1, 8, 9)), Err(split), "and what was known first stays");
        assert_eq!(known.compare(at(1, 8, 2)), Ok(()));
        assert_eq!(known.compare(at(2, 8, 9)), Ok(()), "another epoch is another number");
        let bare = DirectoryPosition { root: None, ..at(1, 8, 9) };
        assert_eq!(known.compare(bare), Ok(()), "nothing is shown");
    }

    #[test]
    fn remembers_the_last_ones_in_whatever_order_they_come() {
        let mut known = KnownRoots::default();
        for revision in (0..=POSITIONS_MAX as u64).rev() {
            known.note(at(1, revision, 1)).unwrap();
        }
        assert_eq!(known.0.len(), POSITIONS_MAX);
        assert_eq!(known.compare(at(1, 0, 2)), Ok(()), "long ago");
        assert!(known.compare(at(1, 1, 2)).is_err());
        assert!(known.0.iter().is_sorted_by_key(|(number, _)| *number));
    }
}
