//! What a node tells operators of itself and of its links.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::node::NodeName;
use mesh_link::dial::Uplink;
use mesh_link::lane::Lane;
use mesh_link::peers::Peers;
use mesh_proto::directory::write_heads;
use mesh_proto::header::write_position;
use mesh_proto::wire::admin::v1::{
    Following, LaneState, Neighbour, Side, StatusResponse, TopologyResponse,
};
use mesh_rt::admin::NodeView;
use mesh_rt::memory::resident_bytes;

use crate::lower::HandshakeCounts;
use crate::node::Node;
use crate::operators::{Expected, ServicesAway};

/// A node's view of itself. An agent has no lower side, the centre no upper one.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) node: Node,
    pub(crate) upper: Option<(NodeName, Arc<Uplink>)>,
    pub(crate) lower: Option<(Arc<Peers>, HandshakeCounts)>,
    /// The lower neighbours that the directory says there should be.
    pub(crate) expected: Expected,
    pub(crate) services_away: ServicesAway,
}

impl NodeView for View {
    fn status(&self) -> StatusResponse {
        let Node { me, readiness, counters, .. } = &self.node;
        let handshakes = self.lower.as_ref().map(|(_, counts)| counts.read()).unwrap_or_default();
        StatusResponse {
            node: me.mesh.dns_name(&me.node),
            software: me.software.clone(),
            ready: readiness.ready(),
            waiting_for: readiness.waiting_for(),
            draining: readiness.draining(),
            started_at_unix_ms: self.node.started_at_unix_ms,
            directory: Some(write_position(self.node.standing.position())),
            following: Some(self.following()),
            counters: Some(counters.read(handshakes)),
            certificate_expires_unix_ms: self.node.certificate_expires_unix_ms,
            resident_bytes: resident_bytes().unwrap_or_default(),
            services_away: (self.services_away.0)(),
        }
    }

    fn topology(&self) -> TopologyResponse {
        let mut neighbours = Vec::new();
        if let Some((name, uplink)) = &self.upper {
            neighbours.push(self.neighbour(name, Side::Upper, &uplink.lanes()));
        }
        let expected = (self.expected.0)(&self.node.directory.now());
        let mut lower: BTreeMap<&NodeName, Vec<Lane>> =
            expected.iter().map(|name| (name, Vec::new())).collect();
        let lanes = self.lower.as_ref().map(|(peers, _)| peers.lanes()).unwrap_or_default();
        let names: Vec<NodeName> = lanes.iter().map(|lane| lane.peer().node.clone()).collect();
        for (name, lane) in names.iter().zip(lanes) {
            lower.entry(name).or_default().push(lane);
        }
        let lower = lower.iter().map(|(name, lanes)| self.neighbour(name, Side::Lower, lanes));
        neighbours.extend(lower);
        let me = &self.node.me;
        TopologyResponse { node: me.mesh.dns_name(&me.node), neighbours }
    }
}

impl View {
    fn following(&self) -> Following {
        let heads = write_heads(&self.node.directory.heads());
        Following { heads, ..self.node.standing.status() }
    }

    fn neighbour(&self, name: &NodeName, side: Side, lanes: &[Lane]) -> Neighbour {
        let software = lanes.first().map(|lane| lane.peer().software.clone());
        Neighbour {
            node: self.node.me.mesh.dns_name(name),
            side: side.into(),
            lanes: lanes.iter().map(|lane| self.lane(lane)).collect(),
            software: software.unwrap_or_default(),
        }
    }

    fn lane(&self, lane: &Lane) -> LaneState {
        let (in_flight, total) = lane.exchanges();
        let up_ms = lane.since().elapsed().as_millis() as u64;
        let link_id = lane.peer().link_id.iter().map(|byte| format!("{byte:02x}")).collect();
        LaneState {
            lane: lane.kind().name().into(),
            link_id,
            since_unix_ms: self.node.clock.unix_ms().saturating_sub(up_ms),
            exchanges_in_flight: in_flight.into(),
            exchanges_total: total,
            round_trip_us: lane.round_trip().map_or(0, |time| time.as_micros() as u64),
            draining: lane.is_draining(),
        }
    }
}
