//! The sections of a configuration that hubs share beyond those of `mesh-rt`.

use std::net::SocketAddr;
use std::path::PathBuf;

use mesh_core::limits::{CREDIT_BYTES, DATA_BYTES_MAX, EXCHANGES_MAX};
use mesh_rt::config::loopback;
use serde::Deserialize;

/// `[listen]`: where neighbours from below dial.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The mesh port.
    pub mesh: SocketAddr,
}

/// `[admin]`: where operators ask a hub how it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// A loopback address.
    pub listen: SocketAddr,
    /// The authority that vouches for operators. PEM.
    pub trust_file: PathBuf,
}

/// `[upper]`: the upper neighbour.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upper {
    pub address: SocketAddr,
    /// The authority that vouches for it, and for nobody else. PEM.
    pub trust_file: PathBuf,
}

/// `[limits]`: bounds on work in hand.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Exchanges that one neighbour may have open on one lane before it gets `OVERLOADED`.
    pub exchanges_max: std::num::NonZeroU32,
    /// Body bytes under way that the node takes, for each exchange and direction: what an opening
    /// may carry at least.
    pub credit_bytes: std::num::NonZeroU32,
}

impl Admin {
    /// The rule on its address, for `Check::check`.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        loopback("admin.listen", self.listen)
    }
}

impl Limits {
    /// The rule on its credit, for `Check::check`.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let (least, most) = (DATA_BYTES_MAX as u32, CREDIT_BYTES * 16);
        let credit_bytes = self.credit_bytes.get();
        let message = match credit_bytes {
            // Every neighbour would refuse the link.
            less if less < least => {
                format!("{less} is less than {least}, what an opening may carry")
            }
            more if most < more => format!("{more} exceeds {most}"),
            _ => return Ok(()),
        };
        Err(("limits.credit_bytes", message))
    }
}

impl Default for Limits {
    fn default() -> Self {
        let nonzero = |value| std::num::NonZeroU32::new(value).unwrap_or(std::num::NonZeroU32::MIN);
        Self { exchanges_max: nonzero(EXCHANGES_MAX), credit_bytes: nonzero(CREDIT_BYTES) }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn credit_is_for_one_part_at_least() {
        let check = |credit_bytes| {
            let credit_bytes = NonZeroU32::new(credit_bytes).unwrap();
            Limits { credit_bytes, ..Limits::default() }.check()
        };
        let wrong = |message: &str| Err(("limits.credit_bytes", message.to_owned()));
        assert_eq!(check(16_384), Ok(()));
        assert_eq!(check(16_383), wrong("16383 is less than 16384, what an opening may carry"));
        assert_eq!(check(1_048_576), Ok(()));
        assert_eq!(check(1_048_577), wrong("1048577 exceeds 1048576"));
        assert_eq!(Limits::default().check(), Ok(()));
    }
}
