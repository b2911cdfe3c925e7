//! Watches. A watcher reads from the file at its own pace, and keeps nothing but its place in it:
//! so a slow one costs no memory, and loses its place only by a compaction.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use tokio::sync::watch;

use super::Core;
use super::reading::Followed;
use super::writer::LOOK_EVERY;
use crate::error::StoreError;
use crate::key::KeyPrefix;
use crate::page::StoreRevision;
use crate::watch::{Changed, Watch};

struct Follower {
    core: Arc<Core>,
    newest: watch::Receiver<u64>,
    prefix: KeyPrefix,
    after: StoreRevision,
    is_at_the_end: bool,
    read: VecDeque<Changed>,
}

pub(super) fn follow(
    core: Arc<Core>,
    newest: watch::Receiver<u64>,
    prefix: KeyPrefix,
    after: StoreRevision,
) -> Watch {
    let read = VecDeque::new();
    let follower = Follower { core, newest, prefix, after, is_at_the_end: false, read };
    Watch::new(stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        match follower.next().await {
            Ok(changed) => Some((Ok(changed), Some(follower))),
            Err(why) => Some((Err(why), None)),
        }
    }))
}

impl Follower {
    async fn next(&mut self) -> Result<Changed, StoreError> {
        loop {
            if let Some(changed) = self.read.pop_front() {
                return Ok(changed);
            }
            // What is read may be news that is only just being told.
            if self.is_at_the_end && *self.newest.borrow_and_update() <= self.after.0 {
                self.newest.changed().await.map_err(|_| StoreError::Closed)?;
            }
            let (prefix, after) = (self.prefix.clone(), self.after);
            match self.core.read(move |reading| reading.follow(&prefix, after)).await {
                Ok(Followed { changed, after, is_at_the_end }) => {
                    self.read = changed.into();
                    self.after = after;
                    self.is_at_the_end = is_at_the_end;
                }
                // The writer opens the file again when there is room.
                Err(StoreError::Full { .. }) => tokio::time::sleep(LOOK_EVERY).await,
                Err(why) => return Err(why),
            }
        }
    }
}
