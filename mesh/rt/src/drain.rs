//! Leaving without dropping anyone: a node finishes what it took on, or says what it broke off.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::readiness::Readiness;

/// One node's way out. Cheap to clone; every clone speaks of the same drain.
///
/// The order never changes: turn unready, stop accepting, let work finish, break off the rest.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    readiness: Readiness,
    begun: CancellationToken,
    expired: CancellationToken,
    work: TaskTracker,
}

/// How a drain ended. The process exits 0 for both; a monitor may treat them differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drained {
    Finished,
    BrokeOff { tasks: usize },
}

impl Drain {
    /// A drain that turns `readiness` unready for good before it does anything else.
    pub fn new(readiness: Readiness) -> Self {
        Self { readiness, ..Self::default() }
    }

    /// Runs `task` as work that a drain waits for. It is dropped at its next await point if the
    /// drain's deadline passes first, so it must keep no promise across an await.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let expired = self.expired.clone();
        self.work.spawn(async move {
            tokio::select! {
                () = task => {}
                () = expired.cancelled() => {}
            }
        });
    }

    /// Completes when the node begins to drain: accept loops and health checks wait on this.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Has the drain begun?
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Drains: waits at most `grace` for work to finish, then breaks off what is left.
    pub async fn run(&self, grace: Duration) -> Drained {
        info!(?grace, tasks = self.work.len(), "drain begins");
        self.readiness.turn_draining();
        self.begun.cancel();
        self.work.close();
        if tokio::time::timeout(grace, self.work.wait()).await.is_ok() {
            info!("drain finished");
            return Drained::Finished;
        }
        let tasks = self.work.len();
        warn!(?grace, tasks, "drain deadline passed, breaking off what is left");
        self.expired.cancel();
        self.work.wait().await;
        Drained::BrokeOff { tasks }
    }
}

/// Completes on the first SIGTERM or SIGINT. A second one ends the process at once: an operator
/// who asks twice means it.
#[cfg(unix)]
pub async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let first = next().await;
    info!(signal = first, "asked to stop");
    tokio::spawn(async move {
        let second = next().await;
        warn!(signal = second, "asked to stop twice, exiting now");
        std::process::exit(1);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_in_hand_finishes() {
        let drain = Drain::default();
        let began = Instant::now();
        drain.spawn(sleep(Duration::from_secs(2)));
        assert_eq!(drain.run(Duration::from_secs(5)).await, Drained::Finished);
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_outlasts_the_grace_is_broken_off() {
        let drain = Drain::default();
        let began = Instant::now();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        drain.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drain.spawn(sleep(Duration::from_secs(2)));
        assert_eq!(drain.run(Duration::from_secs(5)).await, Drained::BrokeOff { tasks: 1 });
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert!(dropped.await.is_err(), "the task is gone when the drain has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_unready_then_stops_accepting_then_waits() {
        let readiness = Readiness::default();
        let drain = Drain::new(readiness.clone());
        let seen = Arc::new(Mutex::new(Vec::new()));
        assert!(readiness.ready() && !drain.has_begun());

        let (accepts, works) = (seen.clone(), seen.clone());
        let begins = drain.clone();
        drain.spawn(async move {
            begins.begun().await;
            accepts.lock().unwrap().push(("accepting stops", readiness.ready()));
        });
        drain.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            works.lock().unwrap().push(("work finishes", false));
        });
        drain.run(Duration::from_secs(5)).await;
        let want = [("accepting stops", false), ("work finishes", false)];
        assert_eq!(*seen.lock().unwrap(), want);
        assert!(drain.has_begun());
    }
}
