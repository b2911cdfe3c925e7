//! `hubctl.toml`: the mesh, the operator's certificate, and the nodes that can be asked.
//!
//! ```toml
//! [mesh]
//! id = "ir"
//! domain = "mesh.ir"
//!
//! [operator]
//! chain_file = "operators/sara/chain.pem"
//! key_file = "operators/sara/key.pem"
//!
//! [[nodes]]
//! name = "hub.centre"
//! address = "127.0.0.1:7001"
//! trust_file = "pki/centre/ca.pem"
//!
//! [[nodes]]
//! name = "desk.licensing.gov.economy"
//! address = "127.0.0.1:7105"
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mesh_core::node::{MeshDomain, NodeName};
use mesh_rt::config::{Check, ConfigError, Mesh, load, loopback};
use serde::Deserialize;

/// Everything an operator can set, known to fit together.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it came from, for messages.
    pub file: PathBuf,
    pub mesh: MeshDomain,
    /// At least one; no name is there twice.
    pub nodes: Vec<Node>,
}

/// A node that can be asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    pub name: NodeName,
    /// Its admin port.
    pub address: SocketAddr,
    pub access: Access,
}

/// How an operator gets in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// A hub: both sides show a certificate.
    Tls(Certificates),
    /// An agent: its certificate cannot serve, so that loopback alone protects its admin port.
    Plain,
}

/// The operator's certificate, and who vouches for the node. PEM files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificates {
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    pub trust_file: PathBuf,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    mesh: Mesh,
    /// Needed for hubs, not for agents.
    operator: Option<OperatorFields>,
    nodes: Vec<NodeFields>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorFields {
    chain_file: PathBuf,
    key_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFields {
    /// Below the mesh domain, such as `hub.centre`.
    name: String,
    address: SocketAddr,
    trust_file: Option<PathBuf>,
}

impl Config {
    /// Reads `file`, or says which line or field to change. Relative paths count from its folder.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let fields: ConfigFile = load(file)?;
        fields.into_config(file).map_err(|(field, message)| ConfigError::Field {
            file: file.into(),
            field,
            message,
        })
    }

    /// The node of this name, below the mesh domain or in full.
    pub fn node(&self, name: &str) -> Option<&Node> {
        let is_it =
            |node: &&Node| node.name.to_string() == name || self.mesh.dns_name(&node.name) == name;
        self.nodes.iter().find(is_it)
    }
}

impl ConfigFile {
    fn into_config(self, file: &Path) -> Result<Config, (&'static str, String)> {
        let mesh = self.mesh.domain().clone();
        if self.nodes.is_empty() {
            return Err(("nodes", "there is none, add a section [[nodes]]".into()));
        }
        let mut nodes: Vec<Node> = Vec::new();
        for fields in self.nodes {
            let node = fields.into_node(&mesh, self.operator.as_ref())?;
            if nodes.iter().any(|earlier| earlier.name == node.name) {
                return Err(("nodes.name", format!("{} is there twice", node.name)));
            }
            nodes.push(node);
        }
        Ok(Config { file: file.into(), mesh, nodes })
    }
}

impl NodeFields {
    fn into_node(
        self,
        mesh: &MeshDomain,
        operator: Option<&OperatorFields>,
    ) -> Result<Node, (&'static str, String)> {
        let Self { name, address, trust_file } = self;
        let full = format!("{name}.{}", mesh.domain());
        let name = mesh.parse_node(&full).map_err(|why| ("nodes.name", why.to_string()))?;
        let access = match (name.listens(), trust_file, operator) {
            (true, Some(trust_file), Some(OperatorFields { chain_file, key_file })) => {
                let (chain_file, key_file) = (chain_file.clone(), key_file.clone());
                Access::Tls(Certificates { chain_file, key_file, trust_file })
            }
            (true, Some(_), None) => {
                return Err(("operator", format!("is missing, and {name} asks for a certificate")));
            }
            (true, None, _) => {
                let what = "name the authority that vouches for it";
                return Err(("nodes.trust_file", format!("is missing for {name}, {what}")));
            }
            (false, Some(_), _) => {
                let why = "has no TLS on its admin port, leave it out";
                return Err(("nodes.trust_file", format!("{name} {why}")));
            }
            (false, None, _) => plain(&name, address)?,
        };
        Ok(Node { name, address, access })
    }
}

fn plain(name: &NodeName, address: SocketAddr) -> Result<Access, (&'static str, String)> {
    if matches!(name, NodeName::Operator(_)) {
        return Err(("nodes.name", format!("{name} is an operator, who has no admin port")));
    }
    loopback("nodes.address", address)
        .map_err(|(field, message)| (field, format!("{name} is an agent, and {message}")))?;
    Ok(Access::Plain)
}

impl Check for ConfigFile {
    /// The rules between fields are those by which the file becomes a [`Config`].
    fn check(&self) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let operator =
            self.operator.iter_mut().flat_map(|OperatorFields { chain_file, key_file }| {
                [("operator.chain_file", chain_file), ("operator.key_file", key_file)]
            });
        let nodes = self.nodes.iter_mut().filter_map(|node| node.trust_file.as_mut());
        operator.chain(nodes.map(|file| ("nodes.trust_file", file))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
[mesh]
id = "ir"
domain = "mesh.ir"

[operator]
chain_file = "sara/chain.pem"
key_file = "/etc/mesh/key.pem"

[[nodes]]
name = "hub.centre"
address = "10.0.0.1:7001"
trust_file = "pki/ca.pem"

[[nodes]]
name = "desk.licensing.gov.economy"
address = "127.0.0.1:7105"
"#;

    /// Reads `text` as `hubctl.toml`; a message loses the folder in front of the file.
    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hubctl.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file).map_err(|error| {
            error.to_string().replace(&format!("{}/", folder.path().display()), "")
        })
    }

    #[test]
    fn a_hub_is_asked_with_certificates_and_an_agent_without() {
        let config = read(WHOLE).unwrap();
        let folder = config.file.parent().unwrap();
        let hub = config.node("hub.centre").unwrap();
        assert_eq!(config.node("hub.centre.mesh.ir"), Some(hub));
        let certificates = Certificates {
            chain_file: folder.join("sara/chain.pem"),
            key_file: "/etc/mesh/key.pem".into(),
            trust_file: folder.join("pki/ca.pem"),
        };
        assert_eq!(hub.access, Access::Tls(certificates));
        assert_eq!(config.node("desk.licensing.gov.economy").unwrap().access, Access::Plain);
        assert_eq!(config.node("desk.licensing.gov"), None);
    }

    #[test]
    fn says_what_to_change() {
        let operator = "[operator]\nchain_file = \"sara/chain.pem\"\n\
                        key_file = \"/etc/mesh/key.pem\"\n";
        let (_, nodes) = WHOLE.split_once("\n[[nodes]]").unwrap();
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            // Replace, by, and what `hubctl.toml:` is followed by.
            ("address = \"10.0", "port = 1\naddress = \"10.0",
             "12: nodes: unknown field `port`, expected one of `name`, `address`, `trust_file`"),
            ("10.0.0.1:7001", "hub.example:7001",
             "12: nodes.address: invalid socket address syntax"),
            ("hub.centre", "hub.edge.centre",
             " nodes.name: \"hub.edge.centre.mesh.ir\" names no kind of node, \
              want such as hub.health.mesh.ir"),
            ("desk.licensing.gov.economy", "hub.centre",
             " nodes.trust_file: is missing for hub.centre, name the authority that vouches for \
              it"),
            ("desk.licensing.gov.economy", "sara.operators",
             " nodes.name: sara.operators is an operator, who has no admin port"),
            ("127.0.0.1:7105", "10.0.0.5:7105",
             " nodes.address: desk.licensing.gov.economy is an agent, and 10.0.0.5:7105 is no \
              loopback address, want such as 127.0.0.1:7105"),
            ("127.0.0.1:7105\"", "127.0.0.1:7105\"\ntrust_file = \"pki/ca.pem\"",
             " nodes.trust_file: desk.licensing.gov.economy has no TLS on its admin port, \
              leave it out"),
            ("[[nodes]]\nname = \"desk",
             "[[nodes]]\nname = \"hub.centre\"\naddress = \"127.0.0.1:1\"\n\
              trust_file = \"a\"\n[[nodes]]\nname = \"desk",
             " nodes.name: hub.centre is there twice"),
            (operator, "",
             " operator: is missing, and hub.centre asks for a certificate"),
            (&format!("[[nodes]]{nodes}"), "",
             "1: missing field `nodes`"),
        ];
        for (from, to, want) in cases {
            assert!(WHOLE.contains(from), "{from:?}");
            let message = read(&WHOLE.replacen(from, to, 1)).expect_err(want);
            assert_eq!(message, format!("hubctl.toml:{want}"), "{from:?} → {to:?}");
        }
        let none = format!("nodes = []\n{}", WHOLE.split_once("\n[[nodes]]").unwrap().0);
        let want = "hubctl.toml: nodes: there is none, add a section [[nodes]]";
        assert_eq!(read(&none).unwrap_err(), want);
    }

    #[test]
    fn the_example_is_one() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/hubctl.toml");
        assert_eq!(Config::load(Path::new(example)).unwrap().nodes.len(), 3);
    }
}
