//! The sections of a configuration that hubs share beyond those of `mesh-rt`.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// Body bytes under way that the node takes, for each exchange and direction.
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
        let most = mesh_core::limits::CREDIT_BYTES * 16;
        if most < self.credit_bytes.get() {
            let message = format!("{} exceeds {most}", self.credit_bytes);
            return Err(("limits.credit_bytes", message));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        let nonzero = |value| std::num::NonZeroU32::new(value).unwrap_or(std::num::NonZeroU32::MIN);
        Self {
            exchanges_max: nonzero(mesh_core::limits::EXCHANGES_MAX),
            credit_bytes: nonzero(mesh_core::limits::CREDIT_BYTES),
        }
    }
}
