//! Where our keys are among etcd's, and what etcd's answers say about them.

use bytes::Bytes;

use super::config::EtcdNamespace;
use super::rpc::KeyValue;
use crate::error::StoreError;
use crate::key::{KeyPrefix, StoreKey};
use crate::page::{Item, StoreRevision};

/// The revision of an etcd without a single change. Ours is 0.
const EMPTY: i64 = 1;

/// `mesh/data/` has the store's keys as they are, and `mesh/commit/` a mark of each commit.
#[derive(Debug)]
pub(super) struct Keys {
    data: String,
    commits: String,
}

/// From the first key up to the second, which is not in it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) start: Bytes,
    pub(super) end: Bytes,
}

impl Keys {
    pub(super) fn new(namespace: &EtcdNamespace) -> Self {
        let namespace = namespace.as_str();
        Self { data: format!("{namespace}/data/"), commits: format!("{namespace}/commit/") }
    }

    pub(super) fn key(&self, key: &StoreKey) -> Bytes {
        format!("{}{key}", self.data).into()
    }

    /// Where the mark of the commit with this number is.
    pub(super) fn mark(&self, number: u128) -> Bytes {
        format!("{}{number:032x}", self.commits).into()
    }

    /// A key that is never there.
    pub(super) fn nothing(&self) -> Bytes {
        self.commits.clone().into()
    }

    pub(super) fn span(&self, prefix: &KeyPrefix) -> Span {
        let start = format!("{}{prefix}", self.data).into_bytes();
        let mut end = start.clone();
        let last = end.last_mut().expect("it begins with a namespace");
        // It is ASCII, so there is a next byte.
        *last += 1;
        Span { start: start.into(), end: end.into() }
    }

    /// The part of `span` that is larger than `after`.
    pub(super) fn after(&self, span: Span, after: &StoreKey) -> Span {
        let next: Bytes = format!("{}{after}\0", self.data).into();
        Span { start: span.start.max(next), ..span }
    }

    pub(super) fn store_key(&self, key: &[u8]) -> Result<StoreKey, StoreError> {
        let text = std::str::from_utf8(key).ok().and_then(|text| text.strip_prefix(&self.data));
        text.and_then(|text| text.parse().ok()).ok_or_else(|| {
            let key = key.escape_ascii();
            let check = format!("etcd has {key}, which this program never writes");
            StoreError::Foreign { check }
        })
    }

    pub(super) fn item(&self, found: KeyValue) -> Result<Item, StoreError> {
        let key = self.store_key(&found.key)?;
        Ok(Item { key, value: found.value, revision: ours(found.mod_revision) })
    }
}

/// Our revision as etcd's; `None` where it is larger than any of theirs.
pub(super) fn theirs(revision: StoreRevision) -> Option<i64> {
    i64::try_from(revision.0).ok().map(|revision| revision.max(EMPTY))
}

/// etcd's revision as ours. etcd counts from 1 on.
pub(super) fn ours(revision: i64) -> StoreRevision {
    StoreRevision(revision.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new(&"nation".parse().unwrap())
    }

    #[test]
    fn keys_are_below_the_namespace_and_come_back() {
        let key: StoreKey = "mesh/object/a".parse().unwrap();
        let full = keys().key(&key);
        assert_eq!(full, "nation/data/mesh/object/a");
        assert_eq!(keys().store_key(&full), Ok(key));
        for foreign in ["nation/data/", "nation/data/a b", "other/data/a", "nation/commit/1"] {
            let error = keys().store_key(foreign.as_bytes()).unwrap_err();
            assert!(matches!(error, StoreError::Foreign { .. }), "{foreign}");
        }
    }

    #[test]
    fn a_span_has_what_begins_with_the_prefix_and_follows_the_last_key() {
        let span = keys().span(&"a/".parse().unwrap());
        assert_eq!(
            (&span.start[..], &span.end[..]),
            (&b"nation/data/a/"[..], &b"nation/data/a0"[..])
        );
        let inside = keys().after(span.clone(), &"a/1".parse().unwrap());
        assert_eq!(inside.start, "nation/data/a/1\0");
        let before = keys().after(span.clone(), &"A".parse().unwrap());
        assert_eq!(before.start, span.start);
    }
}
