//! Reads, all of the state of one transaction.

use std::cmp::Ordering;
use std::iter::{self, Peekable};
use std::ops::Bound;

use bytes::Bytes;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};

use super::disk::Trouble;
use super::tables::{self, Held};
use crate::error::StoreError;
use crate::key::{KeyPrefix, StoreKey};
use crate::lease::LeaseId;
use crate::page::{Item, PAGE_BYTES_MAX, Page, PageOf, StoreRevision};
use crate::watch::{Change, Changed};

/// Changes of keys that are looked at together for a watch, if no single commit has more.
const CHANGES_MAX: usize = 4096;

pub(super) struct Reading {
    pub(super) newest: u64,
    oldest: u64,
    now: ReadOnlyTable<&'static str, Held>,
    past: ReadOnlyTable<(&'static str, u64), (u64, &'static [u8])>,
    changes: ReadOnlyTable<(u64, &'static str), bool>,
    leases: ReadOnlyTable<i64, u64>,
}

/// The next commits below a prefix, as far as they were read.
pub(super) struct Followed {
    pub(super) changed: Vec<Changed>,
    /// What to go on after.
    pub(super) after: StoreRevision,
    pub(super) is_at_the_end: bool,
}

type Items<'a> = Peekable<Box<dyn Iterator<Item = Result<Item, Trouble>> + 'a>>;

impl Reading {
    pub(super) fn of(transaction: &ReadTransaction) -> Result<Self, Trouble> {
        let numbers = transaction.open_table(tables::NUMBERS)?;
        let number = |name| match numbers.get(name)? {
            Some(number) => Ok::<_, Trouble>(number.value()),
            None => Err(damaged(format!("the file has no number {name}"))),
        };
        Ok(Self {
            newest: number(tables::NEWEST)?,
            oldest: number(tables::OLDEST)?,
            now: transaction.open_table(tables::NOW)?,
            past: transaction.open_table(tables::PAST)?,
            changes: transaction.open_table(tables::CHANGES)?,
            leases: transaction.open_table(tables::LEASES)?,
        })
    }

    pub(super) fn get(&self, key: &StoreKey) -> Result<Option<Item>, Trouble> {
        let Some(held) = self.now.get(key.as_str())? else { return Ok(None) };
        let (revision, _, value) = held.value();
        let value = Bytes::copy_from_slice(value);
        Ok(Some(Item { key: key.clone(), value, revision: StoreRevision(revision) }))
    }

    /// Whether the state at `revision` can be told, and what follows it.
    pub(super) fn knows(&self, revision: StoreRevision) -> Result<(), Trouble> {
        if revision.0 < self.oldest {
            return Err(StoreError::Compacted { asked: revision }.into());
        }
        if self.newest < revision.0 {
            let newest = StoreRevision(self.newest);
            return Err(StoreError::Ahead { asked: revision, newest }.into());
        }
        Ok(())
    }

    pub(super) fn page(&self, of: &PageOf) -> Result<Page, Trouble> {
        let at = of.asked_at().unwrap_or(StoreRevision(self.newest));
        self.knows(at)?;
        let mut page = Page { at, items: Vec::new(), more: false };
        let mut bytes = 0;
        let mut now = self.now_at(of, at)?;
        // What was there and ended later. Up to now, nothing has.
        let mut past = if at.0 == self.newest { none() } else { self.past_at(of, at)? };
        while let Some(item) = first_of(&mut now, &mut past)? {
            bytes += item.key.as_str().len() + item.value.len();
            let is_full = page.items.len() == of.asked_limit() || PAGE_BYTES_MAX < bytes;
            if is_full && !page.items.is_empty() {
                page.more = true;
                break;
            }
            page.items.push(item);
        }
        Ok(page)
    }

    /// What is below the prefix since `at`, or longer.
    fn now_at<'a>(&self, of: &'a PageOf, at: StoreRevision) -> Result<Items<'a>, Trouble> {
        let from = match begin(of) {
            Bound::Excluded(after) => Bound::Excluded(after.as_str()),
            _ => Bound::Included(of.asked_prefix().as_str()),
        };
        let rows = self.now.range::<&str>((from, Bound::Unbounded))?;
        let items = rows.map_while(move |row| match row {
            Err(why) => Some(Some(Err(why.into()))),
            Ok((key, held)) => {
                let (begins, _, value) = held.value();
                let is_below = key.value().starts_with(of.asked_prefix().as_str());
                is_below.then(|| (begins <= at.0).then(|| item(key.value(), begins, value)))
            }
        });
        Ok(boxed(items.flatten()))
    }

    /// What was below the prefix at `at`, and has ended since.
    fn past_at<'a>(&self, of: &'a PageOf, at: StoreRevision) -> Result<Items<'a>, Trouble> {
        let from = match begin(of) {
            Bound::Excluded(after) => Bound::Excluded((after.as_str(), u64::MAX)),
            _ => Bound::Included((of.asked_prefix().as_str(), 0)),
        };
        let rows = self.past.range::<(&str, u64)>((from, Bound::Unbounded))?;
        let items = rows.map_while(move |row| match row {
            Err(why) => Some(Some(Err(why.into()))),
            Ok((key, held)) => {
                let ((key, ends), (begins, value)) = (key.value(), held.value());
                let was_there = begins <= at.0 && at.0 < ends;
                let is_below = key.starts_with(of.asked_prefix().as_str());
                is_below.then(|| was_there.then(|| item(key, begins, value)))
            }
        });
        Ok(boxed(items.flatten()))
    }

    /// The commits after a revision that change something below `prefix`, some of them.
    pub(super) fn follow(
        &self,
        prefix: &KeyPrefix,
        after: StoreRevision,
    ) -> Result<Followed, Trouble> {
        self.knows(after)?;
        let mut changed: Vec<Changed> = Vec::new();
        // The revision in hand, and what was read up to it.
        let (mut in_hand, mut count, mut bytes) = (after, 0, 0);
        for row in self.changes.range::<(u64, &str)>((after.0 + 1, "")..)? {
            let (key, is_put) = row?;
            let (revision, key) = key.value();
            if in_hand.0 != revision {
                if CHANGES_MAX <= count || PAGE_BYTES_MAX <= bytes {
                    return Ok(Followed { changed, after: in_hand, is_at_the_end: false });
                }
                in_hand = StoreRevision(revision);
            }
            count += 1;
            if !key.starts_with(prefix.as_str()) {
                continue;
            }
            let change = self.change(parse(key)?, revision, is_put.value())?;
            bytes += change.bytes();
            match changed.last_mut().filter(|last| last.revision.0 == revision) {
                Some(last) => last.changes.push(change),
                None => {
                    let revision = StoreRevision(revision);
                    changed.push(Changed { revision, changes: vec![change] });
                }
            }
        }
        Ok(Followed { changed, after: StoreRevision(self.newest), is_at_the_end: true })
    }

    fn change(&self, key: StoreKey, revision: u64, is_put: bool) -> Result<Change, Trouble> {
        if !is_put {
            return Ok(Change::Deleted { key });
        }
        if let Some(item) = self.get(&key)?.filter(|item| item.revision.0 == revision) {
            return Ok(Change::Put { key, value: item.value });
        }
        // Of what ended after this revision, the first is what the revision put.
        let from = (key.as_str(), revision + 1);
        if let Some(row) = self.past.range::<(&str, u64)>(from..)?.next() {
            let (of, held) = row?;
            let (begins, value) = held.value();
            if of.value().0 == key.as_str() && begins == revision {
                return Ok(Change::Put { key, value: Bytes::copy_from_slice(value) });
            }
        }
        Err(damaged(format!("what revision {revision} put under {key} is missing")))
    }

    /// All leases with their lives in seconds.
    pub(super) fn leases(&self) -> Result<Vec<(LeaseId, u64)>, Trouble> {
        let rows = self.leases.iter()?;
        rows.map(|row| {
            let (lease, life) = row?;
            Ok((LeaseId(lease.value()), life.value()))
        })
        .collect()
    }
}

/// Where the keys of a page begin: after a key, or with the prefix.
fn begin(of: &PageOf) -> Bound<&StoreKey> {
    let is_further = |after: &&StoreKey| of.asked_prefix().as_str() <= after.as_str();
    of.asked_after().filter(is_further).map_or(Bound::Unbounded, Bound::Excluded)
}

fn boxed<'a>(items: impl Iterator<Item = Result<Item, Trouble>> + 'a) -> Items<'a> {
    let items: Box<dyn Iterator<Item = _> + 'a> = Box::new(items);
    items.peekable()
}

fn none<'a>() -> Items<'a> {
    boxed(iter::empty())
}

/// The item with the smaller key. No key is in both.
fn first_of(one: &mut Items<'_>, other: &mut Items<'_>) -> Result<Option<Item>, Trouble> {
    let order = match (one.peek(), other.peek()) {
        (Some(Ok(one)), Some(Ok(other))) => one.key.cmp(&other.key),
        (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
        (_, _) => Ordering::Greater,
    };
    if order == Ordering::Less { one.next().transpose() } else { other.next().transpose() }
}

fn item(key: &str, revision: u64, value: &[u8]) -> Result<Item, Trouble> {
    let value = Bytes::copy_from_slice(value);
    Ok(Item { key: parse(key)?, value, revision: StoreRevision(revision) })
}

fn parse(key: &str) -> Result<StoreKey, Trouble> {
    key.parse().map_err(|why| damaged(format!("{why}")))
}

fn damaged(check: String) -> Trouble {
    Trouble::Said(StoreError::Corrupt { check })
}
