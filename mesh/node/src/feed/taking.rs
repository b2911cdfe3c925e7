//! What becomes of one thing that the node above says: it is judged, taken, and kept on disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_core::directory::history::Head;
use mesh_core::exchange::DirectoryPosition;
use mesh_proto::wire::directory::v1::{FeedEvent, Heartbeat};
use mesh_rt::exit::sentence;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::directory::{Heard, LiveDirectory, NotTaken};
use crate::standing::Standing;
use crate::told::Kept;

/// Heartbeats in a row that may say that the node above is elsewhere. One may overtake what it
/// speaks of.
const DISAGREE_MAX: u32 = 3;

/// Between two writes of a heartbeat that says nothing new but the time.
const TIME_KEPT_EVERY: Duration = Duration::from_secs(60);

/// Takes what comes. See the module.
#[derive(Debug)]
pub(crate) struct Taking {
    directory: LiveDirectory,
    standing: Standing,
    /// `None` for a node that keeps nothing.
    kept: Option<Arc<Mutex<Kept>>>,
    /// What was last kept of heartbeats.
    beat: Option<(DirectoryPosition, Instant)>,
    behind: u32,
    ahead: u32,
}

/// Why what came is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    NotTaken(#[from] NotTaken),
    #[error("the directory was told in two versions: {0}")]
    Split(#[from] mesh_core::split_view::SplitView),
    #[error(
        "the centre is at revision {epoch}.{revision}, and the node above did not tell what led \
         there"
    )]
    Withheld { epoch: u64, revision: u64 },
    #[error("more than {limit} events belong together")]
    TooLong { limit: usize },
}

impl Refused {
    /// Is it what somebody should look at soon?
    pub(super) fn is_suspicious(&self) -> bool {
        match self {
            Self::NotTaken(why) => why.is_suspicious(),
            Self::Split(_) => true,
            Self::Withheld { .. } | Self::TooLong { .. } => false,
        }
    }
}

impl Taking {
    pub(super) fn new(directory: LiveDirectory, standing: Standing, kept: Option<Kept>) -> Self {
        let kept = kept.map(|kept| Arc::new(Mutex::new(kept)));
        Self { directory, standing, kept, beat: None, behind: 0, ahead: 0 }
    }

    /// Takes `group`, whole or not at all, and keeps it.
    pub(super) async fn group(&mut self, group: Vec<FeedEvent>) -> Result<(), Refused> {
        if let Some(kept) = &self.kept {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.check_floor(&group)?;
        }
        let before = reach(&self.directory);
        let directory = self.directory.clone();
        // Signatures and large snapshots take their time.
        let taking = move || {
            let taken = directory.take(&group);
            (taken, group)
        };
        let (taken, group) = blocking(taking).await;
        if !taken? {
            return Ok(());
        }
        let directory = self.directory.clone();
        self.keep(move |kept| kept.keep(&group, || whole(&directory))).await;
        let (epoch, revision) = reach(&self.directory);
        // A newer snapshot of what is here only makes it shorter.
        if before != (epoch, revision) {
            info!(epoch, revision, "directory taken");
        }
        Ok(())
    }

    /// Hears `heartbeat`. Answers whether it confirmed what this node has.
    pub(super) async fn heartbeat(&mut self, heartbeat: Heartbeat) -> Result<bool, Refused> {
        match self.directory.hear(&heartbeat)? {
            Heard::Agrees { position, sent_at_unix_ms } => {
                (self.behind, self.ahead) = (0, 0);
                self.standing.heard(position, sent_at_unix_ms)?;
                self.keep_heartbeat(position, heartbeat).await;
                Ok(true)
            }
            Heard::Behind { epoch, revision } => {
                self.behind += 1;
                if self.behind < DISAGREE_MAX {
                    return Ok(false);
                }
                self.behind = 0;
                Err(Refused::Withheld { epoch, revision })
            }
            Heard::Old => {
                self.ahead += 1;
                if self.ahead == DISAGREE_MAX {
                    let (epoch, revision) = reach(&self.directory);
                    let why = format!(
                        "this node is at revision {epoch}.{revision}, ahead of the node above: it \
                         waits until that one has caught up"
                    );
                    // A node above that lags for so long shows what was true once.
                    warn!(security = true, why, "the node above is behind");
                    self.standing.refused(why);
                }
                Ok(false)
            }
        }
    }

    async fn keep_heartbeat(&mut self, position: DirectoryPosition, heartbeat: Heartbeat) {
        let kept = self.kept.as_ref();
        let is_sound =
            kept.is_none_or(|it| it.lock().unwrap_or_else(PoisonError::into_inner).is_sound());
        if !is_sound {
            let directory = self.directory.clone();
            self.keep(move |kept| kept.keep_whole(&whole(&directory))).await;
        }
        let is_old_news = self
            .beat
            .is_some_and(|(known, when)| known == position && when.elapsed() < TIME_KEPT_EVERY);
        if is_old_news {
            return;
        }
        if self.keep(move |kept| kept.keep_heartbeat(&heartbeat)).await {
            self.beat = Some((position, Instant::now()));
        }
    }

    /// Writes, and tells operators how that went. Answers whether it is done.
    async fn keep(
        &self,
        write: impl FnOnce(&mut Kept) -> std::io::Result<()> + Send + 'static,
    ) -> bool {
        let Some(kept) = self.kept.clone() else { return true };
        let written =
            blocking(move || write(&mut kept.lock().unwrap_or_else(PoisonError::into_inner)));
        let written = written.await.map_err(|error| sentence(&error));
        if let Err(why) = &written {
            warn!(why, "what this node was told cannot be kept on disk: it tries again");
        }
        let done = written.is_ok();
        self.standing.kept(written);
        done
    }
}

/// All that there is, for the disk.
fn whole(directory: &LiveDirectory) -> Vec<FeedEvent> {
    use mesh_proto::wire::directory::v1::feed_event::Kind;
    let mut whole = directory.whole();
    whole.retain(|event| !matches!(event.kind, Some(Kind::Heartbeat(_))));
    whole
}

/// The last number that the node was told of.
fn reach(directory: &LiveDirectory) -> (u64, u64) {
    let heads = directory.heads();
    let numbers = heads.values().map(|head: &Head| (head.epoch, head.revision));
    numbers.max().unwrap_or_default()
}

/// Does what may block on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime stops: whoever waits for this is about to be dropped.
        Err(_) => std::future::pending().await,
    }
}

/// Takes `events` as they would come on a feed; for tests of what becomes of them.
#[cfg(test)]
pub(crate) async fn tell(
    directory: LiveDirectory,
    standing: Standing,
    kept: Option<Kept>,
    events: Vec<FeedEvent>,
) -> Result<(), String> {
    use mesh_proto::wire::directory::v1::feed_event::Kind;
    let mut taking = Taking::new(directory, standing, kept);
    let mut group = Vec::new();
    for event in events {
        let taken = match event.kind {
            Some(Kind::Heartbeat(beat)) => taking.heartbeat(beat).await.map(drop),
            _ => {
                let more = event.more;
                group.push(event);
                if more { Ok(()) } else { taking.group(std::mem::take(&mut group)).await }
            }
        };
        taken.map_err(|refused| refused.to_string())?;
    }
    Ok(())
}
