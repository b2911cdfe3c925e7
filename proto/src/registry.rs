//! What operators ask of the registry: messages to values and back.

use mesh_core::change_set::ChangeSetId;
use mesh_core::directory::change::Key;
use mesh_core::limits::DETAIL_BYTES_MAX;

pub use self::change_set::{
    Decide, read_body, read_change_set, read_decide, write_body, write_change_set, write_decide,
    write_state, write_summary, write_verdict,
};
use crate::malformed::{Malformed, at_most, parse_optional};
use crate::wire::registry::v1 as wire;

mod change_set;

/// Objects on one page at most.
pub const PAGE_OBJECTS_MAX: usize = 1000;

/// Bytes of the objects of one page, unless its only object is larger.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Change sets on one page at most.
pub const PAGE_SETS_MAX: usize = 100;

/// Bytes of a prefix of keys: longer than any key.
const PREFIX_BYTES_MAX: usize = 1024;

/// A page of objects that is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    pub prefix: String,
    pub after: Option<Key>,
    /// 1 to [`PAGE_OBJECTS_MAX`].
    pub limit: usize,
    /// Epoch and revision of the pages before.
    pub of: Option<(u64, u64)>,
}

/// A page of change sets that is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SetsPage {
    /// Only those that wait for approvals.
    pub open: bool,
    pub after: Option<ChangeSetId>,
    pub since_unix_ms: u64,
    /// 1 to [`PAGE_SETS_MAX`].
    pub limit: usize,
}

/// Reads a request for a page, whole or not at all.
pub fn read_page(request: wire::ReadRequest) -> Result<Page, Malformed> {
    let wire::ReadRequest { prefix, after, limit, epoch, revision } = request;
    at_most("prefix", prefix.len(), PREFIX_BYTES_MAX)?;
    let limit = read_limit(limit, PAGE_OBJECTS_MAX)?;
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

/// Reads a request for a page of change sets, whole or not at all.
pub fn read_sets_page(request: &wire::ListChangeSetsRequest) -> Result<SetsPage, Malformed> {
    let wire::ListChangeSetsRequest { open, after, since_unix_ms, limit } = request;
    Ok(SetsPage {
        open: *open,
        after: parse_optional("after", after)?,
        since_unix_ms: *since_unix_ms,
        limit: read_limit(*limit, PAGE_SETS_MAX)?,
    })
}

/// The message that [`read_sets_page`] reads as `page`.
pub fn write_sets_page(page: &SetsPage) -> wire::ListChangeSetsRequest {
    wire::ListChangeSetsRequest {
        open: page.open,
        after: page.after.map_or(String::new(), |id| id.to_string()),
        since_unix_ms: page.since_unix_ms,
        limit: page.limit as u32,
    }
}

fn read_limit(limit: u32, limit_max: usize) -> Result<usize, Malformed> {
    let limit = if limit == 0 { limit_max } else { limit as usize };
    at_most("limit", limit, limit_max)?;
    Ok(limit)
}

/// Reads a sentence for the record, which may be empty.
fn read_reason(reason: String) -> Result<String, Malformed> {
    at_most("reason", reason.len(), DETAIL_BYTES_MAX)?;
    if reason.chars().any(char::is_control) {
        return Err(Malformed::new("reason", "has control characters"));
    }
    Ok(reason)
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
    fn pages_of_change_sets_are_bounded() {
        let after = Some(ChangeSetId::first_at(7));
        let page = SetsPage { open: true, after, since_unix_ms: 6, limit: 9 };
        let asked = write_sets_page(&page);
        assert_eq!(read_sets_page(&asked), Ok(page));
        let wrong = wire::ListChangeSetsRequest { limit: 101, ..asked.clone() };
        assert_eq!(read_sets_page(&wrong).unwrap_err().field, "limit");
        let wrong = wire::ListChangeSetsRequest { after: "7".into(), ..asked };
        assert_eq!(read_sets_page(&wrong).unwrap_err().field, "after");
    }
}
