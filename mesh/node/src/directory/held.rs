//! What a node holds of one scope: a signed snapshot, the signed entries after it, and some before
//! it, so that who is a little behind need not take it all again.

use std::cmp::Ordering;
use std::sync::Arc;

use mesh_core::directory::change::Key;
use mesh_core::directory::history::Head;
use mesh_core::exchange::Digest;
use mesh_core::sorted::{Natural, Order, Sorted};
use mesh_proto::wire::directory::v1 as wire;
use mesh_proto::wire::directory::v1::feed_event::Kind;

/// Entries before the snapshot that are kept, where the snapshot allows.
const EARLIER_ENTRIES_MAX: usize = 1024;

/// And their bytes.
const EARLIER_BYTES_MAX: usize = 1024 * 1024;

/// Entries are let grow to so many bytes, however small the snapshot.
const RENEWED_FROM_BYTES: usize = 64 * 1024;

/// See the module. A copy costs nothing.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) head: Head,
    pub(super) snapshot: Option<Laid>,
    entries: Sorted<ByRevision>,
    /// Of all entries.
    bytes: usize,
    /// Of those after the snapshot, or of all where there is none.
    later_bytes: usize,
    /// The keys of the objects in the scope. The centre has its directory for that, and leaves it
    /// empty.
    pub(super) members: Sorted<Natural<Key>>,
}

/// A scope laid out whole.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    pub(super) head: Head,
    pub(super) message: wire::Snapshot,
}

/// An entry, the hash of the head before it, and the head after it.
#[derive(Debug)]
struct Step {
    before: Option<Digest>,
    after: Head,
    message: wire::Entry,
}

#[derive(Debug)]
struct ByRevision;

impl Order for ByRevision {
    type Item = Arc<Step>;

    fn order(a: &Arc<Step>, b: &Arc<Step>) -> Ordering {
        number(&a.after).cmp(&number(&b.after))
    }
}

/// Epoch and revision.
pub(super) fn number(head: &Head) -> (u64, u64) {
    (head.epoch, head.revision)
}

impl Held {
    /// A scope that begins with its first entry, or with a snapshot that is to follow.
    pub(super) fn begin(head: Head) -> Self {
        Self {
            head,
            snapshot: None,
            entries: Sorted::default(),
            bytes: 0,
            later_bytes: 0,
            members: Sorted::default(),
        }
    }

    /// Adds the entry that makes `after`. `before` is `None` where the scope begins with it.
    pub(super) fn push(&mut self, before: Option<Digest>, after: Head, message: wire::Entry) {
        self.head = after;
        self.recall(before, after, message);
    }

    /// Adds an entry that leads to the head that is here already.
    pub(super) fn recall(&mut self, before: Option<Digest>, after: Head, message: wire::Entry) {
        self.bytes += message.body.len();
        self.later_bytes += message.body.len();
        self.entries.insert(Arc::new(Step { before, after, message }));
        self.trim();
    }

    /// Puts `laid`, whose head is this scope's own or one that its entries lead away from, in the
    /// place of the snapshot that is here.
    pub(super) fn renew(&mut self, laid: Laid) {
        let later = self.entries.iter().filter(|step| number(&laid.head) < number(&step.after));
        self.later_bytes = later.map(|step| step.message.body.len()).sum();
        self.snapshot = Some(laid);
        self.trim();
    }

    /// Forgets early entries that are more than is kept. Without a snapshot they are all there is.
    fn trim(&mut self) {
        let Some(laid) = self.snapshot.as_ref().map(|laid| number(&laid.head)) else { return };
        while let Some(first) = self.entries.iter().next().map(|step| number(&step.after)) {
            let early_bytes = self.bytes - self.later_bytes;
            let few = self.entries.len() <= EARLIER_ENTRIES_MAX;
            if laid < first || few && early_bytes <= EARLIER_BYTES_MAX {
                return;
            }
            let gone = self.entries.remove(|it| number(&it.after).cmp(&first));
            self.bytes -= gone.map_or(0, |step| step.message.body.len());
        }
    }

    /// Are the entries since the snapshot more than the snapshot itself? Then a new one costs no
    /// more than they did.
    pub(super) fn overgrown(&self) -> bool {
        let laid = self.snapshot.as_ref().map_or(0, |laid| laid.message.body.len());
        laid.max(RENEWED_FROM_BYTES) < self.later_bytes
    }

    /// Was this its head, or is it?
    pub(super) fn passed(&self, head: &Head) -> bool {
        let step = self.entries.find(|it| number(&it.after).cmp(&number(head)));
        let laid = self.snapshot.as_ref().map(|laid| laid.head);
        self.head == *head || laid == Some(*head) || step.is_some_and(|step| step.after == *head)
    }

    /// What one who has `have` lacks, and `None` where that takes a snapshot that is not here. Who
    /// is ahead lacks nothing, and to who has another truth of the same number there is nothing to
    /// give: the next heartbeat tells both.
    pub(super) fn since(&self, have: Option<Head>) -> Option<Vec<Kind>> {
        if have.is_some_and(|have| number(&self.head) <= number(&have)) {
            return Some(Vec::new());
        }
        let from = |have: Option<Head>| {
            let at = have.map(|head| number(&head));
            let mut steps = self.entries.from(move |it| {
                if Some(number(&it.after)) <= at { Ordering::Less } else { Ordering::Greater }
            });
            let before = have.and_then(|head| head.hash);
            let first = steps.next().filter(|step| step.before == before)?;
            let steps = std::iter::once(first).chain(steps);
            Some(steps.map(|step| Kind::Entry(step.message.clone())).collect::<Vec<_>>())
        };
        let by_entries = have.is_some() || self.snapshot.is_none();
        if let Some(entries) = from(have).filter(|_| by_entries) {
            return Some(entries);
        }
        let laid = self.snapshot.as_ref()?;
        let later = if laid.head == self.head { Vec::new() } else { from(Some(laid.head))? };
        let mut all = vec![Kind::Snapshot(laid.message.clone())];
        all.extend(later);
        Some(all)
    }
}

#[cfg(test)]
mod tests;
