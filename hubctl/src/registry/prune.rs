//! How much `--prune` may remove without being asked twice: a folder that was half copied must not
//! empty the registry.

use mesh_core::directory::change::Change;

/// Of the objects that the files could mention, one in so many goes without a question.
const SHARE: usize = 10;

/// As many go always: in a small registry each object is a large share.
const FEW: usize = 5;

/// More than goes without a question.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "--prune would remove {removed} of {all} objects, more than one in {SHARE}; look at them with \
     --dry-run, then say --yes"
)]
pub(super) struct TooMuch {
    removed: usize,
    all: usize,
}

/// Judges `changes` of a registry with `all` objects that could be removed.
pub(super) fn allowed(changes: &[Change], all: usize) -> Result<(), TooMuch> {
    let removed = changes.iter().filter(|change| matches!(change, Change::Remove(_))).count();
    let most = FEW.max(all / SHARE);
    if most < removed { Err(TooMuch { removed, all }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_go_and_many_are_asked_about() {
        let changes: Vec<Change> = (0..60)
            .map(|number| Change::Remove(format!("cluster/p{number}").parse().unwrap()))
            .collect();
        for (removed, all, goes) in
            [(0, 0, true), (5, 5, true), (6, 10, false), (6, 60, true), (60, 599, false)]
        {
            assert_eq!(allowed(&changes[..removed], all).is_ok(), goes, "{removed} of {all}");
        }
        let why = allowed(&changes, 100).unwrap_err().to_string();
        assert!(why.starts_with("--prune would remove 60 of 100 objects"), "{why}");
    }
}
