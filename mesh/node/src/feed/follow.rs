//! The following end: keeps this node's directory up with the one above.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::directory::history::{Head, Untakeable};
use mesh_core::directory::scope::Scope;
use mesh_core::limits::HEARTBEAT_INTERVAL;
use mesh_link::dial::Connect;
use mesh_proto::directory::write_follow;
use mesh_proto::malformed::Malformed;
use mesh_proto::status::read_status;
use mesh_proto::wire::directory::v1::directory_service_client::DirectoryServiceClient;
use mesh_proto::wire::directory::v1::feed_event::Kind;
use mesh_proto::wire::directory::v1::{FeedEvent, Heartbeat};
use mesh_rt::directory_file::SNAPSHOT_BYTES_MAX;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};
use tracing::{debug, error, info, warn};

use super::taking::{Refused, Taking};
use crate::directory::NotTaken;
use crate::node::Node;
use crate::told::Kept;

/// First and longest wait between two attempts, and the longest one after something was refused:
/// it will be the same the next time.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);
const BACK_OFF_REFUSED_MAX: Duration = Duration::from_secs(60);

/// A feed on which nothing came for so long is dead, or as good as dead.
const SILENCE_MAX: Duration = HEARTBEAT_INTERVAL.saturating_mul(3);

/// Events that belong together at most.
const GROUP_EVENTS_MAX: usize = 1024 * 1024;

/// A node that follows another.
pub(crate) struct Following {
    pub(crate) node: Node,
    /// Where it keeps what it is told.
    pub(crate) kept: Option<Kept>,
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
    /// What came could not be taken.
    Refused(Refused),
}

/// One node that follows, as it goes on.
struct Follow {
    node: Node,
    taking: Taking,
    connect: Arc<dyn Connect>,
    up: watch::Receiver<bool>,
    random: StdRng,
    back_off: Duration,
    /// Why the last attempt ended, if nothing good came since: said once.
    cause: Option<String>,
    /// Asked for whole, because what came did not follow.
    anew: Option<Scope>,
}

/// What comes next on a feed.
enum Next {
    Group(Vec<FeedEvent>),
    Heartbeat(Heartbeat),
}

impl Following {
    /// Follows until the node drains.
    pub(crate) fn start(self) {
        let Self { node, kept, connect, up, seed } = self;
        let drain = node.drain.clone();
        let taking = Taking::new(node.directory.clone(), node.standing.clone(), kept);
        let follow = Follow {
            taking,
            connect,
            up,
            random: StdRng::seed_from_u64(seed),
            back_off: BACK_OFF_MIN,
            cause: None,
            anew: None,
            node,
        };
        drain.clone().spawn(async move {
            tokio::select! {
                () = drain.begun() => {}
                () = follow.keep() => {}
            }
        });
    }
}

impl Follow {
    async fn keep(mut self) {
        while self.up.wait_for(|up| *up).await.is_ok() {
            let ended = match self.follow().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            self.node.standing.follows(false);
            let longest = self.explain(ended);
            self.back_off = (self.back_off * 2).min(longest);
            // Full jitter, so that a thousand agents do not come back as one.
            let wait = self.random.random_range(Duration::ZERO..self.back_off);
            tokio::select! {
                () = sleep(wait) => {}
                // Whoever comes after that may say something else.
                down = self.up.wait_for(|up| !*up) => {
                    drop(down);
                    self.back_off = BACK_OFF_MIN;
                }
            }
        }
    }

    /// Takes what comes for as long as it comes.
    async fn follow(&mut self) -> Result<std::convert::Infallible, Ended> {
        let mut events = self.open().await?;
        self.node.standing.follows(true);
        loop {
            match self.next(&mut events).await? {
                Next::Group(group) => {
                    self.taking.group(group).await.map_err(Ended::Refused)?;
                    self.anew = None;
                }
                Next::Heartbeat(heartbeat) => {
                    let confirmed = self.taking.heartbeat(heartbeat).await;
                    if confirmed.map_err(Ended::Refused)? {
                        self.back_off = BACK_OFF_MIN;
                        self.cause = None;
                    }
                }
            }
        }
    }

    async fn open(&self) -> Result<Streaming<FeedEvent>, Ended> {
        let channel = self.connect.connect().await;
        let channel = channel.map_err(|error| Ended::Interrupted(self.connect.explain(&*error)))?;
        let mut client = DirectoryServiceClient::new(channel)
            .max_decoding_message_size(SNAPSHOT_BYTES_MAX as usize);
        let asked = timeout(SILENCE_MAX, client.follow(write_follow(&self.have()))).await;
        let answer = asked.map_err(|_| silent())?;
        Ok(answer.map_err(|status| self.told(&status))?.into_inner())
    }

    /// What to say that this node has.
    fn have(&self) -> BTreeMap<Scope, Head> {
        let mut have = self.node.directory.wanted();
        if let Some(scope) = &self.anew {
            have.remove(scope);
        }
        have
    }

    /// The next group or heartbeat, whole.
    async fn next(&self, events: &mut Streaming<FeedEvent>) -> Result<Next, Ended> {
        let mut group = Vec::new();
        loop {
            let event = timeout(SILENCE_MAX, events.message()).await.map_err(|_| silent())?;
            let event = event.map_err(|status| self.told(&status))?;
            let event = event.ok_or_else(|| Ended::Interrupted("the neighbour ended it".into()))?;
            let more = event.more;
            match event.kind {
                Some(Kind::Heartbeat(heartbeat)) if group.is_empty() && !more => {
                    return Ok(Next::Heartbeat(heartbeat));
                }
                Some(kind) => group.push(FeedEvent { kind: Some(kind), more }),
                None => {
                    let why = NotTaken::from(Malformed::missing("feed.kind"));
                    return Err(Ended::Refused(why.into()));
                }
            }
            if !more {
                return Ok(Next::Group(group));
            }
            if GROUP_EVENTS_MAX < group.len() {
                return Err(Ended::Refused(Refused::TooLong { limit: GROUP_EVENTS_MAX }));
            }
        }
    }

    fn told(&self, status: &Status) -> Ended {
        let problem = read_status(status).map(|problem| problem.to_string());
        Ended::Interrupted(problem.unwrap_or_else(|| self.connect.explain(status)))
    }

    /// Says what happened, once for each cause, and how long to wait at most before the next try.
    fn explain(&mut self, ended: Ended) -> Duration {
        match ended {
            Ended::Interrupted(why) => {
                if self.cause.replace(why.clone()).as_ref() == Some(&why) {
                    debug!(why, "the directory feed was interrupted again");
                } else {
                    info!(why, "the directory feed was interrupted");
                }
                BACK_OFF_MAX
            }
            Ended::Refused(refused) => {
                let why = refused.to_string();
                let is_news = self.cause.replace(why.clone()).as_ref() != Some(&why);
                match (is_news, refused.is_suspicious()) {
                    (false, _) => debug!(why, "what was offered is not taken again"),
                    // It may be what was true once, or a second truth: someone should look.
                    (true, true) => {
                        error!(security = true, why, "the directory that was offered is not taken");
                    }
                    (true, false) => warn!(why, "the directory that was offered is not taken"),
                }
                self.node.standing.refused(why);
                self.anew = lacking(&refused);
                BACK_OFF_REFUSED_MAX
            }
        }
    }
}

fn silent() -> Ended {
    Ended::Interrupted(format!("nothing came for {} s", SILENCE_MAX.as_secs()))
}

/// The scope that a snapshot would mend.
fn lacking(refused: &Refused) -> Option<Scope> {
    match refused {
        Refused::NotTaken(NotTaken::Untakeable { scope, why }) => {
            matches!(**why, Untakeable::Gap { .. }).then(|| scope.clone())
        }
        _ => None,
    }
}
