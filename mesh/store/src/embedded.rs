//! The store of a centre that is one process: one file on its disk, which nobody else may open.
//!
//! Reads run beside each other, each on the state that it began with. Writes pass through one task,
//! which makes those that wait together in one transaction and answers when it is on the disk.

mod disk;
mod follow;
mod lives;
mod reading;
mod tables;
#[cfg(test)]
mod tests;
mod writer;
mod writing;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::commit::Commit;
use crate::error::{CommitError, StoreError};
use crate::key::{KeyPrefix, StoreKey};
use crate::lease::{LeaseId, LeaseLife};
use crate::page::{Item, Page, PageOf, StoreRevision};
use crate::store::Store;
use crate::watch::Watch;

use disk::{Disk, Trouble};
use lives::Lives;
use reading::Reading;
use writer::Request;

pub use lives::{LEASES_MAX, LeaseClock, SteadyClock};

/// Requests that wait for the writer, at most; whoever comes next waits before that.
const REQUESTS_MAX: usize = 64;

/// See the module. Closed when it is dropped, some moments later; `close` waits for it.
#[derive(Debug)]
pub struct Embedded {
    core: Arc<Core>,
    requests: mpsc::Sender<Request>,
    /// The newest revision. Its sender is the writer's, so that it ends when the writer ends.
    newest: watch::Receiver<u64>,
    /// Taken by whoever closes the store.
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What readers, watchers and the writer share.
#[derive(Debug)]
struct Core {
    disk: Disk,
    lives: Lives,
}

impl Embedded {
    /// Opens the store in `file`; makes an empty one if there is no such file. Its task runs on the
    /// runtime of the caller. `clock` says when leases end.
    pub async fn open(file: &Path, clock: Arc<dyn LeaseClock>) -> Result<Self, StoreError> {
        Self::open_disk(Disk::new(file), clock).await
    }

    async fn open_disk(disk: Disk, clock: Arc<dyn LeaseClock>) -> Result<Self, StoreError> {
        let opened = spawn_blocking(move || {
            disk.open()?;
            let (revision, leases) =
                disk.read(|reading| Ok((reading.newest, reading.leases()?)))?;
            Ok::<_, StoreError>((Core { disk, lives: Lives::new(clock, leases) }, revision))
        });
        let (core, revision) = opened.await.map_err(|why| broken_off(&why))??;
        let core = Arc::new(core);
        let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
        let (news, newest) = watch::channel(revision);
        let writer = tokio::spawn(writer::run(Arc::clone(&core), waiting, news));
        Ok(Self { core, requests, newest, writer: Mutex::new(Some(writer)) })
    }

    /// Ends what is under way, ends the watches, and lets go of the file. Calls that come later
    /// find the store `Closed`.
    pub async fn close(&self) {
        // The writer ends for this request; if it has ended, nobody takes it.
        let _ = self.requests.send(Request::Close).await;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It has let go of the file, however it ended.
            let _ = writer.await;
        }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)
    }
}

impl Core {
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Reading) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let core = Arc::clone(self);
        spawn_blocking(move || core.disk.read(what)).await.map_err(|why| broken_off(&why))?
    }
}

#[async_trait]
impl Store for Embedded {
    async fn get(&self, key: &StoreKey) -> Result<Option<Item>, StoreError> {
        let key = key.clone();
        self.core.read(move |reading| reading.get(&key)).await
    }

    async fn page(&self, of: &PageOf) -> Result<Page, StoreError> {
        let of = of.clone();
        self.core.read(move |reading| reading.page(&of)).await
    }

    async fn commit(&self, commit: Commit) -> Result<StoreRevision, CommitError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Commit(commit, answer);
        self.requests.send(request).await.map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or_else(|_| {
            let check = "the store stopped meanwhile".into();
            Err(CommitError::OutcomeUnknown { check })
        })
    }

    async fn watch(&self, prefix: &KeyPrefix, after: StoreRevision) -> Result<Watch, StoreError> {
        self.core.read(move |reading| reading.knows(after)).await?;
        let newest = self.newest.clone();
        Ok(follow::follow(Arc::clone(&self.core), newest, prefix.clone(), after))
    }

    async fn grant(&self, life: LeaseLife) -> Result<LeaseId, StoreError> {
        self.ask(|answer| Request::Grant(life, answer)).await?
    }

    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.core.lives.keep(lease)
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.ask(|answer| Request::Revoke(lease, answer)).await?
    }

    async fn compact(&self, before: StoreRevision) -> Result<(), StoreError> {
        self.ask(|answer| Request::Compact(before, answer)).await?
    }
}

fn broken_off(why: &JoinError) -> StoreError {
    if why.is_cancelled() {
        return StoreError::Closed;
    }
    // The database refuses what it can see to be damaged; what it did not see ends in a panic.
    StoreError::Corrupt { check: "see what the program said when it gave up".into() }
}
