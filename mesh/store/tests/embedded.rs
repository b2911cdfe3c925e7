//! The embedded store keeps the promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mesh_store::{Embedded, LeaseClock, Store};
use tempfile::TempDir;

use contract::Subject;

mod contract;

/// A clock that a test moves. Clones tell the same time.
#[derive(Clone, Debug, Default)]
struct ManualClock(Arc<AtomicU64>);

impl LeaseClock for ManualClock {
    fn passed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

struct File {
    folder: TempDir,
    clock: ManualClock,
    store: Arc<Embedded>,
}

async fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let store = open(&folder, &clock).await;
    File { folder, clock, store }
}

async fn open(folder: &TempDir, clock: &ManualClock) -> Arc<Embedded> {
    let path = folder.path().join("registry");
    Arc::new(Embedded::open(&path, Arc::new(clock.clone())).await.unwrap())
}

#[async_trait]
impl Subject for File {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<Embedded>::clone(&self.store)
    }

    /// `tests/kill.rs` does it with a process that is killed.
    async fn restart(&mut self) {
        self.store.close().await;
        self.store = open(&self.folder, &self.clock).await;
    }

    async fn pass(&mut self, time: Duration) {
        self.clock.0.fetch_add(time.as_secs(), Ordering::SeqCst);
    }
}

contract::store_contract!(file);
