//! Keeps an eye on how a node stands with the directory: for its readiness, and for the log.

use std::time::Duration;

use mesh_core::island::Freshness;
use mesh_core::limits::HEARTBEAT_INTERVAL;
use mesh_core::node::NodeName;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::node::Node;

/// A node that heard nothing for so long does not follow, whatever its link says.
const HEARD_WITHIN: Duration = HEARTBEAT_INTERVAL.saturating_mul(3);

/// How often it looks when nothing comes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches until the node drains; `upper` is the node above.
pub(crate) fn start(node: &Node, upper: &NodeName) {
    let condition = node.readiness.condition(format!("directory from {upper}"));
    let (node, drain) = (node.clone(), node.drain.clone());
    let watching = async move {
        let mut heard = node.standing.changed();
        let mut before = Freshness::Fresh;
        loop {
            let silent = node.standing.silent();
            let is_heard = node.standing.since_heard().is_some_and(|since| since < HEARD_WITHIN);
            condition.set(is_heard);
            let now = node.standing.freshness();
            // A node that has just started has not had the time to hear anything.
            if before != now && silent.is_some() {
                tell(now, silent.unwrap_or_default());
                before = now;
            }
            // Whatever ends the wait, it looks again; the sender lives as long as the node.
            let _ = timeout(LOOK_EVERY, heard.changed()).await;
        }
    };
    drain.clone().spawn(async move {
        tokio::select! {
            () = drain.begun() => {}
            () = watching => {}
        }
    });
}

fn tell(freshness: Freshness, silent: Duration) {
    let silent_s = silent.as_secs();
    match freshness {
        Freshness::Fresh => info!("the centre is heard again"),
        Freshness::Warned => warn!(silent_s, "not heard from the centre"),
        Freshness::StaleForSensitive => {
            warn!(silent_s, "not heard from the centre: sensitive services are no longer served");
        }
        Freshness::Stale => {
            error!(silent_s, "not heard from the centre: nothing is served any more");
        }
    }
}
