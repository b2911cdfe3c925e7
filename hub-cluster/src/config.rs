//! Everything an operator of a cluster hub can set.

use std::path::PathBuf;

use mesh_core::id::ClusterId;
use mesh_node::section::{Admin, DirectorySection, Limits, Listen, Upper};
use mesh_rt::config::{Check, Drain, Log, Mesh, TlsFiles};
use serde::Deserialize;

/// See the module. A field without a default must be written down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cluster that this hub serves.
    pub cluster: ClusterId,
    pub mesh: Mesh,
    pub directory: DirectorySection,
    /// `trust_file` is the cluster's own authority: it vouches for the agents below, and alone.
    pub tls: TlsFiles,
    /// The centre. There is no way to name another hub.
    pub upper: Upper,
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
        self.directory.check()?;
        self.admin.check()?;
        self.limits.check()
    }

    fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files = vec![
            ("directory.key_file", &mut self.directory.key_file),
            ("upper.trust_file", &mut self.upper.trust_file),
            ("admin.trust_file", &mut self.admin.trust_file),
        ];
        files.extend(self.tls.files());
        files
    }

    fn folders(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        vec![("directory.state_dir", &mut self.directory.state_dir)]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_example_is_one() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/hub-cluster.toml");
        let config: Config = mesh_rt::config::load(Path::new(example)).expect("it reads");
        assert_eq!(config.limits.exchanges_max.get(), mesh_core::limits::EXCHANGES_MAX);
    }
}
