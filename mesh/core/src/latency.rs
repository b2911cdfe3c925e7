//! How long exchanges took, as counts in fixed buckets: into which one a time falls, and what the
//! counts say of percentiles.
//!
//! Four buckets to an octave, from 64 µs to 67 s; one below and one above. A percentile is the
//! middle of its bucket, and so within an eighth of the time that was measured.

use std::time::Duration;

/// How many buckets there are.
pub const BUCKETS: usize = 1 + (OCTAVES << QUARTERS_LOG2) + 1;

const OCTAVES: usize = 20;
const QUARTERS_LOG2: u32 = 2;

/// Bucket 0 holds what took less than 2 to this power, in microseconds.
const FIRST_US_LOG2: u32 = 6;

/// Counts of times, by bucket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Latencies(pub [u64; BUCKETS]);

/// The bucket of what took so long.
pub fn bucket_of(took: Duration) -> usize {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if us < bound_us(1) {
        return 0;
    }
    let log2 = us.ilog2();
    let octave = (log2 - FIRST_US_LOG2) as usize;
    // The two digits below the leading one say in which quarter of its octave the time is.
    let quarter = (us >> (log2 - QUARTERS_LOG2)) as usize & 3;
    (1 + 4 * octave + quarter).min(BUCKETS - 1)
}

/// The shortest time of a bucket, in microseconds.
pub fn bound_us(bucket: usize) -> u64 {
    bucket.checked_sub(1).map_or(0, |step| {
        let (octave, quarter) = (step as u32 / 4, step as u64 % 4);
        (4 + quarter) << (FIRST_US_LOG2 - QUARTERS_LOG2 + octave)
    })
}

impl Default for Latencies {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Latencies {
    /// What was counted since `earlier`, by the same counter.
    pub fn since(&self, earlier: &Self) -> Self {
        let Self(mut counts) = self.clone();
        for (count, before) in counts.iter_mut().zip(earlier.0) {
            *count = count.saturating_sub(before);
        }
        Self(counts)
    }

    /// The time that `percent` of the exchanges took at most; `None` without any. What is above all
    /// bounds is told as the last bound.
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let Self(counts) = self;
        let total: u128 = counts.iter().copied().map(u128::from).sum();
        let rank = (total * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += u128::from(*count);
            rank <= seen
        })?;
        let (shortest, next) = (bound_us(bucket), bound_us(bucket + 1));
        let us = if bucket == BUCKETS - 1 { shortest } else { shortest.midpoint(next) };
        Some(Duration::from_micros(us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn times_fall_into_buckets() {
        let cases = [
            (0, 0),
            (63, 0),
            (64, 1),
            (79, 1),
            (80, 2),
            (127, 4),
            (128, 5),
            (1_000, 16),
            (60_000_000, 80),
            (67_108_863, 80),
            (67_108_864, 81),
            (u64::MAX, 81),
        ];
        for (time, want) in cases {
            assert_eq!(bucket_of(us(time)), want, "{time} us");
        }
        assert_eq!(bucket_of(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn every_bound_begins_its_bucket() {
        for bucket in 1..BUCKETS {
            let bound = bound_us(bucket);
            assert_eq!(bucket_of(us(bound)), bucket, "{bound} us");
            assert_eq!(bucket_of(us(bound - 1)), bucket - 1, "{bound} us");
        }
    }

    #[test]
    fn percentiles_are_within_an_eighth() {
        for time in [64, 100, 999, 4_321, 250_000, 59_999_999] {
            let mut latencies = Latencies::default();
            latencies.0[bucket_of(us(time))] = 7;
            for percent in [0, 50, 99, 100] {
                let found = latencies.percentile(percent).unwrap().as_micros() as u64;
                assert!(found.abs_diff(time) * 8 <= time, "{time} us is told as {found}");
            }
        }
    }

    #[test]
    fn percentiles_are_those_of_the_difference() {
        let mut earlier = Latencies::default();
        earlier.0[bucket_of(us(1_000_000))] = 1_000;
        let mut later = earlier.clone();
        assert_eq!(later.since(&earlier).percentile(50), None);
        later.0[bucket_of(us(1_100))] += 90;
        later.0[bucket_of(us(20_000))] += 9;
        later.0[BUCKETS - 1] += 1;
        let between = later.since(&earlier);
        let cases = [(50, 1_152), (90, 1_152), (91, 18_432), (99, 18_432), (100, 67_108_864)];
        for (percent, want) in cases {
            assert_eq!(between.percentile(percent), Some(us(want)), "p{percent}");
        }
        assert_eq!(earlier.since(&later), Latencies::default(), "never below nothing");
    }
}
