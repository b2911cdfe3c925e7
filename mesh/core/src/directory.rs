//! What every node knows of the mesh: clusters, agencies, systems, services, agreements, keys.

pub mod change;
mod grants;
pub mod history;
mod judge;
pub mod scope;
mod tables;
mod whole;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::judge::DirectoryError;
pub use self::whole::{Directory, Unmade};
use crate::address::{AgencyAddress, SystemAddress};
use crate::agreement::Agreement;
use crate::exchange::{Digest, ParseDigestError};
use crate::id::ClusterId;

pub use crate::service::Service;

/// One group of like services of the state.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub id: ClusterId,
    pub name_fa: String,
    pub name_en: String,
    /// Has the cluster a hub? Without one its systems attach to the centre.
    pub hub: bool,
    #[serde(default)]
    pub intra_cluster: IntraCluster,
}

/// The way between two systems of one cluster.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IntraCluster {
    /// Through the cluster hub alone.
    #[default]
    Local,
    /// Up to the centre and down again.
    ViaCentre,
}

/// A ministry, organisation, public company, bank, insurer …
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    pub address: AgencyAddress,
    pub name_fa: String,
    pub name_en: String,
}

/// An information system of an agency; one agent stands beside each.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    pub address: SystemAddress,
    /// None for base databases, and for agencies of no cluster.
    #[serde(default)]
    pub cluster: Option<ClusterId>,
    #[serde(default)]
    pub attributes: BTreeSet<Attribute>,
}

/// What a system is besides, so that becoming one changes no address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// An authoritative register, reached only through the centre.
    BaseDatabase,
    /// A national front: a consumer of many services.
    Portal,
    /// A licensed private office that serves a present citizen.
    Counter,
}

/// The key with which a node may open or accept links; removing it revokes the node's certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LinkKey {
    /// Full DNS name of the node, such as `hub.health.mesh.ir`.
    pub node: String,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 7469 §2.4).
    pub spki_sha256: Digest,
}

/// A key with which the centre signs what nodes are told of the mesh. A node that knows one key
/// believes those that it announces.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryKey {
    pub public_key: Ed25519Key,
}

/// A public key of Ed25519 (RFC 8032 §5.1.5); as text, 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Ed25519Key(Digest);

/// The objects of a directory as they come, before they are known to fit together.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    #[serde(default)]
    pub agencies: Vec<Agency>,
    #[serde(default)]
    pub systems: Vec<System>,
    #[serde(default)]
    pub services: Vec<Service>,
    /// Signed bytes: they have no form as text.
    #[serde(skip)]
    pub agreements: Vec<Agreement>,
    #[serde(default)]
    pub link_keys: Vec<LinkKey>,
    #[serde(default)]
    pub directory_keys: Vec<DirectoryKey>,
}

impl Ed25519Key {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Display for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Ed25519Key {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod random_tests;
#[cfg(test)]
pub(crate) mod tests;
