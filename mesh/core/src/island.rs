//! How long a node goes on by itself when it no longer hears from the centre, which alone knows
//! what was revoked, suspended or withdrawn meanwhile.

use std::time::Duration;

use crate::limits::{ISLAND_LIFE, ISLAND_LIFE_SENSITIVE};

/// The part of a life after which silence is worth a warning.
const WARNING_PART: u32 = 10;

/// What a node is configured with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IslandLife {
    pub plain: Duration,
    /// For services marked sensitive; at most `plain`.
    pub sensitive: Duration,
}

/// What silence of the centre means to a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Freshness {
    Fresh,
    /// Silent for a tenth of its life at least: somebody should look.
    Warned,
    /// Silent for longer than sensitive services are served.
    StaleForSensitive,
    /// Silent for longer than anything is served.
    Stale,
}

impl IslandLife {
    /// What it means that the last heartbeat was made `silent` ago; `None`: there never was one.
    pub fn judge(&self, silent: Option<Duration>) -> Freshness {
        let Some(silent) = silent else { return Freshness::Stale };
        let Self { plain, sensitive } = self;
        // Both lives have their warning, and the shorter one has it first.
        let warned_from = *(plain.min(sensitive)) / WARNING_PART;
        if *plain <= silent {
            Freshness::Stale
        } else if *sensitive <= silent {
            Freshness::StaleForSensitive
        } else if warned_from <= silent {
            Freshness::Warned
        } else {
            Freshness::Fresh
        }
    }
}

impl Freshness {
    /// Is an exchange served in this state?
    pub fn serves(self, sensitive: bool) -> bool {
        match self {
            Self::Fresh | Self::Warned => true,
            Self::StaleForSensitive => !sensitive,
            Self::Stale => false,
        }
    }
}

impl Default for IslandLife {
    fn default() -> Self {
        Self { plain: ISLAND_LIFE, sensitive: ISLAND_LIFE_SENSITIVE }
    }
}

/// How long ago what was sent at `sent_at_unix_ms` was sent, by a clock that shows `now_unix_ms`
/// and may have been set back since: `waited` is what a steady clock has counted at least.
pub fn silence(sent_at_unix_ms: u64, now_unix_ms: u64, waited: Duration) -> Duration {
    Duration::from_millis(now_unix_ms.saturating_sub(sent_at_unix_ms)).max(waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_noticed_long_before_it_stops_anything() {
        let life = IslandLife::default();
        let (minute, day) = (60, 24 * 3600);
        #[rustfmt::skip]
        let cases = [
            // Silent for, seconds   What it means                  Served, and sensitive ones
            (0,                      Freshness::Fresh,              true,  true),
            (89,                     Freshness::Fresh,              true,  true),
            (90,                     Freshness::Warned,             true,  true),
            (15 * minute - 1,        Freshness::Warned,             true,  true),
            (15 * minute,            Freshness::StaleForSensitive,  true,  false),
            (7 * day - 1,            Freshness::StaleForSensitive,  true,  false),
            (7 * day,                Freshness::Stale,              false, false),
            (u64::MAX / 1000,        Freshness::Stale,              false, false),
        ];
        for (silent_s, want, plain, sensitive) in cases {
            let found = life.judge(Some(Duration::from_secs(silent_s)));
            assert_eq!(found, want, "{silent_s} s");
            assert_eq!((found.serves(false), found.serves(true)), (plain, sensitive));
        }
        assert_eq!(life.judge(None), Freshness::Stale, "it never heard anything");
    }

    #[test]
    fn a_clock_that_is_set_back_prolongs_nothing() {
        let waited = Duration::from_secs(60);
        assert_eq!(silence(1_000_000, 1_030_000, waited), waited);
        assert_eq!(silence(1_000_000, 1_090_000, waited), Duration::from_secs(90));
        assert_eq!(silence(1_000_000, 0, waited), waited);
        assert_eq!(silence(u64::MAX, 5, Duration::ZERO), Duration::ZERO);
    }
}
