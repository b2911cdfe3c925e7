//! What operators ask of the registry: messages to values and back.

use mesh_core::directory::change::{CHANGES_MAX, Change, Key};
use mesh_core::limits::DETAIL_BYTES_MAX;

use crate::directory::{read_change, write_change};
use crate::malformed::{Malformed, at_most, parse_optional};
use crate::wire::registry::v1 as wire;

/// Objects on one page at most.
pub const PAGE_OBJECTS_MAX: usize = 1000;

/// Bytes of a prefix of keys: longer than any key.
const PREFIX_BYTES_MAX: usize = 1024;

/// A page that is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    pub prefix: String,
    pub after: Option<Key>,
    /// 1 to [`PAGE_OBJECTS_MAX`].
    pub limit: usize,
    /// Epoch and revision of the pages before.
    pub of: Option<(u64, u64)>,
}

/// Changes that are to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    pub base_epoch: u64,
    pub base_revision: u64,
    /// 1 to [`CHANGES_MAX`].
    pub changes: Vec<Change>,
    /// A sentence for the record; may be empty.
    pub reason: String,
    pub dry_run: bool,
}

/// Reads a request for a page, whole or not at all.
pub fn read_page(request: wire::ReadRequest) -> Result<Page, Malformed> {
    let wire::ReadRequest { prefix, after, limit, epoch, revision } = request;
    at_most("prefix", prefix.len(), PREFIX_BYTES_MAX)?;
    let limit = match limit as usize {
        0 => PAGE_OBJECTS_MAX,
        limit => limit,
    };
    at_most("limit", limit, PAGE_OBJECTS_MAX)?;
    let of = ((epoch, revision) != (0, 0)).then_some((epoch, revision));
    Ok(Page { prefix, after: parse_optional("after", &after)?, limit, of })
}

/// The message that [`read_page`] reads as `page`.
pub fn write_page(page: &Page) -> wire::ReadRequest {
    let (epoch, revision) = page.of.unwrap_or_default();
    wire::ReadRequest {
        prefix: page.prefix.clone(),
        after: page.after.as_ref().map_or(String::new(), ToString::to_string),
        limit: page.limit as u32,
        epoch,
        revision,
    }
}

/// Reads a commit, whole or not at all.
pub fn read_commit(request: wire::CommitRequest) -> Result<Commit, Malformed> {
    let wire::CommitRequest { base_epoch, base_revision, changes, reason, dry_run } = request;
    at_most("reason", reason.len(), DETAIL_BYTES_MAX)?;
    if reason.chars().any(char::is_control) {
        return Err(Malformed::new("reason", "has control characters"));
    }
    at_most("changes", changes.len(), CHANGES_MAX)?;
    if changes.is_empty() {
        return Err(Malformed::missing("changes"));
    }
    let changes = changes.into_iter().map(read_change).collect::<Result<_, _>>()?;
    Ok(Commit { base_epoch, base_revision, changes, reason, dry_run })
}

/// The message that [`read_commit`] reads as `commit`.
pub fn write_commit(commit: &Commit) -> wire::CommitRequest {
    wire::CommitRequest {
        base_epoch: commit.base_epoch,
        base_revision: commit.base_revision,
        changes: commit.changes.iter().map(write_change).collect(),
        reason: commit.reason.clone(),
        dry_run: commit.dry_run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded() {
        let page = |limit, after: &str| {
            let after = after.into();
            read_page(wire::ReadRequest { limit, after, ..wire::ReadRequest::default() })
        };
        assert_eq!(page(0, "").unwrap().limit, PAGE_OBJECTS_MAX);
        let asked = page(7, "cluster/health").unwrap();
        assert_eq!((asked.limit, asked.of), (7, None));
        assert_eq!(asked.after, Some("cluster/health".parse().unwrap()));
        assert_eq!(read_page(write_page(&asked)), Ok(asked));
        assert_eq!(page(1001, "").unwrap_err().field, "limit");
        assert_eq!(page(7, "health").unwrap_err().field, "after");
        let prefix = "x".repeat(PREFIX_BYTES_MAX + 1);
        let long = wire::ReadRequest { prefix, ..wire::ReadRequest::default() };
        assert_eq!(read_page(long).unwrap_err().field, "prefix");
    }

    #[test]
    fn commits_are_read_as_they_are_written() {
        let commit = Commit {
            base_epoch: 1,
            base_revision: 7,
            changes: vec![Change::Remove("cluster/health".parse().unwrap())],
            reason: "the cluster has moved".into(),
            dry_run: true,
        };
        assert_eq!(read_commit(write_commit(&commit)), Ok(commit.clone()));
        type Wrong = fn(&mut wire::CommitRequest);
        let cases: &[(&str, Wrong)] = &[
            ("changes", |c| c.changes.clear()),
            ("changes", |c| c.changes = vec![c.changes[0].clone(); CHANGES_MAX + 1]),
            ("change", |c| c.changes[0].kind = None),
            ("reason", |c| c.reason = "x".repeat(DETAIL_BYTES_MAX + 1)),
            ("reason", |c| c.reason = "a\nb".into()),
        ];
        for (field, change) in cases {
            let mut wrong = write_commit(&commit);
            change(&mut wrong);
            assert_eq!(read_commit(wrong).unwrap_err().field, *field);
        }
    }
}
