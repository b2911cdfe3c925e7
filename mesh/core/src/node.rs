//! The names that link certificates carry: one DNS name below the mesh domain says who a node is.

use std::fmt;

use crate::address::{AgencyAddress, SystemAddress};
use crate::id::{ClusterId, MeshId, OperatorId, ParseIdError, RESERVED};

/// Longest DNS name, in bytes (RFC 1035 §2.3.4).
pub const DNS_NAME_BYTES_MAX: usize = 253;

/// Longest mesh domain, in bytes: the other half is for the names of nodes below it.
const DOMAIN_BYTES_MAX: usize = DNS_NAME_BYTES_MAX / 2;

/// The mesh and the DNS domain below which all its nodes are named, such as `ir` and `mesh.ir`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MeshDomain {
    pub mesh: MeshId,
    domain: Box<str>,
}

/// Where a system is attached: its cluster's hub if there is one, else the centre.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Home {
    Centre,
    Cluster(ClusterId),
}

/// Who a node is. The right column is its DNS name below the mesh domain.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NodeName {
    /// `hub.centre`
    Centre,
    /// `hub.{cluster}`
    Hub(ClusterId),
    /// `{system}.{agency}.{class}.{cluster}`, or `….edge` where the centre is the home
    Agent { system: SystemAddress, home: Home },
    /// `{operator}.operators`
    Operator(OperatorId),
}

/// The kinds of intermediate certificate, each with a DNS subtree of its own.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subtree {
    Centre,
    Cluster(ClusterId),
    Edge,
    Operators,
    Members,
}

/// Text that names no node of this mesh, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseNodeError {
    #[error("{name:?} is not below the mesh domain {domain}")]
    OtherDomain { name: String, domain: String },
    #[error("{name:?} names no kind of node, want such as hub.health.{domain}")]
    NoKind { name: String, domain: String },
    #[error("{name:?} names no officer, want such as o-17.officers.tax.gov.{domain}")]
    NoOfficer { name: String, domain: String },
    #[error("node name is {length} bytes long, limit {DNS_NAME_BYTES_MAX}")]
    Length { length: usize },
    #[error("mesh domain {text:?} is no DNS name of 1 to {DOMAIN_BYTES_MAX} bytes")]
    Domain { text: String },
    #[error(transparent)]
    Id(#[from] ParseIdError),
}

impl MeshDomain {
    /// Checks that `domain` is a DNS name short enough to leave room for nodes below it.
    pub fn new(mesh: MeshId, domain: &str) -> Result<Self, ParseNodeError> {
        // A MeshId follows the rule of a DNS label, so it serves to check the labels here.
        let labels_fit = domain.split('.').all(|label| label.parse::<MeshId>().is_ok());
        if !labels_fit || DOMAIN_BYTES_MAX < domain.len() {
            return Err(ParseNodeError::Domain { text: domain.chars().take(80).collect() });
        }
        Ok(Self { mesh, domain: domain.into() })
    }

    /// The domain itself, such as `mesh.ir`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The full DNS name of `node`, such as `hub.health.mesh.ir`.
    pub fn dns_name(&self, node: &NodeName) -> String {
        format!("{node}.{}", self.domain)
    }

    /// The permitted DNS subtree of an intermediate, such as `health.mesh.ir`.
    pub fn subtree(&self, subtree: &Subtree) -> String {
        format!("{subtree}.{}", self.domain)
    }

    /// Reads the full DNS name of a node. Exact: no other case, no trailing dot, no wildcard.
    pub fn parse_node(&self, name: &str) -> Result<NodeName, ParseNodeError> {
        let shown = || name.chars().take(DNS_NAME_BYTES_MAX).collect::<String>();
        if DNS_NAME_BYTES_MAX < name.len() {
            return Err(ParseNodeError::Length { length: name.len() });
        }
        let below = name.strip_suffix(&*self.domain).and_then(|rest| rest.strip_suffix('.'));
        let Some(below) = below else {
            return Err(ParseNodeError::OtherDomain {
                name: shown(),
                domain: self.domain().into(),
            });
        };
        match below.split('.').collect::<Vec<_>>()[..] {
            ["hub", "centre"] => Ok(NodeName::Centre),
            ["hub", cluster] => Ok(NodeName::Hub(cluster.parse()?)),
            [operator, "operators"] => Ok(NodeName::Operator(operator.parse()?)),
            [system, agency, class, home] => {
                let agency = AgencyAddress {
                    mesh: self.mesh.clone(),
                    class: class.parse()?,
                    agency: agency.parse()?,
                };
                let home = match home {
                    "edge" => Home::Centre,
                    cluster => Home::Cluster(cluster.parse()?),
                };
                Ok(NodeName::Agent {
                    system: SystemAddress { agency, system: system.parse()? },
                    home,
                })
            }
            _ => Err(ParseNodeError::NoKind { name: shown(), domain: self.domain().into() }),
        }
    }

    /// Reads the permitted DNS subtree of an intermediate.
    pub fn parse_subtree(&self, name: &str) -> Result<Subtree, ParseNodeError> {
        let shown = || name.chars().take(DNS_NAME_BYTES_MAX).collect::<String>();
        match name.strip_suffix(&*self.domain).and_then(|rest| rest.strip_suffix('.')) {
            Some("centre") => Ok(Subtree::Centre),
            Some("edge") => Ok(Subtree::Edge),
            Some("operators") => Ok(Subtree::Operators),
            Some("members") => Ok(Subtree::Members),
            Some(cluster) => Ok(Subtree::Cluster(cluster.parse()?)),
            None => {
                Err(ParseNodeError::OtherDomain { name: shown(), domain: self.domain().into() })
            }
        }
    }
}

impl NodeName {
    /// The intermediate that certifies this node, and no other does.
    pub fn subtree(&self) -> Subtree {
        match self {
            Self::Centre => Subtree::Centre,
            Self::Hub(cluster) => Subtree::Cluster(cluster.clone()),
            Self::Agent { home: Home::Cluster(cluster), .. } => Subtree::Cluster(cluster.clone()),
            Self::Agent { home: Home::Centre, .. } => Subtree::Edge,
            Self::Operator(_) => Subtree::Operators,
        }
    }

    /// May this node open connections, that is, does its certificate have EKU clientAuth?
    pub fn dials(&self) -> bool {
        !matches!(self, Self::Centre)
    }

    /// May this node accept connections, that is, does its certificate have EKU serverAuth?
    pub fn listens(&self) -> bool {
        matches!(self, Self::Centre | Self::Hub(_))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Centre => f.write_str("hub.centre"),
            Self::Hub(cluster) => write!(f, "hub.{cluster}"),
            Self::Agent { system: SystemAddress { agency, system }, home } => {
                write!(f, "{system}.{}.{}.{home}", agency.agency, agency.class)
            }
            Self::Operator(operator) => write!(f, "{operator}.operators"),
        }
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Centre => f.write_str("edge"),
            Self::Cluster(cluster) => cluster.fmt(f),
        }
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(cluster) => cluster.fmt(f),
            // The names that `RESERVED` keeps clusters from taking.
            Self::Centre => f.write_str(RESERVED[0]),
            Self::Edge => f.write_str(RESERVED[1]),
            Self::Members => f.write_str(RESERVED[2]),
            Self::Operators => f.write_str(RESERVED[3]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh() -> MeshDomain {
        MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
    }

    #[test]
    fn a_name_reads_as_it_prints() {
        for name in [
            "hub.centre.mesh.ir",
            "hub.health.mesh.ir",
            "desk.licensing.gov.economy.mesh.ir",
            "persons.civil-registration.gov.edge.mesh.ir",
            "sara.operators.mesh.ir",
        ] {
            let node = mesh().parse_node(name).expect(name);
            assert_eq!(mesh().dns_name(&node), name);
            let subtree = mesh().subtree(&node.subtree());
            assert!(name.ends_with(&format!(".{subtree}")), "{name} is below {subtree}");
            assert_eq!(mesh().parse_subtree(&subtree), Ok(node.subtree()));
        }
    }

    #[test]
    fn refuses_what_names_no_node() {
        for name in [
            "",
            "mesh.ir",
            "hub.mesh.ir",
            "hub.health.mesh.ir.",
            "hub.health.evil.ir",
            "hub.healthmesh.ir",
            "HUB.health.mesh.ir",
            "*.health.mesh.ir",
            "hub.edge.mesh.ir",
            "hub.members.mesh.ir",
            "a.b.c.members.mesh.ir",
            "a.b.c.d.e.mesh.ir",
        ] {
            assert!(mesh().parse_node(name).is_err(), "{name:?}");
        }
        let label = "s".repeat(63);
        let long = format!("{label}.{label}.{label}.{label}.mesh.ir");
        assert_eq!(mesh().parse_node(&long), Err(ParseNodeError::Length { length: 263 }));
    }
}
