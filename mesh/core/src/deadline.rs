//! Deadlines travel as remaining time and shrink at each hop; two hosts' clocks are never compared.

use std::time::Duration;

/// What a hop keeps back for the way home, so that the hop farthest from the caller runs out first
/// and the error that names it arrives before the nearer hops give up too.
const HOME_MAX: Duration = Duration::from_millis(20);

/// The time to hand on after `spent` at this hop of `remaining`; `None` when nothing is left.
pub fn hand_on(remaining: Duration, spent: Duration) -> Option<Duration> {
    let left = remaining.checked_sub(spent)?;
    let home = HOME_MAX.min(left / 20);
    Some(left - home).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinks_at_every_hop() {
        let ms = Duration::from_millis;
        let cases = [
            // Remaining   Spent     Handed on
            (ms(30_000), ms(0), Some(ms(29_980))),
            (ms(30_000), ms(1_000), Some(ms(28_980))),
            (ms(100), ms(0), Some(ms(95))),
            (ms(100), ms(100), None),
            (ms(100), ms(200), None),
        ];
        for (remaining, spent, want) in cases {
            assert_eq!(hand_on(remaining, spent), want, "{remaining:?} - {spent:?}");
        }
    }
}
