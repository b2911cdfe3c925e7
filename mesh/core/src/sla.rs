//! What a provider promises of a service, and an agreement settles: availability and latency.

use serde::{Deserialize, Serialize};

/// A promised level of service. What was kept of it is measured, not told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Written")]
pub struct Sla {
    /// Thousandths of a percent, such as 99900 for 99.9 %.
    pub availability_millipercent: u32,
    /// Of a hundred answers, 95 come within this time.
    pub latency_p95_ms: u32,
}

/// All of the time.
const AVAILABILITY_MAX: u32 = 100_000;

/// Numbers that promise nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SlaError {
    #[error("availability_millipercent is {0}, want 1 to {AVAILABILITY_MAX}")]
    Availability(u32),
    #[error("latency_p95_ms is 0, which no service keeps")]
    Latency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    availability_millipercent: u32,
    latency_p95_ms: u32,
}

impl Sla {
    pub fn new(availability_millipercent: u32, latency_p95_ms: u32) -> Result<Self, SlaError> {
        if !(1..=AVAILABILITY_MAX).contains(&availability_millipercent) {
            return Err(SlaError::Availability(availability_millipercent));
        }
        if latency_p95_ms == 0 {
            return Err(SlaError::Latency);
        }
        Ok(Self { availability_millipercent, latency_p95_ms })
    }
}

impl TryFrom<Written> for Sla {
    type Error = SlaError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        Self::new(written.availability_millipercent, written.latency_p95_ms)
    }
}
