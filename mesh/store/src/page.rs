//! Reading: one value, or a store's values page by page, all of one revision.

use std::fmt;

use bytes::Bytes;

use crate::key::{KeyPrefix, StoreKey};

/// Items in one page, at most.
pub const PAGE_ITEMS_MAX: usize = 1000;

/// Bytes of keys and values in one page, at most, unless its only item is larger.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A store's own order of its commits. Later is larger; gaps mean nothing. An empty store may begin
/// at any. A store that is restored may rewind, so a revision never leaves whoever uses the store.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StoreRevision(pub u64);

/// A value, and the commit that put it there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    pub key: StoreKey,
    pub value: Bytes,
    /// Of its last change.
    pub revision: StoreRevision,
}

/// Which items to read next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageOf {
    prefix: KeyPrefix,
    after: Option<StoreKey>,
    limit: usize,
    at: Option<StoreRevision>,
}

/// Items in the order of their keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// The revision whose state this shows. Not older than the last commit that was answered when
    /// the page was asked for, if none was asked for.
    pub at: StoreRevision,
    pub items: Vec<Item>,
    /// Whether items of the prefix follow the last one. A page may end before its limit.
    pub more: bool,
}

impl PageOf {
    /// The first page of what the store holds now.
    pub fn prefix(prefix: KeyPrefix) -> Self {
        Self { prefix, after: None, limit: PAGE_ITEMS_MAX, at: None }
    }

    /// Only keys that are larger than `after`.
    #[must_use]
    pub fn after(self, after: StoreKey) -> Self {
        Self { after: Some(after), ..self }
    }

    /// What the store held at this revision.
    #[must_use]
    pub fn at(self, at: StoreRevision) -> Self {
        Self { at: Some(at), ..self }
    }

    /// At most so many items; taken as 1 if it is less, and as [`PAGE_ITEMS_MAX`] if it is more.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: limit.clamp(1, PAGE_ITEMS_MAX), ..self }
    }

    /// The page that follows `page`, of the same revision; `None` when it was the last.
    pub fn next(&self, page: &Page) -> Option<Self> {
        let last = page.items.last().filter(|_| page.more)?;
        Some(self.clone().after(last.key.clone()).at(page.at))
    }

    pub fn asked_prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    pub fn asked_after(&self) -> Option<&StoreKey> {
        self.after.as_ref()
    }

    pub fn asked_limit(&self) -> usize {
        self.limit
    }

    pub fn asked_at(&self) -> Option<StoreRevision> {
        self.at
    }
}

impl fmt::Display for StoreRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_begins_after_the_last_item_of_the_same_revision() {
        let first = PageOf::prefix("a/".parse().unwrap()).limit(0);
        assert_eq!(first.asked_limit(), 1);
        let key: StoreKey = "a/1".parse().unwrap();
        let item = Item { key: key.clone(), value: Bytes::new(), revision: StoreRevision(3) };
        let page = Page { at: StoreRevision(7), items: vec![item], more: true };
        let want = first.clone().after(key).at(StoreRevision(7));
        assert_eq!(first.next(&page), Some(want));
        assert_eq!(first.next(&Page { more: false, ..page }), None);
    }
}
