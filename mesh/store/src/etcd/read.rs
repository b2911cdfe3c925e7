//! Reading: one key, or pages that are all of one revision.

use super::Etcd;
use super::keys::{ours, theirs};
use super::members::Asked;
use super::rpc::{RangeRequest, RangeResponse};
use super::verdict::Refusal;
use crate::error::StoreError;
use crate::key::StoreKey;
use crate::page::{Item, PAGE_BYTES_MAX, Page, PageOf, StoreRevision};

/// Items that are asked for before it is known how large they are.
const FIRST_ITEMS: usize = 64;

/// When an answer is larger than we take, a smaller one is asked for: by this.
const SMALLER_BY: usize = 8;

pub(super) async fn get(etcd: &Etcd, key: &StoreKey) -> Result<Option<Item>, StoreError> {
    let request = RangeRequest { key: etcd.keys.key(key), ..RangeRequest::default() };
    let answer = etcd.members.ask(&request).await.result.map_err(Refusal::into_error)?;
    answer.kvs.into_iter().next().map(|found| etcd.keys.item(found)).transpose()
}

/// A page is put together of several answers, each as large as the items before let expect: etcd
/// takes a limit in items, and builds the whole answer in memory.
pub(super) async fn page(etcd: &Etcd, of: &PageOf) -> Result<Page, StoreError> {
    let mut span = etcd.keys.span(of.asked_prefix());
    if let Some(after) = of.asked_after() {
        span = etcd.keys.after(span, after);
    }
    let mut at = of.asked_at();
    let mut items: Vec<Item> = Vec::new();
    let mut room = Room::new(of.asked_limit());
    loop {
        let answer = match ask(etcd, &span.start, &span.end, (at, room.items)).await {
            Ok(answer) => answer,
            Err(Refusal::AnswerTooLarge) if 1 < room.items => {
                room.items = (room.items / SMALLER_BY).max(1);
                continue;
            }
            Err(refusal) => return Err(about(etcd, refusal, at.unwrap_or_default()).await),
        };
        let newest = answer.header.as_ref().map_or(0, |header| header.revision);
        let page_at = *at.get_or_insert(ours(newest));
        for found in answer.kvs {
            let item = etcd.keys.item(found)?;
            if !room.takes(&item, items.len()) {
                return Ok(Page { at: page_at, items, more: true });
            }
            items.push(item);
        }
        let is_full = room.left(items.len()) == 0;
        match items.last() {
            Some(last) if answer.more && !is_full => span = etcd.keys.after(span, &last.key),
            _ => return Ok(Page { at: page_at, items, more: answer.more }),
        }
    }
}

/// The revision that the store is at now.
pub(super) async fn newest(etcd: &Etcd) -> Result<StoreRevision, StoreError> {
    let request = RangeRequest { key: etcd.keys.nothing(), ..RangeRequest::default() };
    let answer = etcd.members.ask(&request).await.result.map_err(Refusal::into_error)?;
    Ok(answer.header.map_or_else(StoreRevision::default, |header| ours(header.revision)))
}

/// Whether the store still knows, and already knows, what it was like at `revision`.
pub(super) async fn check_known(etcd: &Etcd, revision: StoreRevision) -> Result<(), StoreError> {
    let known = match theirs(revision) {
        Some(revision) => {
            let key = etcd.keys.nothing();
            let request = RangeRequest { key, revision, ..RangeRequest::default() };
            etcd.members.ask(&request).await.result.map(|_nothing| ())
        }
        None => Err(Refusal::Future),
    };
    match known {
        Ok(()) => Ok(()),
        Err(refusal) => Err(about(etcd, refusal, revision).await),
    }
}

/// A refusal of a request that asked about `asked`.
pub(super) async fn about(etcd: &Etcd, refusal: Refusal, asked: StoreRevision) -> StoreError {
    match refusal {
        Refusal::Compacted => StoreError::Compacted { asked },
        Refusal::Future => match newest(etcd).await {
            Ok(newest) => StoreError::Ahead { asked, newest },
            Err(error) => error,
        },
        refusal => refusal.into_error(),
    }
}

async fn ask(
    etcd: &Etcd,
    start: &bytes::Bytes,
    end: &bytes::Bytes,
    (at, items): (Option<StoreRevision>, usize),
) -> Result<RangeResponse, Refusal> {
    // etcd takes 0 for now.
    let revision = at.map_or(Some(0), theirs).ok_or(Refusal::Future)?;
    let request = RangeRequest {
        key: start.clone(),
        range_end: end.clone(),
        limit: i64::try_from(items).unwrap_or(i64::MAX),
        revision,
        keys_only: false,
    };
    let Asked { result, .. } = etcd.members.ask(&request).await;
    result
}

/// What a page can still take.
struct Room {
    limit: usize,
    bytes_left: usize,
    item_bytes_max: usize,
    /// How many items to ask for next.
    items: usize,
}

impl Room {
    fn new(limit: usize) -> Self {
        let items = limit.min(FIRST_ITEMS);
        Self { limit, bytes_left: PAGE_BYTES_MAX, item_bytes_max: 1, items }
    }

    /// Whether the page, which has `items` items, takes this one too. A first one it always takes.
    fn takes(&mut self, item: &Item, items: usize) -> bool {
        let bytes = item.key.as_str().len() + item.value.len();
        if 0 < items && self.bytes_left < bytes {
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.item_bytes_max = self.item_bytes_max.max(bytes);
        let by_bytes = (self.bytes_left / self.item_bytes_max).max(1);
        self.items = by_bytes.min(self.limit - items - 1).max(1);
        true
    }

    fn left(&self, items: usize) -> usize {
        self.limit - items
    }
}
