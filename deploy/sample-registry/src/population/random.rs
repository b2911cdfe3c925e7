//! A dice that falls the same way for the same seed, on every machine and in every release.

/// SplitMix64. It is ours rather than a library's, because a library may improve its stream and
/// would thereby replace every person that the documents cite.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A dice for one subject of one book alone. What it throws hangs on no other subject, so that
    /// a book about more of them begins with the smaller book.
    pub(crate) fn of(seed: u64, book: &str, number: u64) -> Self {
        // FNV-1a tells the books apart; each step is mixed, as streams of close seeds overlap.
        let book = book.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mix(mix(mix(seed) ^ book) ^ number))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The top 32 bits scale to the range without a loop; the bias is far below what a sample
        // population could show.
        let scaled = (self.next() >> 32) * u64::from(bound);
        (scaled >> 32) as u32
    }

    /// Whether something of `percent` in a hundred happens.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// `N` digits.
    pub(crate) fn digits<const N: usize>(&mut self) -> [u8; N] {
        [0; N].map(|_: u8| self.below(10) as u8)
    }

    /// One of `choices`, which is never empty here: they are the constant lists of this crate.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }
}

fn mix(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_book_and_subject_has_its_own_dice() {
        let first = |seed, book, number| SplitMix64::of(seed, book, number).next();
        let mut thrown: Vec<u64> = Vec::new();
        for seed in 0..4 {
            for book in ["", "a", "b"] {
                thrown.extend((0..100).map(|number| first(seed, book, number)));
            }
        }
        let all = thrown.len();
        thrown.sort_unstable();
        thrown.dedup();
        assert_eq!(thrown.len(), all);
    }

    #[test]
    fn follows_the_published_stream() {
        let mut random = SplitMix64::new(1_234_567);
        let found: Vec<u64> = (0..3).map(|_| random.next()).collect();
        let want =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(found, want);
    }

    #[test]
    fn stays_below_its_bound_and_reaches_every_number() {
        let mut random = SplitMix64::new(1);
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            seen[random.below(10) as usize] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(random.below(1), 0);
    }
}
