//! The node itself: who it is, what it knows of the mesh, and how it leaves.

use std::path::Path;
use std::sync::Arc;

use mesh_core::address::SystemAddress;
use mesh_core::directory::scope::Scope;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_link::Spawn;
use mesh_link::hello::{Me, PositionNow};
use mesh_rt::clock::Clock;
use mesh_rt::config::TlsFiles;
use mesh_rt::directory_file::DirectoryFileError;
use mesh_rt::directory_keys::KeyFileError;
use mesh_rt::drain::Drain;
use mesh_rt::exit::Program;
use mesh_rt::metrics::Counters;
use mesh_rt::readiness::Readiness;
use mesh_rt::tls::{AdmitKey, Identity, PeerIdentity, Rule, TlsError, Trust, UntilCut};
use tracing::warn;

use crate::catalogue::TextSource;
use crate::directory::{LiveDirectory, NotTaken};
use crate::standing::Standing;
use crate::told::ToldError;

/// What every part of a daemon holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    pub me: Me,
    pub identity: Identity,
    pub directory: LiveDirectory,
    pub standing: Standing,
    /// Where it has the texts of interface descriptions from.
    pub texts: TextSource,
    pub drain: Drain,
    pub readiness: Readiness,
    pub counters: Counters,
    pub clock: Arc<dyn Clock>,
    pub started_at_unix_ms: u64,
    pub certificate_expires_unix_ms: u64,
}

/// A node that knows who it is, and nothing else yet.
#[derive(Debug)]
pub struct Named {
    pub mesh: MeshDomain,
    pub node: NodeName,
    /// Program and version.
    pub software: String,
    identity: Identity,
    /// End of its certificate.
    expires_unix_ms: u64,
}

/// Where a node finds who it is.
#[derive(Clone, Copy, Debug)]
pub struct NodeFiles<'f> {
    pub mesh: &'f MeshDomain,
    pub tls: &'f TlsFiles,
}

/// Who a node is by its configuration. Its certificate must say the same.
#[derive(Clone, Debug)]
pub enum Who<'w> {
    Node(NodeName),
    /// The agent of a system, wherever its home is: that its certificate says.
    AgentOf(&'w SystemAddress),
}

/// What a node knows of the mesh, and how it stands with that.
#[derive(Clone, Debug)]
pub struct Knows {
    pub directory: LiveDirectory,
    pub standing: Standing,
}

/// A node that cannot be built. Each sentence names the file or address to look at.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{file}: the certificate breaks a rule of the mesh")]
    Certificate { file: String, source: Rule },
    #[error("{file}: the certificate names {found}, and the configuration {wanted}")]
    OtherNode { file: String, found: String, wanted: String },
    #[error(transparent)]
    Directory(#[from] DirectoryFileError),
    #[error(transparent)]
    Told(#[from] ToldError),
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    #[error("the registry makes no directory: {0}")]
    Signed(#[source] NotTaken),
    #[error(
        "{file}: is the private half of no key in directory.key_file, nor of one that the registry \
         names: no node would believe what it signs"
    )]
    UnknownSigner { file: String },
    #[error("{field}: {address} cannot be listened on")]
    Listen { field: &'static str, address: String, source: std::io::Error },
    #[error("the gRPC server failed")]
    Serve(#[from] tonic::transport::Error),
    #[error(transparent)]
    Admin(#[from] mesh_rt::admin::AdminError),
}

impl Named {
    /// Reads what `files` name: the certificate must say that the node is `who`.
    pub fn load(program: &Program, files: NodeFiles<'_>, who: &Who<'_>) -> Result<Self, NodeError> {
        let NodeFiles { mesh, tls } = files;
        let identity = Identity::load(&tls.chain_file, &tls.key_file)?;
        let file = tls.chain_file.display().to_string();
        let described = identity
            .describe(mesh)
            .map_err(|source| NodeError::Certificate { file: file.clone(), source })?;
        if !who.is(&described.node) {
            let (found, wanted) = (mesh.dns_name(&described.node), who.shown(mesh));
            return Err(NodeError::OtherNode { file, found, wanted });
        }
        Ok(Self {
            mesh: mesh.clone(),
            node: described.node,
            software: format!("{} {}", program.name, program.version),
            identity,
            expires_unix_ms: described.not_after_unix.saturating_mul(1000),
        })
    }
}

impl Node {
    /// The node of this name, which knows what it `knows`.
    pub fn new(named: Named, knows: Knows, clock: Arc<dyn Clock>) -> Self {
        let Named { mesh, node, software, identity, expires_unix_ms } = named;
        let Knows { directory, standing } = knows;
        let mut me = Me::new(mesh, node, software);
        let position = standing.clone();
        me.directory = PositionNow(Arc::new(move || position.position()));
        let readiness = Readiness::default();
        Self {
            me,
            identity,
            directory,
            standing,
            texts: TextSource::default(),
            drain: Drain::new(readiness.clone()),
            readiness,
            counters: Counters::default(),
            started_at_unix_ms: clock.unix_ms(),
            clock,
            certificate_expires_unix_ms: expires_unix_ms,
        }
    }

    /// This node's name in errors and timings.
    pub fn hop(&self) -> HopName {
        self.me.hop()
    }

    /// A problem that this node found.
    pub fn problem(&self, reason: Reason, detail: impl Into<String>) -> Problem {
        Problem::new(reason, self.hop(), detail)
    }

    /// The owner of the link library's tasks.
    pub fn spawn(&self) -> Spawn {
        let drain = self.drain.clone();
        Spawn::new(move |task| drain.spawn(task))
    }

    /// Asks the directory whether the key of a verified peer is active: a certificate is necessary,
    /// not sufficient.
    pub fn admit_key(&self) -> AdmitKey {
        let directory = self.directory.clone();
        AdmitKey(Arc::new(move |peer: &PeerIdentity| {
            let admitted = directory.now().admits(&peer.node, &peer.spki);
            if !admitted {
                // A genuine certificate whose key is not active: revoked, moved, or stolen.
                warn!(peer = %peer.node, reason = %Reason::NodeUnknown, "link refused");
            }
            admitted
        }))
    }

    /// The same for the node above. A node that was told nothing yet has only a certificate to go
    /// by: chain and name, which the handshake has checked.
    pub(crate) fn admit_upper(&self) -> AdmitKey {
        let (node, AdmitKey(admit)) = (self.clone(), self.admit_key());
        AdmitKey(Arc::new(move |peer| !node.is_told() || admit(peer)))
    }

    /// Has this node been told anything of the mesh? The centre has decided it.
    pub(crate) fn is_told(&self) -> bool {
        self.directory.heads().contains_key(&Scope::Nation)
    }

    /// Completes when the directory no longer lets `peer` in: its key was removed, or its system
    /// has moved. A connection is as old as its handshake, and the handshake asks only once.
    pub(crate) async fn until_revoked(&self, peer: &PeerIdentity) {
        let mut changed = self.directory.changed();
        loop {
            changed.mark_unchanged();
            if self.is_told() && !self.directory.now().admits(&peer.node, &peer.spki) {
                return;
            }
            // The directory lives as long as the node.
            if changed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// For connections that this node opens: they are broken off when their peer is revoked, as the
    /// links are that others opened.
    pub(crate) fn until_cut(&self) -> UntilCut {
        let node = self.clone();
        UntilCut(Arc::new(move |peer| {
            let (node, peer) = (node.clone(), peer.clone());
            Box::pin(async move {
                node.until_revoked(&peer).await;
                warn!(peer = %peer.node, reason = %Reason::NodeUnknown, "link cut");
            })
        }))
    }

    /// Loads what a peer's certificate is checked against.
    pub fn trust(file: &Path) -> Result<Trust, NodeError> {
        Ok(Trust::load(file)?)
    }
}

impl Who<'_> {
    fn is(&self, node: &NodeName) -> bool {
        match self {
            Self::Node(name) => node == name,
            Self::AgentOf(own) => {
                matches!(node, NodeName::Agent { system, .. } if system == *own)
            }
        }
    }

    fn shown(&self, mesh: &MeshDomain) -> String {
        match self {
            Self::Node(name) => mesh.dns_name(name),
            Self::AgentOf(system) => format!("the system {system}"),
        }
    }
}
