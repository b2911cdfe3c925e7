//! Leases: what is put under one goes by itself when whoever holds it does not keep it.

use std::fmt;
use std::time::Duration;

/// Shortest life of a lease. etcd does not grant less than its members take to elect a leader.
pub const LIFE_MIN: Duration = Duration::from_secs(2);

/// Longest life of a lease.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The number that the store gave a lease. No two leases of a store have the same.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeaseId(pub i64);

/// How long a lease lives when it is not kept: whole seconds from [`LIFE_MIN`] to [`LIFE_MAX`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LeaseLife(Duration);

/// A time that is no life of a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a lease of {0:?}, want whole seconds from {LIFE_MIN:?} to {LIFE_MAX:?}")]
pub struct LifeRefused(Duration);

impl LeaseLife {
    pub fn new(life: Duration) -> Result<Self, LifeRefused> {
        if life.subsec_nanos() != 0 || !(LIFE_MIN..=LIFE_MAX).contains(&life) {
            return Err(LifeRefused(life));
        }
        Ok(Self(life))
    }

    pub fn duration(self) -> Duration {
        self.0
    }

    pub fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

impl fmt::Display for LeaseId {
    /// As etcd's own tools show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_whole_seconds_within_bounds() {
        let ms = Duration::from_millis;
        for good in [LIFE_MIN, ms(15_000), LIFE_MAX] {
            assert_eq!(LeaseLife::new(good).unwrap().duration(), good);
        }
        for bad in [ms(0), ms(1_000), ms(2_500), LIFE_MAX + ms(1_000)] {
            assert_eq!(LeaseLife::new(bad), Err(LifeRefused(bad)));
        }
    }
}
