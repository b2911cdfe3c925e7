//! Everything an operator of the national hub can set.

use std::path::PathBuf;

use mesh_node::section::{Admin, Limits, Listen, SignedDirectory};
use mesh_rt::config::{Check, Drain, Log, Mesh, TlsFiles};
use serde::Deserialize;

/// See the module. A field without a default must be written down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory: one snapshot.
    pub directory_file: PathBuf,
    pub mesh: Mesh,
    pub directory: SignedDirectory,
    /// `trust_file` is the root: it vouches for the authorities of clusters and of the edge.
    pub tls: TlsFiles,
    pub listen: Listen,
    pub admin: Admin,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub drain: Drain,
}

impl Check for Config {
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.admin.check()?;
        self.limits.check()
    }

    fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files = vec![
            ("directory_file", &mut self.directory_file),
            ("directory.key_file", &mut self.directory.key_file),
            ("directory.signing_key_file", &mut self.directory.signing_key_file),
            ("admin.trust_file", &mut self.admin.trust_file),
        ];
        files.extend(self.tls.files());
        files
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_example_is_one() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/hub-central.toml");
        let config: Config = mesh_rt::config::load(Path::new(example)).expect("it reads");
        assert_eq!(config.limits.exchanges_max.get(), mesh_core::limits::EXCHANGES_MAX);
    }
}
