//! Watching: what changes from a revision on, commit by commit.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::error::StoreError;
use crate::key::StoreKey;
use crate::page::StoreRevision;

/// What one commit changed below the prefix that is watched: at least one key, in order of keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    pub revision: StoreRevision,
    pub changes: Vec<Change>,
}

/// What became of one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    Put {
        key: StoreKey,
        value: Bytes,
    },
    /// Deleted by a commit, or gone with its lease.
    Deleted {
        key: StoreKey,
    },
}

/// A stream without an end, but for an error, which is its last item. See `Store::watch`.
pub struct Watch(Pin<Box<dyn Stream<Item = Result<Changed, StoreError>> + Send>>);

impl Watch {
    pub fn new(stream: impl Stream<Item = Result<Changed, StoreError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// The next commit that changed something below the prefix, when there is one. Loses nothing
    /// when the caller stops waiting and calls again. After an error it answers `Closed`.
    pub async fn next(&mut self) -> Result<Changed, StoreError> {
        let next = std::future::poll_fn(|context| self.0.as_mut().poll_next(context)).await;
        next.unwrap_or(Err(StoreError::Closed))
    }
}

impl Change {
    pub fn key(&self) -> &StoreKey {
        match self {
            Self::Put { key, .. } | Self::Deleted { key } => key,
        }
    }

    /// Of its key and its value.
    pub fn bytes(&self) -> usize {
        let value = match self {
            Self::Put { value, .. } => value.len(),
            Self::Deleted { .. } => 0,
        };
        self.key().as_str().len() + value
    }
}

impl Stream for Watch {
    type Item = Result<Changed, StoreError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Changed, StoreError>>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
