//! The sections of a configuration that nodes share beyond those of `mesh-rt`.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use mesh_core::island::IslandLife;
use mesh_core::limits::{
    CREDIT_BYTES, DATA_BYTES_MAX, EXCHANGES_MAX, ISLAND_LIFE, ISLAND_LIFE_MAX,
    ISLAND_LIFE_SENSITIVE,
};
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

/// `[members]`: whose officers sign agreements.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The members authority. PEM. Its key is on no machine of the mesh.
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

/// `[directory]`: whom the node believes of the mesh, and where it keeps what it was told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorySection {
    /// Public keys that the directory may be signed with; it names those that come later. PEM.
    pub key_file: PathBuf,
    /// A folder for this node alone.
    pub state_dir: PathBuf,
    /// How long the node goes on without hearing from the centre, in seconds.
    #[serde(default = "DirectorySection::island_life_s")]
    pub island_life_s: NonZeroU64,
    /// The same for services marked sensitive.
    #[serde(default = "DirectorySection::island_life_sensitive_s")]
    pub island_life_sensitive_s: NonZeroU64,
}

/// `[directory]` at the centre: what it tells the mesh is signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDirectory {
    /// The public keys that nodes are set up with: that of `signing_key_file` is among them, or the
    /// registry names it. PEM.
    pub key_file: PathBuf,
    /// The private key that the directory is signed with. PKCS#8 PEM, for this node alone.
    pub signing_key_file: PathBuf,
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

impl DirectorySection {
    /// The rules between its fields, for `Check::check`.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let (life_s, most_s) = (self.island_life_s.get(), ISLAND_LIFE_MAX.as_secs());
        if most_s < life_s {
            return Err(("directory.island_life_s", format!("{life_s} exceeds {most_s}")));
        }
        let sensitive_s = self.island_life_sensitive_s.get();
        if life_s < sensitive_s {
            let message = format!("{sensitive_s} exceeds directory.island_life_s, {life_s}");
            return Err(("directory.island_life_sensitive_s", message));
        }
        Ok(())
    }

    /// How long the node goes on by itself.
    pub fn island_life(&self) -> IslandLife {
        IslandLife {
            plain: Duration::from_secs(self.island_life_s.get()),
            sensitive: Duration::from_secs(self.island_life_sensitive_s.get()),
        }
    }

    fn island_life_s() -> NonZeroU64 {
        seconds(ISLAND_LIFE)
    }

    fn island_life_sensitive_s() -> NonZeroU64 {
        seconds(ISLAND_LIFE_SENSITIVE)
    }
}

fn seconds(time: Duration) -> NonZeroU64 {
    NonZeroU64::new(time.as_secs()).unwrap_or(NonZeroU64::MIN)
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
    fn an_island_lives_so_long_and_sensitive_services_no_longer() {
        let check = |life_s, sensitive_s| {
            let text = format!(
                "key_file = \"k\"\nstate_dir = \"s\"\nisland_life_s = {life_s}\n\
                 island_life_sensitive_s = {sensitive_s}\n"
            );
            toml::from_str::<DirectorySection>(&text).unwrap().check()
        };
        let section: DirectorySection =
            toml::from_str("key_file = \"k\"\nstate_dir = \"s\"").unwrap();
        assert_eq!(section.island_life(), IslandLife::default());
        assert_eq!(check(900, 900), Ok(()));
        let wrong = |field, message: &str| Err((field, message.to_owned()));
        assert_eq!(
            check(60, 900),
            wrong("directory.island_life_sensitive_s", "900 exceeds directory.island_life_s, 60")
        );
        assert_eq!(
            check(2_592_001, 60),
            wrong("directory.island_life_s", "2592001 exceeds 2592000")
        );
    }

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
