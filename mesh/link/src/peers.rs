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
    lanes: Mutex<Lanes>,
}

#[derive(Debug, Default)]
struct Lanes {
    by_node: HashMap<NodeName, Vec<Lane>>,
    draining: bool,
}

impl Peers {
    /// Makes `lane` known; [`Self::forget`] belongs to it. One that comes when a drain has begun is
    /// over at once.
    pub fn add(&self, lane: Lane) {
        let mut lanes = self.lock();
        if lanes.draining {
            lane.end_drained();
        } else {
            let known = lanes.by_node.entry(lane.peer().node.clone()).or_default();
            for old in known.iter().filter(|old| is_successor(&lane, old)) {
                old.end_replaced();
            }
            known.push(lane);
        }
    }

    /// Forgets `lane` when it has ended, and completes then.
    pub async fn forget(&self, lane: &Lane) {
        lane.ended().await;
        self.forget_ended(&lane.peer().node);
    }

    /// A lane to `node` that takes an exchange of this kind, and of several (one from each replica
    /// of an agent) the one with least to do. A quick one may go on bulk; bulk never on quick.
    pub fn lane(&self, node: &NodeName, kind: LaneKind) -> Option<Lane> {
        let lanes = self.lock();
        let fits = |lane: &&Lane| lane.takes_more() && lane.kind().carries(kind);
        let usable = lanes.by_node.get(node)?.iter().filter(fits);
        usable.min_by_key(|lane| (lane.kind() != kind, lane.exchanges().0)).cloned()
    }

    /// All lanes that are up, for operators.
    pub fn lanes(&self) -> Vec<Lane> {
        let lanes = self.lock();
        lanes.by_node.values().flatten().filter(|lane| !lane.is_ended()).cloned().collect()
    }

    /// Tells all peers that this node is about to stop, and completes when what is open has ended.
    pub async fn drain(&self, grace: Duration) {
        self.lock().draining = true;
        drain_all(&self.lanes(), grace).await;
    }

    fn forget_ended(&self, node: &NodeName) {
        let mut lanes = self.lock();
        if let Some(left) = lanes.by_node.get_mut(node) {
            left.retain(|lane| !lane.is_ended());
            if left.is_empty() {
                lanes.by_node.remove(node);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().expect("nothing panics under this lock")
    }
}

/// Is `new` the same lane of the same link as `old`, dialled again? Then the peer has given the old
/// one up, even if this side has not noticed. One that drains finishes beside its successor.
fn is_successor(new: &Lane, old: &Lane) -> bool {
    let (mine, theirs) = (new.peer(), old.peer());
    mine.link_id == theirs.link_id && mine.kind == theirs.kind && !old.is_draining()
}
