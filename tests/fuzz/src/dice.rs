//! The only source of chance here: SplitMix64, so that a seed means the same for ever.
//!
//! G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
//! 2014.

use std::ops::RangeInclusive;

/// A generator; the same seed throws the same numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // Not quite even for large limits, which does not matter here.
        (self.number() % limit as u64) as usize
    }

    /// A number in `range`, often one of its ends: that is where mistakes are.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        match self.below(8) {
            0 => low,
            1 => high,
            _ => match (high - low).checked_add(1) {
                Some(count) => low + self.number() % count,
                None => self.number(),
            },
        }
    }

    /// A length up to `max`: mostly short, sometimes the longest.
    pub fn length(&mut self, max: usize) -> usize {
        match self.below(32) {
            0 => max,
            1 => self.below(max + 1),
            _ => self.below(max.min(24) + 1),
        }
    }

    /// One time in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn byte(&mut self) -> u8 {
        self.number() as u8
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// One of `choices`, of which there is at least one.
    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    /// A value every other time.
    pub fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(2).then(|| value(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        // The sequence that the authors' own program prints for this seed.
        let mut dice = Dice::new(1234567);
        let want = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([dice.number(), dice.number()], want);
    }

    #[test]
    fn a_range_gives_its_ends_and_nothing_else() {
        let mut dice = Dice::new(1);
        let thrown: Vec<u64> = (0..100).map(|_| dice.within(3..=5)).collect();
        assert!([3, 4, 5].iter().all(|number| thrown.contains(number)));
        assert!(thrown.iter().all(|number| (3..=5).contains(number)));
        dice.within(0..=u64::MAX);
    }
}
