//! How long leases have to live. A store that starts gives each its full life, so no time of day
//! and no time of an earlier process is ever compared.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::lease::{LeaseId, LeaseLife};

/// Leases that a store has at a time, at most.
pub const LEASES_MAX: usize = 10_000;

/// Tells how much time has passed. Never goes back.
pub trait LeaseClock: fmt::Debug + Send + Sync + 'static {
    /// Since whenever this clock began.
    fn passed(&self) -> Duration;
}

/// The machine's clock for time spans.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock(Instant);

#[derive(Debug)]
pub(super) struct Lives {
    clock: Arc<dyn LeaseClock>,
    leases: Mutex<HashMap<LeaseId, Life>>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    life: Duration,
    ends: Duration,
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl LeaseClock for SteadyClock {
    fn passed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Lives {
    /// Of a store that starts, with the lives of its leases in seconds.
    pub(super) fn new(clock: Arc<dyn LeaseClock>, leases: Vec<(LeaseId, u64)>) -> Self {
        let now = clock.passed();
        let lives = leases.into_iter().map(|(lease, secs)| {
            let life = Duration::from_secs(secs);
            (lease, Life { life, ends: now + life })
        });
        let leases = Mutex::new(lives.collect());
        Self { clock, leases }
    }

    pub(super) fn begin(&self, lease: LeaseId, life: LeaseLife) {
        let life = life.duration();
        let ends = self.clock.passed() + life;
        self.lock().insert(lease, Life { life, ends });
    }

    /// Those whose time is over stay over: they only wait for the writer.
    pub(super) fn keep(&self, lease: LeaseId) -> Result<(), StoreError> {
        let now = self.clock.passed();
        match self.lock().get_mut(&lease).filter(|life| now < life.ends) {
            Some(life) => {
                life.ends = now + life.life;
                Ok(())
            }
            None => Err(StoreError::LeaseEnded { lease }),
        }
    }

    pub(super) fn is_alive(&self, lease: LeaseId) -> bool {
        let now = self.clock.passed();
        self.lock().get(&lease).is_some_and(|life| now < life.ends)
    }

    /// The leases whose time is over, by their numbers.
    pub(super) fn over(&self) -> Vec<LeaseId> {
        let leases = self.lock();
        if leases.is_empty() {
            return Vec::new();
        }
        let now = self.clock.passed();
        let over = leases.iter().filter(|(_, life)| life.ends <= now).map(|(lease, _)| *lease);
        let mut over: Vec<_> = over.collect();
        over.sort_unstable();
        over
    }

    pub(super) fn end(&self, lease: LeaseId) {
        self.lock().remove(&lease);
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseId, Life>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
