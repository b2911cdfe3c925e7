//! What a nation is made of, as a file says it.

use std::path::{Path, PathBuf};

use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::directory::{
    Agency, Cluster, Directory, DirectoryError, LinkKey, Objects, Permission, Service, System,
};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::id::MeshId;
use mesh_core::node::{MeshDomain, ParseNodeError};
use serde::Deserialize;

/// A plan as written: the objects of the directory, and an agent for each system that has one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub epoch: u64,
    pub revision: u64,
    pub mesh: MeshNames,
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    #[serde(default)]
    pub agencies: Vec<Agency>,
    #[serde(default)]
    pub systems: Vec<System>,
    #[serde(default)]
    pub services: Vec<Service>,
    #[serde(default)]
    pub permissions: Vec<Permission>,
    #[serde(default)]
    pub agents: Vec<Agent>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshNames {
    pub id: MeshId,
    pub domain: String,
}

/// The agent beside one system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub system: SystemAddress,
    #[serde(default)]
    pub backends: Vec<Backend>,
}

/// What answers for one service: a program that the launcher starts, or an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub service: ServiceAddress,
    #[serde(flatten)]
    pub answers: Answers,
    /// Caps the service's total time at this agent.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    Program(Sample),
    Url(String),
}

/// The sample programs that come with the project.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    SampleRegistry,
}

/// A plan that cannot be used. Names the file and the line.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}:{line}: {message}", file.display())]
    Parse { file: PathBuf, line: usize, message: String },
    #[error("{}: the objects do not fit together", file.display())]
    Directory { file: PathBuf, source: DirectoryError },
    #[error("{}: mesh", file.display())]
    Mesh { file: PathBuf, source: ParseNodeError },
}

impl Plan {
    /// Reads `file`, whole and fitting together.
    pub fn load(file: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| PlanError::Read { file: file.into(), source })?;
        let plan: Self = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text[..start].matches('\n').count() + 1;
            let message = error.message().replace('\n', ", ");
            PlanError::Parse { file: file.into(), line, message }
        })?;
        let mesh = plan.domain().map_err(|source| PlanError::Mesh { file: file.into(), source })?;
        Directory::build(mesh, plan.position(), plan.objects(Vec::new()))
            .map_err(|source| PlanError::Directory { file: file.into(), source })?;
        Ok(plan)
    }

    pub fn domain(&self) -> Result<MeshDomain, ParseNodeError> {
        MeshDomain::new(self.mesh.id.clone(), &self.mesh.domain)
    }

    pub fn position(&self) -> DirectoryPosition {
        DirectoryPosition { epoch: self.epoch, revision: self.revision, root: None }
    }

    /// The directory's objects, with the keys that the nodes got.
    pub fn objects(&self, link_keys: Vec<LinkKey>) -> Objects {
        Objects {
            clusters: self.clusters.clone(),
            agencies: self.agencies.clone(),
            systems: self.systems.clone(),
            services: self.services.clone(),
            permissions: self.permissions.clone(),
            link_keys,
        }
    }
}

impl Sample {
    /// The name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::SampleRegistry => "sample-registry",
        }
    }
}
