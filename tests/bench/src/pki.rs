//! The certificates of a benchmark's parts: each is a node of the mesh, under its own authority.

use std::path::Path;
use std::time::SystemTime;

use mesh_certs::LocalPki;
use mesh_core::id::ClusterId;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_rt::tls::{Acceptor, Admit, Connector, Identity, Trust};

use crate::part::Failure;

/// A part, as the mesh knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// The agent of the consumer.
    Caller,
    /// The hub between the two.
    Hub,
    /// The agent of the provider, which dials the hub as an agent does.
    Provider,
    /// What the unary forwarder calls. A gRPC server needs a certificate of one that listens.
    Centre,
}

impl Who {
    const ALL: [Self; 4] = [Self::Caller, Self::Hub, Self::Provider, Self::Centre];

    fn dns_name(self) -> &'static str {
        match self {
            Self::Caller => "desk.licensing.gov.economy.mesh.ir",
            Self::Hub => "hub.economy.mesh.ir",
            Self::Provider => "debts.tax.gov.economy.mesh.ir",
            Self::Centre => "hub.centre.mesh.ir",
        }
    }

    pub(crate) fn node(self) -> NodeName {
        mesh().parse_node(self.dns_name()).expect("the names above are names of nodes")
    }

    /// Where its certificate is, below the directory of [`issue_all`].
    fn folder(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Hub => "hub",
            Self::Provider => "provider",
            Self::Centre => "centre",
        }
    }
}

pub(crate) fn mesh() -> MeshDomain {
    let mesh = "ir".parse().expect("`ir` is a label");
    MeshDomain::new(mesh, "mesh.ir").expect("`mesh.ir` is a domain")
}

fn cluster() -> ClusterId {
    "economy".parse().expect("`economy` is a label")
}

/// Makes the certificates of all parts below `dir`.
pub(crate) fn issue_all(dir: &Path) -> Result<(), Failure> {
    let now = SystemTime::now();
    let pki = LocalPki::create(&dir.join("pki"), &mesh(), [cluster()], now)?;
    for who in Who::ALL {
        pki.issue(&who.node(), &dir.join(who.folder()), now)?;
    }
    Ok(())
}

/// The handshakes of `me` where it listens.
pub(crate) fn acceptor(dir: &Path, me: Who) -> Result<Acceptor, Failure> {
    let dir = dir.join(me.folder());
    let admit = match me {
        Who::Centre => Admit::CentreListener,
        Who::Hub | Who::Caller | Who::Provider => Admit::HubListener(cluster()),
    };
    let trust = Trust::load(&dir.join("listener-trust.pem"))?;
    Ok(Acceptor::new(&identity(&dir)?, trust, admit, mesh()))
}

/// The handshakes of `me` where it dials `other`.
pub(crate) fn connector(dir: &Path, me: Who, other: Who) -> Result<Connector, Failure> {
    let dir = dir.join(me.folder());
    let trust = Trust::load(&dir.join("trust.pem"))?;
    Ok(Connector::new(&identity(&dir)?, trust, other.node(), mesh())?)
}

/// The URI of `other` in HTTP/2. Where it is dialled, the dialer knows.
pub(crate) fn uri(other: Who) -> http::Uri {
    format!("https://{}/", other.dns_name()).parse().expect("a DNS name makes a URI")
}

fn identity(dir: &Path) -> Result<Identity, Failure> {
    Ok(Identity::load(&dir.join("chain.pem"), &dir.join("key.pem"))?)
}
