//! The centre's heartbeats: where the mesh stands, said every few seconds and soon after each
//! change, so that silence is noticed, and two truths are.

use std::time::Duration;

use mesh_core::limits::{HEARTBEAT_AFTER_COMMIT, HEARTBEAT_INTERVAL};
use mesh_rt::exit::sentence;
use tokio::time::{sleep, timeout};
use tracing::error;

use crate::directory::LiveDirectory;
use crate::node::Node;

/// How long changes are waited for that one heartbeat can speak of together. Well within
/// [`HEARTBEAT_AFTER_COMMIT`], so that signing and sending fit in as well.
const GATHER: Duration = Duration::from_millis(HEARTBEAT_AFTER_COMMIT.as_millis() as u64 / 4);

/// Makes heartbeats until the node drains. At the centre.
pub fn start(node: &Node) {
    let (node, drain) = (node.clone(), node.drain.clone());
    drain.clone().spawn(async move {
        tokio::select! {
            () = drain.begun() => {}
            () = beat(&node) => {}
        }
    });
}

async fn beat(node: &Node) {
    let mut changed = node.directory.changed();
    loop {
        changed.mark_unchanged();
        let before = node.directory.now().position();
        let now_unix_ms = node.clock.unix_ms();
        match node.directory.beat(now_unix_ms) {
            Ok(()) => {
                // A root is made of what this node decided: it cannot contradict itself.
                let _ = node.standing.heard(node.directory.position(), now_unix_ms);
            }
            Err(why) => error!(why = sentence(&why), "no heartbeat can be made"),
        }
        renew(node.directory.clone()).await;
        let moved = async {
            while node.directory.now().position() == before {
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        if timeout(HEARTBEAT_INTERVAL, moved).await.is_ok() {
            sleep(GATHER).await;
        }
    }
}

/// Lays out anew what has grown too long.
async fn renew(directory: LiveDirectory) {
    let renewed = tokio::task::spawn_blocking(move || directory.renew_snapshots()).await;
    if let Err(why) = renewed {
        error!(%why, "snapshots of the directory cannot be made");
    }
}
