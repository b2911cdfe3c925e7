//! The sections that the configurations of all daemons share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mesh_core::id::MeshId;
use mesh_core::node::{MeshDomain, ParseNodeError};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// Longest grace of a drain: what an exchange may take at most.
const GRACE_MS_MAX: u64 = mesh_core::limits::DEADLINE_MAX.as_millis() as u64;

/// `[mesh]`: which mesh the node belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MeshFields")]
pub struct Mesh(MeshDomain);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeshFields {
    id: MeshId,
    domain: String,
}

/// `[tls]`: the node's own identity, and whom it trusts. PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The node's certificate, then its intermediates.
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    /// The roots that links are checked against.
    pub trust_file: PathBuf,
}

/// `[log]`: what the node writes to stderr.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub filter: Filter,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For eyes.
    Text,
}

/// Which events are logged, as `tracing` writes it: `info`, or `warn,mesh_link=debug`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Filter(Box<str>);

/// Text that is no filter of log events, and why.
#[derive(Debug, thiserror::Error)]
#[error("log.filter: {text:?} is no filter: {why}")]
pub struct ParseFilterError {
    text: String,
    why: String,
}

/// `[drain]`: how a node stops.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// How long work in hand may take to finish before it is broken off.
    #[serde(deserialize_with = "grace_ms")]
    pub grace_ms: u64,
}

/// `[admin]`: where operators ask the node how it is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// A loopback address: health, reflection and numbers are for this machine alone.
    pub listen: SocketAddr,
}

/// Checks that `addr` cannot be reached from another machine.
pub fn loopback(field: &'static str, addr: SocketAddr) -> Result<(), (&'static str, String)> {
    if addr.ip().is_loopback() {
        return Ok(());
    }
    let want = format!("want such as 127.0.0.1:{}", addr.port());
    Err((field, format!("{addr} is no loopback address, {want}")))
}

impl Mesh {
    pub fn domain(&self) -> &MeshDomain {
        &self.0
    }
}

impl TryFrom<MeshFields> for Mesh {
    type Error = ParseNodeError;

    fn try_from(MeshFields { id, domain }: MeshFields) -> Result<Self, Self::Error> {
        MeshDomain::new(id, &domain).map(Self)
    }
}

impl TlsFiles {
    /// The files with their fields, for [`super::Check::files`].
    pub fn files(&mut self) -> [(&'static str, &mut PathBuf); 3] {
        [
            ("tls.chain_file", &mut self.chain_file),
            ("tls.key_file", &mut self.key_file),
            ("tls.trust_file", &mut self.trust_file),
        ]
    }
}

impl Filter {
    /// The text, known to be a filter.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl FromStr for Filter {
    type Err = ParseFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(why) => Err(ParseFilterError { text: text.into(), why: why.to_string() }),
        }
    }
}

impl TryFrom<String> for Filter {
    type Error = ParseFilterError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Drain {
    pub fn grace(self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { grace_ms: 30_000 }
    }
}

impl Admin {
    /// For [`super::Check::check`].
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        loopback("admin.listen", self.listen)
    }
}

fn grace_ms<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let grace_ms = u64::deserialize(deserializer)?;
    if GRACE_MS_MAX < grace_ms {
        let message = format!("drain.grace_ms: {grace_ms} exceeds {GRACE_MS_MAX}");
        return Err(serde::de::Error::custom(message));
    }
    Ok(grace_ms)
}
