//! The time of day, as an argument: the only place that reads the system's clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Tells the time of day. May jump: for time spans use a monotonic clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn unix_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that a test moves. Clones tell the same time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    unix_ms: Arc<AtomicU64>,
}

impl Clock for SystemClock {
    /// A clock set to before 1970 tells 1970.
    fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Clock for ManualClock {
    fn unix_ms(&self) -> u64 {
        self.unix_ms.load(Ordering::SeqCst)
    }
}

impl ManualClock {
    pub fn new(unix_ms: u64) -> Self {
        Self { unix_ms: Arc::new(AtomicU64::new(unix_ms)) }
    }

    pub fn advance(&self, by: Duration) {
        self.unix_ms.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    /// Sets the clock, also back.
    pub fn set(&self, unix_ms: u64) {
        self.unix_ms.store(unix_ms, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_tell_the_time() {
        let clock = ManualClock::new(1_000);
        let same: Arc<dyn Clock> = Arc::new(clock.clone());
        clock.advance(Duration::from_secs(2));
        assert_eq!(same.unix_ms(), 3_000);
        clock.set(5);
        assert_eq!(same.unix_ms(), 5);
        let year_2020_ms = 1_577_836_800_000;
        assert!(year_2020_ms < SystemClock.unix_ms());
    }
}
