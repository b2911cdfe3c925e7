//! Why a store did not do what it was asked, in words that whoever operates it can check.

use crate::key::StoreKey;
use crate::lease::LeaseId;
use crate::page::StoreRevision;

/// Why a store gave no answer. A lease may have been granted, kept or ended all the same, or a past
/// forgotten: these may be asked for again.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// Worth another try, later.
    #[error("the store does not answer: {check}")]
    Unavailable { check: String },
    /// Read what the store holds now, and go on from there.
    #[error("the store has forgotten revision {asked}: it was compacted since")]
    Compacted { asked: StoreRevision },
    /// The store is not the one that gave this revision, or it was set back.
    #[error("the store is at {newest} and knows no revision {asked}: was it restored?")]
    Ahead { asked: StoreRevision, newest: StoreRevision },
    /// It reads, and takes no writes until there is room. Compaction may make some.
    #[error("the store is full: {check}")]
    Full { check: String },
    /// A limit of this store that is below those of a `Commit`.
    #[error("the store takes nothing of this size: {check}")]
    TooLarge { check: String },
    /// Give the value another lease, or none.
    #[error("lease {lease} has ended, or was never granted")]
    LeaseEnded { lease: LeaseId },
    /// Another process has the store open, and a store of this kind serves one.
    #[error("the store is in use: {check}")]
    InUse { check: String },
    /// Whoever asks may not.
    #[error("the store refuses: {check}")]
    Denied { check: String },
    /// What is there was not written by this program, or not by a version that this one can read.
    #[error("this is no store of ours: {check}")]
    Foreign { check: String },
    /// What the store wrote is not what it finds. Restore it from a backup.
    #[error("the store is damaged: {check}")]
    Corrupt { check: String },
    /// The store, or this watch, was closed by its owner.
    #[error("the store is closed")]
    Closed,
}

/// Why a commit was not made, or not surely.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// Nothing was changed. Of several guards that fail, the first in the commit's own order.
    #[error("{key} is not as the commit expects it: it was changed by another")]
    Conflict { key: StoreKey },
    /// Made whole or not at all, but not known which. Read what it would have changed.
    #[error("it is not known whether the commit was made: {check}")]
    OutcomeUnknown { check: String },
    /// Nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
