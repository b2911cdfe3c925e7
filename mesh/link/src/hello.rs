//! The first frame in each direction: who is there, which version they speak, what they take.

use std::fmt;
use std::sync::Arc;

use mesh_core::exchange::DirectoryPosition;
use mesh_core::limits::{CREDIT_BYTES, DATA_BYTES_MAX, EXCHANGES_MAX};
use mesh_core::node::{MeshDomain, NodeName};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::PROTOCOL_VERSION;
use mesh_proto::frame::{Frame, Hello, LaneKind};

use crate::book::Terms;

/// What a node says of itself on every lane.
#[derive(Clone, Debug)]
pub struct Me {
    pub mesh: MeshDomain,
    pub node: NodeName,
    /// Program and version, for people.
    pub software: String,
    /// Exchanges that a peer may have open at once on one lane.
    pub exchanges_max: u32,
    /// Body bytes under way that this node takes, for each exchange and direction. At least what
    /// an opening may carry, or peers refuse the link.
    pub credit_bytes: u32,
    pub directory: PositionNow,
}

/// Tells where a node's directory stands at the moment.
#[derive(Clone)]
pub struct PositionNow(pub Arc<dyn Fn() -> DirectoryPosition + Send + Sync>);

/// What a peer said of itself, once it is known to be true.
#[derive(Clone, Debug)]
pub struct Peer {
    pub node: NodeName,
    pub hop: HopName,
    pub kind: LaneKind,
    /// The same for both lanes of a link, and different for two replicas of an agent.
    pub link_id: [u8; 16],
    pub software: String,
}

impl fmt::Debug for PositionNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)().fmt(f)
    }
}

impl Peer {
    /// Behind an agent there is nobody: where it says that another hop is at fault, its own name is
    /// put in the place.
    pub(crate) fn signed(&self, mut frame: Frame) -> Frame {
        if let Frame::Cancel { problem, .. } = &mut frame
            && matches!(self.node, NodeName::Agent { .. })
            && problem.hop != self.hop
        {
            let detail = format!("{} says of {}: {}", self.hop, problem.hop, problem.detail);
            *problem = Problem::new(problem.reason, self.hop.clone(), detail);
        }
        frame
    }
}

impl Me {
    /// A node with the protocol's own limits.
    pub fn new(mesh: MeshDomain, node: NodeName, software: impl Into<String>) -> Self {
        Self {
            mesh,
            node,
            software: software.into(),
            exchanges_max: EXCHANGES_MAX,
            credit_bytes: CREDIT_BYTES,
            directory: PositionNow(Arc::new(DirectoryPosition::default)),
        }
    }

    /// The name under which this node appears in errors and timings.
    pub fn hop(&self) -> HopName {
        HopName::from(&self.node)
    }

    pub(crate) fn hello(&self, kind: LaneKind, link_id: [u8; 16]) -> Hello {
        Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            node: self.mesh.dns_name(&self.node),
            lane: kind,
            link_id,
            exchanges_max: self.exchanges_max,
            credit_bytes: self.credit_bytes,
            directory: (self.directory.0)(),
            software: self.software.clone(),
        }
    }

    /// Checks a peer's hello against `node`, which its certificate names.
    pub(crate) fn meet(&self, hello: &Hello, node: NodeName) -> Result<(Peer, Terms), Problem> {
        let refused = |reason, detail| Err(Problem::new(reason, self.hop(), detail));
        if hello.node != self.mesh.dns_name(&node) {
            let detail = format!(
                "the hello names {:?}, the certificate {}",
                hello.node,
                self.mesh.dns_name(&node)
            );
            return refused(Reason::SourceMismatch, detail);
        }
        if !(hello.version_min..=hello.version_max).contains(&PROTOCOL_VERSION) {
            let Hello { version_min, version_max, .. } = hello;
            let detail = format!(
                "{} speaks versions {version_min} to {version_max} of the protocol, want \
                 {PROTOCOL_VERSION}",
                hello.node
            );
            return refused(Reason::VersionUnsupported, detail);
        }
        if (hello.credit_bytes as usize) < DATA_BYTES_MAX {
            let detail = format!(
                "{} takes {} body bytes at once, want {DATA_BYTES_MAX} at least, which is what an \
                 opening may carry",
                hello.node, hello.credit_bytes
            );
            return refused(Reason::ProtocolViolation, detail);
        }
        let terms = Terms {
            ours_max: hello.exchanges_max,
            theirs_max: self.exchanges_max,
            send_bytes: hello.credit_bytes,
            receive_bytes: self.credit_bytes,
        };
        let peer = Peer {
            hop: HopName::from(&node),
            node,
            kind: hello.lane,
            link_id: hello.link_id,
            software: hello.software.clone(),
        };
        Ok((peer, terms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meets_only_whom_the_certificate_names() {
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let node = |name: &str| mesh.parse_node(name).unwrap();
        let centre = Me::new(mesh.clone(), NodeName::Centre, "test");
        let health = Me::new(mesh.clone(), node("hub.health.mesh.ir"), "test");
        let hello = health.hello(LaneKind::Quick, [1; 16]);

        assert!(centre.meet(&hello, node("hub.health.mesh.ir")).is_ok());
        let lie = centre.meet(&hello, node("hub.economy.mesh.ir")).unwrap_err();
        assert_eq!(lie.reason, Reason::SourceMismatch);

        let newer = Hello { version_min: 2, version_max: 3, ..hello.clone() };
        let unknown = centre.meet(&newer, node("hub.health.mesh.ir")).unwrap_err();
        assert_eq!(unknown.reason, Reason::VersionUnsupported);

        let stingy = Hello { credit_bytes: DATA_BYTES_MAX as u32 - 1, ..hello };
        let narrow = centre.meet(&stingy, node("hub.health.mesh.ir")).unwrap_err();
        assert_eq!(narrow.reason, Reason::ProtocolViolation);
    }
}
