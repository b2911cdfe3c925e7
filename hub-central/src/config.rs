//! Everything an operator of the national hub can set.

use std::path::PathBuf;

use mesh_node::section::{Admin, Limits, Listen, Members, SignedDirectory};
use mesh_registry::place::RegistrySection;
use mesh_rt::config::{Check, Drain, Log, Mesh, TlsFiles};
use serde::Deserialize;

/// See the module. A field without a default must be written down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub registry: RegistrySection,
    /// What the mesh is told is signed.
    pub directory: SignedDirectory,
    pub mesh: Mesh,
    /// `trust_file` is the root: it vouches for the authorities of clusters and of the edge.
    pub tls: TlsFiles,
    pub listen: Listen,
    pub admin: Admin,
    /// Without it no agreement is taken.
    #[serde(default)]
    pub members: Option<Members>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub drain: Drain,
}

impl Check for Config {
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.registry.check()?;
        self.admin.check()?;
        self.limits.check()
    }

    fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files = vec![("admin.trust_file", &mut self.admin.trust_file)];
        files.push(("directory.key_file", &mut self.directory.key_file));
        files.push(("directory.signing_key_file", &mut self.directory.signing_key_file));
        files.extend(self.registry.files());
        files.extend(self.members.iter_mut().map(|it| ("members.trust_file", &mut it.trust_file)));
        files.extend(self.tls.files());
        files
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mesh_core::change_set::{Action, Rules};
    use mesh_core::directory::change::ObjectKind;

    use super::*;

    #[test]
    fn the_example_is_one() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/hub-central.toml");
        let config: Config = mesh_rt::config::load(Path::new(example)).expect("it reads");
        assert_eq!(config.limits.exchanges_max.get(), mesh_core::limits::EXCHANGES_MAX);
    }

    #[test]
    fn the_example_of_rules_is_one() {
        let example =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/registry-rules.toml");
        let text = std::fs::read_to_string(example).expect("it is there");
        let rules: Rules = toml::from_str(&text).expect("it reads");
        let needs = |kind, action| rules.of(kind, action);
        assert_eq!(needs(ObjectKind::LinkKey, Action::Remove), 0, "revoking waits for nobody");
        assert_eq!(needs(ObjectKind::LinkKey, Action::Add), 1);
        assert_eq!(needs(ObjectKind::Agency, Action::Add), 2);
        assert_eq!(needs(ObjectKind::Service, Action::Change), 1);
    }
}
