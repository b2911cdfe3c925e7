//! Callers that ask without pause, and what they saw.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::part::Failure;

/// One exchange, begun and answered.
pub(crate) trait Ask: Send + Sync + 'static {
    fn ask(&self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// How much to ask.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) callers: usize,
    pub(crate) during_ms: u64,
}

/// What the callers of one order saw.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) exchanges: u64,
    pub(crate) elapsed_us: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

/// Lets callers ask, each its next question when the last is answered. One failure fails all: a
/// contender that drops what it was given has carried nothing.
pub(crate) async fn run<A: Ask>(asker: &Arc<A>, order: Order) -> Result<Seen, Failure> {
    let began = Instant::now();
    let until = began + Duration::from_millis(order.during_ms);
    let mut callers = JoinSet::new();
    for _ in 0..order.callers {
        let asker = Arc::clone(asker);
        callers.spawn(async move {
            let mut latencies_us = Vec::new();
            let mut asked = Instant::now();
            while asked < until {
                asker.ask().await?;
                let answered = Instant::now();
                latencies_us.push((answered - asked).as_micros() as u64);
                asked = answered;
            }
            Ok::<_, Failure>(latencies_us)
        });
    }
    let mut latencies_us = Vec::new();
    while let Some(caller) = callers.join_next().await {
        latencies_us.extend(caller??);
    }
    let elapsed_us = began.elapsed().as_micros() as u64;
    latencies_us.sort_unstable();
    Ok(Seen {
        exchanges: latencies_us.len() as u64,
        elapsed_us,
        p50_us: percentile(&latencies_us, 50),
        p99_us: percentile(&latencies_us, 99),
    })
}

/// The smallest of `sorted` that at least `percent` of them do not exceed; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), 50);
        assert_eq!(percentile(&hundred, 99), 99);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    /// Answers so many times, and then no more.
    struct Few(AtomicUsize);

    impl Ask for Few {
        async fn ask(&self) -> Result<(), Failure> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let left =
                self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            left.map(|_| ()).map_err(|_| "no answer".into())
        }
    }

    #[tokio::test]
    async fn one_failure_fails_the_order() {
        let order = Order { callers: 2, during_ms: 20 };
        let seen = run(&Arc::new(Few(AtomicUsize::new(1000))), order).await.unwrap();
        assert!(2 <= seen.exchanges && 1_000 <= seen.p50_us, "{seen:?}");
        let failure = run(&Arc::new(Few(AtomicUsize::new(3))), order).await.unwrap_err();
        assert_eq!(failure.to_string(), "no answer");
    }
}
