//! Scopes: the parts of the directory that nodes are told of, each to whom it concerns.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::change::Change;
use super::history::Head;
use super::{Directory, Unmade};
use crate::address::{AgencyAddress, ParseAddressError};
use crate::exchange::Digest;
use crate::id::{ClusterId, ParseIdError};
use crate::node::{Home, NodeName};
use crate::tree_hash::{self, Sha256};

mod content;
mod project;

pub use self::project::{Projection, project};

/// Scopes of a mesh at most.
pub const SCOPES_MAX: usize = 4096;

/// Longest name of a scope, in bytes: `agency/` and three identifiers.
pub const SCOPE_BYTES_MAX: usize = 200;

/// A part of the directory that is told as one. An object may be in several.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// What every node has to know: clusters, agencies, systems, the centre's keys, and the link
    /// keys of centre, hubs and operators.
    Nation,
    /// The link keys of the agents at home in a cluster.
    Cluster(ClusterId),
    /// What concerns an agency: its services, what it may use and who may use what is its own, the
    /// services that it may use, and the link keys of its agents at home at the centre.
    Agency(AgencyAddress),
}

/// Text that names no scope, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseScopeError {
    #[error("{text:?} names no scope, want such as nation, cluster/health or agency/ir/gov/tax")]
    Kind { text: String },
    #[error(transparent)]
    Cluster(#[from] ParseIdError),
    #[error(transparent)]
    Agency(#[from] ParseAddressError),
}

/// The scopes that a node is told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Followed {
    /// Every scope there is: the centre's own lot.
    All,
    These(BTreeSet<Scope>),
}

impl Followed {
    pub fn contains(&self, scope: &Scope) -> bool {
        match self {
            Self::All => true,
            Self::These(scopes) => scopes.contains(scope),
        }
    }
}

impl Directory {
    /// The scopes that `node` follows once `changes` are made, whether the outcome fits together or
    /// not: who no longer follows a scope need not take what changes in it.
    pub fn followed_after(&self, changes: &[Change], node: &NodeName) -> Result<Followed, Unmade> {
        Ok(self.unjudged(changes)?.followed_by(node))
    }

    /// The scopes that `node` follows. Both ends of a feed reckon them, each by the directory that
    /// it has.
    pub fn followed_by(&self, node: &NodeName) -> Followed {
        let mut scopes = BTreeSet::from([Scope::Nation]);
        match node {
            NodeName::Centre => return Followed::All,
            // An operator asks, and follows nothing.
            NodeName::Operator(_) => scopes.clear(),
            NodeName::Hub(cluster) => {
                scopes.insert(Scope::Cluster(cluster.clone()));
                let home = Home::Cluster(cluster.clone());
                let members = self.tables.systems_of(cluster);
                let members = members.filter(|system| self.home_of(system) == home);
                scopes.extend(members.map(|it| Scope::Agency(it.address.agency.clone())));
            }
            NodeName::Agent { system, home } => {
                if let Home::Cluster(cluster) = home {
                    scopes.insert(Scope::Cluster(cluster.clone()));
                }
                scopes.insert(Scope::Agency(system.agency.clone()));
            }
        }
        Followed::These(scopes)
    }
}

/// The root over the heads of all scopes (RFC 6962 §2.1), in the order of their names. A leaf is
/// the name, a zero byte, epoch and revision as 8 bytes each, most significant first, and the hash.
pub fn root<'h>(sha256: Sha256, heads: impl IntoIterator<Item = (&'h Scope, &'h Head)>) -> Digest {
    let mut leaves: Vec<Vec<u8>> =
        heads.into_iter().map(|(scope, head)| leaf(scope, head)).collect();
    // No name begins another and goes on with a byte below a zero: leaves sort as names do.
    leaves.sort_unstable();
    tree_hash::root(sha256, leaves)
}

fn leaf(scope: &Scope, head: &Head) -> Vec<u8> {
    let mut leaf = scope.to_string().into_bytes();
    leaf.push(0);
    leaf.extend_from_slice(&head.epoch.to_be_bytes());
    leaf.extend_from_slice(&head.revision.to_be_bytes());
    leaf.extend_from_slice(&head.hash.map_or([0; 32], |hash| hash.0));
    leaf
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nation => f.write_str("nation"),
            Self::Cluster(id) => write!(f, "cluster/{id}"),
            Self::Agency(address) => write!(f, "agency/{address}"),
        }
    }
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            None if text == "nation" => Ok(Self::Nation),
            Some(("cluster", id)) => Ok(Self::Cluster(id.parse()?)),
            Some(("agency", address)) => Ok(Self::Agency(address.parse()?)),
            _ => {
                let text = text.chars().take(SCOPE_BYTES_MAX).collect();
                Err(ParseScopeError::Kind { text })
            }
        }
    }
}

#[cfg(test)]
mod tests;
