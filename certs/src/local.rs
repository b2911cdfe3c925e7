//! The PKI of a mesh on one machine, for development, tests and small installations.
//!
//! ```text
//! mesh                    the mesh and its domain, such as "ir mesh.ir"
//! root.pem  root.key      the root; in a real mesh its key is on no machine
//! centre/ca.pem  ca.key   the intermediate that certifies the centre
//! edge/                   … agents that are attached to the centre
//! operators/              … operators
//! members/                … member keys of agencies
//! clusters/health/        … hub and agents of the cluster `health`, and so on
//! ```
//!
//! What a node gets, in a directory of its own:
//!
//! ```text
//! chain.pem  key.pem      its certificate with the intermediate; its private key
//! trust.pem               who may answer it: the authority of the node that it dials
//! listener-trust.pem      who may dial it, where it listens: the centre and hubs
//! admin-trust.pem         who may administrate it: the centre and hubs
//! ```
//!
//! The centre dials nobody; its `trust.pem` is the same as its `listener-trust.pem`.
//! Keys have mode 0600, directories 0700. No file is ever replaced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mesh_core::address::AgencyAddress;
use mesh_core::agreement::Officer;
use mesh_core::exchange::Digest;
use mesh_core::id::ClusterId;
use mesh_core::node::{Home, MeshDomain, NodeName, Subtree};

use crate::authority::{AuthorityError, Intermediate, Leaf, Root};
pub use crate::file::FileError;
use crate::file::{Readers, make_directory, read, write_new};

/// A PKI on disk, with all its keys.
#[derive(Debug)]
pub struct LocalPki {
    dir: PathBuf,
    mesh: MeshDomain,
    root_pem: String,
    intermediates: BTreeMap<Subtree, Intermediate>,
}

/// What a node got, and where it is.
#[derive(Clone, Debug)]
pub struct Issued {
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    /// The authority of the node that this one dials; of the centre, the same as
    /// `listener_trust_file`.
    pub trust_file: PathBuf,
    /// Who may dial this node; `None` where it does not listen.
    pub listener_trust_file: Option<PathBuf>,
    /// Who may administrate this node; `None` where nobody may from afar.
    pub admin_trust_file: Option<PathBuf>,
    /// The node's key, as the directory knows it.
    pub spki_sha256: Digest,
}

/// What an agency or an officer got.
#[derive(Clone, Debug)]
pub struct IssuedMember {
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    pub spki_sha256: Digest,
}

/// Why a local PKI cannot be made, opened or used.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("{}: is not empty; open what is there or choose another directory", dir.display())]
    NotEmpty { dir: PathBuf },
    #[error("{}: wants one line such as \"ir mesh.ir\"", file.display())]
    Mesh { file: PathBuf },
    #[error("{}: cannot be used", file.display())]
    Authority { file: PathBuf, source: AuthorityError },
    #[error("{}: certifies {found}, want {want}", file.display())]
    OtherSubtree { file: PathBuf, found: Subtree, want: Subtree },
    #[error("{}: has no authority for {subtree}", dir.display())]
    NoAuthority { dir: PathBuf, subtree: Subtree },
    #[error("{}: is not the directory of a cluster; remove it", dir.display())]
    NotACluster { dir: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Issue(#[from] AuthorityError),
}

impl LocalPki {
    /// A new PKI in `dir`, which must be empty or not there yet.
    pub fn create(
        dir: &Path,
        mesh: &MeshDomain,
        clusters: impl IntoIterator<Item = ClusterId>,
        now: SystemTime,
    ) -> Result<Self, PkiError> {
        make_directory(dir)?;
        let is_empty = fs::read_dir(dir)
            .map_err(|source| FileError::Read { path: dir.into(), source })?
            .next()
            .is_none();
        if !is_empty {
            return Err(PkiError::NotEmpty { dir: dir.into() });
        }
        let root = Root::create(mesh, now)?;
        let mut intermediates = BTreeMap::new();
        for subtree in clusters.into_iter().map(Subtree::Cluster).chain(FIXED) {
            let authority = root.certify(&subtree, now)?;
            let below = dir.join(place(&subtree));
            make_directory(&below)?;
            write_new(&below.join("ca.key"), &authority.key_pem(), Readers::Owner)?;
            write_new(&below.join("ca.pem"), authority.pem(), Readers::Everyone)?;
            intermediates.insert(subtree, authority);
        }
        write_new(&dir.join("root.key"), &root.key_pem(), Readers::Owner)?;
        write_new(&dir.join("root.pem"), root.pem(), Readers::Everyone)?;
        // Last, so that a PKI that was not finished cannot be opened.
        let line = format!("{} {}\n", mesh.mesh, mesh.domain());
        write_new(&dir.join("mesh"), &line, Readers::Everyone)?;
        let root_pem = root.pem().into();
        Ok(Self { dir: dir.into(), mesh: mesh.clone(), root_pem, intermediates })
    }

    /// A PKI that was created before. Every key must belong to its certificate.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let mesh = open_mesh(&dir.join("mesh"))?;
        let file = dir.join("root.pem");
        let root_pem = read(&file)?;
        Root::open(&mesh, &root_pem, &read(&dir.join("root.key"))?)
            .map_err(|source| PkiError::Authority { file, source })?;
        let mut intermediates = BTreeMap::new();
        for subtree in clusters(dir)?.into_iter().map(Subtree::Cluster).chain(FIXED) {
            intermediates.insert(subtree.clone(), open_authority(dir, &mesh, &subtree)?);
        }
        Ok(Self { dir: dir.into(), mesh, root_pem, intermediates })
    }

    pub fn mesh(&self) -> &MeshDomain {
        &self.mesh
    }

    /// Certifies `node` with a new key, and writes what it needs to `out_dir`.
    pub fn issue(
        &self,
        node: &NodeName,
        out_dir: &Path,
        now: SystemTime,
    ) -> Result<Issued, PkiError> {
        let leaf = self.authority(&node.subtree())?.issue(node, now)?;
        let listener_trust = match node {
            // Hubs of all clusters and agents at the edge come under the root only.
            NodeName::Centre => Some(self.root_pem.as_str()),
            // A cluster hub believes in its own cluster and in nothing else.
            NodeName::Hub(_) => Some(self.authority(&node.subtree())?.pem()),
            NodeName::Agent { .. } | NodeName::Operator(_) => None,
        };
        let admin_trust = match node {
            NodeName::Centre | NodeName::Hub(_) => Some(self.authority(&Subtree::Operators)?.pem()),
            _ => None,
        };
        let trust = match node {
            NodeName::Centre => self.root_pem.as_str(),
            NodeName::Agent { home: Home::Cluster(cluster), .. } => {
                self.authority(&Subtree::Cluster(cluster.clone()))?.pem()
            }
            NodeName::Agent { home: Home::Centre, .. }
            | NodeName::Hub(_)
            | NodeName::Operator(_) => self.authority(&Subtree::Centre)?.pem(),
        };
        let (chain_file, key_file) = write_leaf(out_dir, &leaf)?;
        let write = |name: &str, pem: &str| {
            let file = out_dir.join(name);
            write_new(&file, pem, Readers::Everyone).map(|()| file)
        };
        Ok(Issued {
            chain_file,
            key_file,
            trust_file: write("trust.pem", trust)?,
            listener_trust_file: listener_trust
                .map(|pem| write("listener-trust.pem", pem))
                .transpose()?,
            admin_trust_file: admin_trust.map(|pem| write("admin-trust.pem", pem)).transpose()?,
            spki_sha256: leaf.spki_sha256,
        })
    }

    /// Certifies a new signing key of `agency`, and writes both to `out_dir`.
    pub fn issue_member(
        &self,
        agency: &AgencyAddress,
        out_dir: &Path,
        now: SystemTime,
    ) -> Result<IssuedMember, PkiError> {
        let leaf = self.authority(&Subtree::Members)?.issue_member(agency, now)?;
        let (chain_file, key_file) = write_leaf(out_dir, &leaf)?;
        Ok(IssuedMember { chain_file, key_file, spki_sha256: leaf.spki_sha256 })
    }

    /// Certifies a new key of `officer`, and writes both to `out_dir`.
    pub fn issue_officer(
        &self,
        officer: &Officer,
        out_dir: &Path,
        now: SystemTime,
    ) -> Result<IssuedMember, PkiError> {
        let leaf = self.authority(&Subtree::Members)?.issue_officer(officer, now)?;
        let (chain_file, key_file) = write_leaf(out_dir, &leaf)?;
        Ok(IssuedMember { chain_file, key_file, spki_sha256: leaf.spki_sha256 })
    }

    /// The authority of `subtree`, for requests that bring their own key.
    pub fn authority(&self, subtree: &Subtree) -> Result<&Intermediate, PkiError> {
        self.intermediates.get(subtree).ok_or_else(|| PkiError::NoAuthority {
            dir: self.dir.clone(),
            subtree: subtree.clone(),
        })
    }

    /// The certificate of the root.
    pub fn root_file(&self) -> PathBuf {
        self.dir.join("root.pem")
    }

    /// The certificate of the authority of `subtree`.
    pub fn ca_file(&self, subtree: &Subtree) -> PathBuf {
        self.dir.join(place(subtree)).join("ca.pem")
    }
}

/// The subtrees that every mesh has.
const FIXED: [Subtree; 4] = [Subtree::Centre, Subtree::Edge, Subtree::Operators, Subtree::Members];

/// Where the authority of `subtree` is, below the directory of the PKI.
fn place(subtree: &Subtree) -> PathBuf {
    match subtree {
        Subtree::Cluster(cluster) => Path::new("clusters").join(cluster.as_str()),
        fixed => fixed.to_string().into(),
    }
}

pub(crate) fn open_mesh(file: &Path) -> Result<MeshDomain, PkiError> {
    let line = read(file)?;
    let parsed = line.trim_end().split_once(' ').and_then(|(mesh, domain)| {
        let mesh = mesh.parse().ok()?;
        MeshDomain::new(mesh, domain).ok()
    });
    parsed.ok_or_else(|| PkiError::Mesh { file: file.into() })
}

pub(crate) fn open_authority(
    dir: &Path,
    mesh: &MeshDomain,
    subtree: &Subtree,
) -> Result<Intermediate, PkiError> {
    let below = dir.join(place(subtree));
    let file = below.join("ca.pem");
    let authority = Intermediate::open(mesh, &read(&file)?, &read(&below.join("ca.key"))?)
        .map_err(|source| PkiError::Authority { file: file.clone(), source })?;
    if authority.subtree() != subtree {
        let found = authority.subtree().clone();
        return Err(PkiError::OtherSubtree { file, found, want: subtree.clone() });
    }
    Ok(authority)
}

/// The clusters that have a directory. A directory with another kind of name is an error.
fn clusters(dir: &Path) -> Result<Vec<ClusterId>, PkiError> {
    let path = dir.join("clusters");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |source| FileError::Read { path: path.clone(), source };
    let mut clusters = Vec::new();
    for entry in fs::read_dir(&path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        clusters.push(name.parse().map_err(|_| PkiError::NotACluster { dir: file.clone() })?);
    }
    Ok(clusters)
}

fn write_leaf(out_dir: &Path, leaf: &Leaf) -> Result<(PathBuf, PathBuf), PkiError> {
    make_directory(out_dir)?;
    let (chain_file, key_file) = (out_dir.join("chain.pem"), out_dir.join("key.pem"));
    let key_pem = leaf.key_pem.as_deref().expect("a leaf issued without a request has its key");
    write_new(&key_file, key_pem, Readers::Owner)?;
    write_new(&chain_file, &leaf.chain_pem, Readers::Everyone)?;
    Ok((chain_file, key_file))
}
