//! The following end: keeps this node's directory up with the one above.

use std::sync::Arc;
use std::time::Duration;

use mesh_core::directory::scope::Scope;
use mesh_link::dial::Connect;
use mesh_proto::directory::write_follow;
use mesh_proto::status::read_status;
use mesh_proto::wire::directory::v1::FeedEvent;
use mesh_proto::wire::directory::v1::directory_service_client::DirectoryServiceClient;
use mesh_proto::wire::directory::v1::feed_event::Kind;
use mesh_rt::directory_file::SNAPSHOT_BYTES_MAX;
use mesh_rt::exit::sentence;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::Status;
use tracing::{info, warn};

use crate::directory::{LiveDirectory, NotTaken};
use crate::node::Node;

/// First and longest wait between two attempts.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

/// A node that follows another.
pub(crate) struct Following {
    pub(crate) node: Node,
    /// Dials the upper neighbour.
    pub(crate) connect: Arc<dyn Connect>,
    /// Is the link up? While it is not, the feed need not try: the link says why, once.
    pub(crate) up: watch::Receiver<bool>,
    /// Of the jitter between attempts.
    pub(crate) seed: u64,
}

/// How one attempt ended.
enum Ended {
    /// The stream ended, or was never there.
    Interrupted(String),
    /// What came could not be taken. Asking for a snapshot may help.
    NotTaken(NotTaken),
}

impl Following {
    /// Follows until the node drains.
    pub(crate) fn start(self) {
        let drain = self.node.drain.clone();
        self.node.drain.clone().spawn(async move {
            tokio::select! {
                () = drain.begun() => {}
                () = self.keep() => {}
            }
        });
    }

    async fn keep(mut self) {
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut back_off = BACK_OFF_MIN;
        let mut whole = false;
        while self.up.wait_for(|up| *up).await.is_ok() {
            let before = self.node.directory.head();
            let ended = self.follow(whole).await;
            if self.node.directory.head() != before {
                back_off = BACK_OFF_MIN;
            }
            whole = self.explain(&ended);
            // Full jitter, so that a thousand agents do not come back as one.
            let wait = random.random_range(Duration::ZERO..back_off);
            back_off = (back_off * 2).min(BACK_OFF_MAX);
            sleep(wait).await;
        }
    }

    /// Takes what comes for as long as it comes.
    async fn follow(&self, whole: bool) -> Ended {
        let channel = match self.connect.connect().await {
            Ok(channel) => channel,
            Err(error) => return Ended::Interrupted(self.connect.explain(&*error)),
        };
        let directory = &self.node.directory;
        let have = (!whole).then(|| (Scope::Nation, directory.head())).into_iter().collect();
        let mut client = DirectoryServiceClient::new(channel)
            .max_decoding_message_size(SNAPSHOT_BYTES_MAX as usize);
        let mut events = match client.follow(write_follow(&have)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Ended::Interrupted(self.told(&status)),
        };
        loop {
            match events.message().await {
                Ok(Some(event)) => {
                    if let Err(why) = take(directory, event).await {
                        return Ended::NotTaken(why);
                    }
                    let head = directory.head();
                    info!(epoch = head.epoch, revision = head.revision, "directory taken");
                }
                Ok(None) => return Ended::Interrupted("the neighbour ended it".into()),
                Err(status) => return Ended::Interrupted(self.told(&status)),
            }
        }
    }

    fn told(&self, status: &Status) -> String {
        let problem = read_status(status).map(|problem| problem.to_string());
        problem.unwrap_or_else(|| self.connect.explain(status))
    }

    /// Says what happened, and whether to ask for a snapshot next.
    fn explain(&self, ended: &Ended) -> bool {
        match ended {
            Ended::Interrupted(why) => {
                info!(why, "the directory feed was interrupted");
                false
            }
            Ended::NotTaken(why @ NotTaken::Store(_)) => {
                warn!(why = sentence(why), "the directory cannot be kept on disk");
                false
            }
            // It may be what was true once, or a second truth: someone should look.
            Ended::NotTaken(why) => {
                warn!(why = sentence(why), "the directory that was offered is not taken");
                true
            }
        }
    }
}

async fn take(directory: &LiveDirectory, event: FeedEvent) -> Result<(), NotTaken> {
    match event.kind {
        Some(Kind::Entry(entry)) => directory.take_entry(&entry).await.map(drop),
        Some(Kind::Snapshot(snapshot)) => directory.take_snapshot(&snapshot).await.map(drop),
        // Of a later version: it must not be passed over.
        Some(Kind::Heartbeat(_)) => {
            Err(mesh_proto::malformed::Malformed::too_new("feed.heartbeat").into())
        }
        None => Err(mesh_proto::malformed::Malformed::missing("feed.kind").into()),
    }
}
