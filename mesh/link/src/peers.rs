//! The lower neighbours that have dialled, and a lane to each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use mesh_core::node::NodeName;
use mesh_proto::frame::LaneKind;

use crate::lane::{Lane, drain_all};

/// Lanes by the node at their other end.
#[derive(Debug, Default)]
pub struct Peers {
    lanes: Mutex<HashMap<NodeName, Vec<Lane>>>,
}

impl Peers {
    /// Makes `lane` known; [`Self::forget`] belongs to it.
    pub fn add(&self, lane: Lane) {
        self.lock().entry(lane.peer().node.clone()).or_default().push(lane);
    }

    /// Forgets `lane` when it has ended, and completes then.
    pub async fn forget(&self, lane: &Lane) {
        lane.ended().await;
        self.forget_ended(&lane.peer().node);
    }

    /// A lane to `node` that takes an exchange: of this kind if there is one, and of several (one
    /// from each replica of an agent) the one with least to do.
    pub fn lane(&self, node: &NodeName, kind: LaneKind) -> Option<Lane> {
        let lanes = self.lock();
        let usable = lanes.get(node)?.iter().filter(|lane| lane.takes_more());
        usable.min_by_key(|lane| (lane.kind() != kind, lane.exchanges().0)).cloned()
    }

    /// All lanes that are up, for operators.
    pub fn lanes(&self) -> Vec<Lane> {
        let lanes = self.lock();
        lanes.values().flatten().filter(|lane| !lane.is_ended()).cloned().collect()
    }

    /// Tells all peers that this node is about to stop, and completes when what is open has ended.
    pub async fn drain(&self, grace: Duration) {
        drain_all(&self.lanes(), grace).await;
    }

    fn forget_ended(&self, node: &NodeName) {
        let mut lanes = self.lock();
        if let Some(left) = lanes.get_mut(node) {
            left.retain(|lane| !lane.is_ended());
            if left.is_empty() {
                lanes.remove(node);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeName, Vec<Lane>>> {
        self.lanes.lock().expect("nothing panics under this lock")
    }
}
