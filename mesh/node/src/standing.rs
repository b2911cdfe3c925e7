//! How a node stands with the directory: whether it follows, when it last heard from the centre,
//! what was refused, and what it may serve in that state.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mesh_core::directory::Directory;
use mesh_core::exchange::{DirectoryPosition, RequestHeader};
use mesh_core::island::{Freshness, IslandLife, silence};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::split_view::{KnownRoots, SplitView};
use mesh_proto::wire::admin::v1 as wire;
use mesh_rt::clock::Clock;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::error;

/// See the module. Cheap to clone; every clone speaks of the same node.
#[derive(Clone, Debug)]
pub struct Standing(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    /// `None` at the centre, which has nobody to hear from.
    life: Option<IslandLife>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    following_since_unix_ms: Option<u64>,
    heard: Option<Heard>,
    position: DirectoryPosition,
    roots: KnownRoots,
    refusal: Option<Refusal>,
    refusals: u64,
    file_trouble: Option<String>,
    file_failures: u64,
    split: Option<SplitView>,
}

/// The last heartbeat that counts.
#[derive(Clone, Copy, Debug)]
struct Heard {
    sent_at_unix_ms: u64,
    /// When it came, by a clock that nobody sets; or when it was read from disk.
    came: Instant,
    /// Did it come to this process?
    live: bool,
}

#[derive(Debug)]
struct Refusal {
    why: String,
    at_unix_ms: u64,
}

/// The node has not heard from the centre for longer than it may serve by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stale {
    #[error("this node has not been told the directory yet: look at its link to the node above")]
    NeverHeard,
    #[error(
        "no heartbeat of the centre came for {} s: look at the link to the node above",
        .0.as_secs()
    )]
    Silent(Duration),
}

impl Standing {
    /// Of a node that follows another, and may go on by itself for `life`.
    pub fn new(clock: Arc<dyn Clock>, life: IslandLife) -> Self {
        Self::with(clock, Some(life))
    }

    /// Of the centre, which knows what holds because it decides it.
    pub fn at_the_centre(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, None)
    }

    fn with(clock: Arc<dyn Clock>, life: Option<IslandLife>) -> Self {
        let changed = watch::Sender::new(());
        Self(Arc::new(Shared { clock, life, state: Mutex::default(), changed }))
    }

    /// Tells of each heartbeat that counts.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// What goes into headers and answers: the last position that a heartbeat confirmed.
    pub fn position(&self) -> DirectoryPosition {
        self.state().position
    }

    /// What the silence of the centre means now.
    pub fn freshness(&self) -> Freshness {
        let Some(life) = self.0.life else { return Freshness::Fresh };
        life.judge(self.silent())
    }

    /// May an exchange be served, of a service that is `sensitive` or not?
    pub fn serves(&self, sensitive: bool) -> Result<(), Stale> {
        let Some(life) = self.0.life else { return Ok(()) };
        let silent = self.silent();
        if life.judge(silent).serves(sensitive) {
            return Ok(());
        }
        Err(silent.map_or(Stale::NeverHeard, Stale::Silent))
    }

    /// Is what `from` shows in a header what this node was told under the same number? A difference
    /// is a security event, said once in the log.
    pub fn compare(&self, shown: DirectoryPosition, from: &HopName) -> Result<(), SplitView> {
        let mut state = self.state();
        let Err(split) = state.roots.compare(shown) else { return Ok(()) };
        state.note_split(split, from.as_str());
        Err(split)
    }

    /// What every hop asks of a request before it does anything else with it.
    pub fn check(
        &self,
        header: &RequestHeader,
        (directory, from, me): (&Directory, &HopName, &HopName),
    ) -> Result<(), Problem> {
        let problem = |reason, why: String| Err(Problem::new(reason, me.clone(), why));
        if let Err(split) = self.compare(header.directory, from) {
            return problem(Reason::DirectorySplitView, split.to_string());
        }
        match self.serves(is_sensitive(directory, header)) {
            Ok(()) => Ok(()),
            Err(stale) => problem(Reason::DirectoryStale, stale.to_string()),
        }
    }

    /// What every hop asks of an answer before it hands it back.
    pub fn check_answer(
        &self,
        shown: DirectoryPosition,
        (from, me): (&HopName, &HopName),
    ) -> Result<(), Problem> {
        let split = |split: SplitView| {
            Problem::new(Reason::DirectorySplitView, me.clone(), split.to_string())
        };
        self.compare(shown, from).map_err(split)
    }

    /// A heartbeat that came before this process started, and agreed with what this node holds.
    pub(crate) fn recall(&self, position: DirectoryPosition, sent_at_unix_ms: u64) {
        // Nothing else is known yet that it could contradict.
        let _ = self.heard(position, sent_at_unix_ms);
        if let Some(heard) = &mut self.state().heard {
            heard.live = false;
        }
    }

    /// How long ago a heartbeat came; `None`: none came since the start.
    pub(crate) fn since_heard(&self) -> Option<Duration> {
        self.state().heard.filter(|heard| heard.live).map(|heard| heard.came.elapsed())
    }

    /// A heartbeat came that agrees with what this node holds: the directory is at `position`, and
    /// was so at `sent_at_unix_ms` by the clock of the centre.
    pub(crate) fn heard(
        &self,
        position: DirectoryPosition,
        sent_at_unix_ms: u64,
    ) -> Result<(), SplitView> {
        let now_unix_ms = self.0.clock.unix_ms();
        let mut state = self.state();
        if let Err(split) = state.roots.note(position) {
            state.note_split(split, "the node above");
            return Err(split);
        }
        state.position = position;
        let later = state.heard.is_none_or(|heard| heard.sent_at_unix_ms < sent_at_unix_ms);
        if later {
            // A centre whose clock is ahead must not buy time.
            let sent_at_unix_ms = sent_at_unix_ms.min(now_unix_ms);
            state.heard = Some(Heard { sent_at_unix_ms, came: Instant::now(), live: true });
        }
        drop(state);
        self.0.changed.send_replace(());
        Ok(())
    }

    /// The feed is there, or has gone.
    pub(crate) fn follows(&self, now: bool) {
        let at = now.then(|| self.0.clock.unix_ms());
        let mut state = self.state();
        state.following_since_unix_ms = at.map(|at| state.following_since_unix_ms.unwrap_or(at));
    }

    pub(crate) fn refused(&self, why: String) {
        let at_unix_ms = self.0.clock.unix_ms();
        let mut state = self.state();
        state.refusals += 1;
        state.refusal = Some(Refusal { why, at_unix_ms });
    }

    /// What was taken is on disk, or why it is not.
    pub(crate) fn kept(&self, result: Result<(), String>) {
        let mut state = self.state();
        state.file_failures += u64::from(result.is_err());
        state.file_trouble = result.err();
    }

    /// For the node's status.
    pub(crate) fn status(&self) -> wire::Following {
        let freshness = match self.freshness() {
            Freshness::Fresh => wire::Freshness::Fresh,
            Freshness::Warned => wire::Freshness::Warned,
            Freshness::StaleForSensitive => wire::Freshness::StaleForSensitive,
            Freshness::Stale => wire::Freshness::Stale,
        };
        let state = self.state();
        let refusal = state.refusal.as_ref();
        wire::Following {
            since_unix_ms: state.following_since_unix_ms.unwrap_or_default(),
            last_heartbeat_unix_ms: state.heard.map_or(0, |heard| heard.sent_at_unix_ms),
            freshness: freshness.into(),
            heads: Vec::new(),
            refusals: state.refusals,
            last_refusal: refusal.map_or(String::new(), |refusal| refusal.why.clone()),
            last_refusal_unix_ms: refusal.map_or(0, |refusal| refusal.at_unix_ms),
            file_failures: state.file_failures,
            file_trouble: state.file_trouble.clone().unwrap_or_default(),
        }
    }

    /// For how long nothing has been heard; `None`: nothing ever was.
    pub(crate) fn silent(&self) -> Option<Duration> {
        let now_unix_ms = self.0.clock.unix_ms();
        let heard = self.state().heard?;
        Some(silence(heard.sent_at_unix_ms, now_unix_ms, heard.came.elapsed()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics under this lock")
    }
}

impl State {
    fn note_split(&mut self, split: SplitView, peer: &str) {
        if self.split.replace(split) == Some(split) {
            return;
        }
        let SplitView { number: (epoch, revision), known, shown } = split;
        // Somebody should be woken: a key is misused, or numbers were used twice.
        error!(security = true, peer, epoch, revision, %known, %shown,
            "the directory was told in two versions");
    }
}

/// A service that this node does not know is none that it serves.
fn is_sensitive(directory: &Directory, header: &RequestHeader) -> bool {
    directory.service(&header.service).is_some_and(|service| service.sensitive)
}

#[cfg(test)]
mod tests {
    use mesh_core::exchange::Digest;
    use mesh_rt::clock::ManualClock;

    use super::*;

    fn at(revision: u64, root: u8) -> DirectoryPosition {
        DirectoryPosition { epoch: 1, revision, root: Some(Digest([root; 32])) }
    }

    fn standing() -> (ManualClock, Standing) {
        let clock = ManualClock::new(1_000_000);
        (clock.clone(), Standing::new(Arc::new(clock), IslandLife::default()))
    }

    #[test]
    fn silence_counts_from_when_the_centre_spoke() {
        let (clock, standing) = standing();
        assert_eq!(standing.serves(false), Err(Stale::NeverHeard));
        standing.heard(at(7, 1), 940_000).unwrap();
        assert_eq!((standing.freshness(), standing.position()), (Freshness::Fresh, at(7, 1)));
        clock.advance(Duration::from_secs(31));
        assert_eq!(standing.freshness(), Freshness::Warned, "it was a minute old when it came");
        clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(standing.serves(false), Ok(()));
        assert_eq!(standing.serves(true), Err(Stale::Silent(Duration::from_secs(991))));
        // The same one again, or one that the centre's clock put into the future, is no news.
        standing.heard(at(7, 1), 940_000).unwrap();
        assert_eq!(standing.freshness(), Freshness::StaleForSensitive);
        standing.heard(at(7, 1), u64::MAX).unwrap();
        assert_eq!(standing.freshness(), Freshness::Fresh);
        clock.advance(Duration::from_secs(7 * 24 * 3600));
        assert!(standing.serves(false).is_err(), "it counted from when it came");
        assert_eq!(standing.status().freshness(), wire::Freshness::Stale);

        let centre = Standing::at_the_centre(Arc::new(clock));
        assert_eq!((centre.freshness(), centre.serves(true)), (Freshness::Fresh, Ok(())));
    }

    #[test]
    fn another_root_under_one_number_is_refused_from_above_and_from_beside() {
        let (_, standing) = standing();
        let peer: HopName = "hub.health".parse().unwrap();
        standing.heard(at(7, 1), 1).unwrap();
        assert_eq!(standing.compare(at(7, 1), &peer), Ok(()));
        assert_eq!(standing.compare(at(8, 9), &peer), Ok(()), "not known here yet");
        assert!(standing.compare(at(7, 9), &peer).is_err());
        assert!(standing.heard(at(7, 9), 2).is_err());
        assert_eq!(standing.position(), at(7, 1));
        let problem = standing.check_answer(at(7, 9), (&peer, &"hub.centre".parse().unwrap()));
        let problem = problem.unwrap_err();
        assert_eq!(problem.reason, Reason::DirectorySplitView);
        assert!(problem.detail.contains("1.7 was told in two versions"), "{problem}");
    }

    #[test]
    fn the_status_tells_what_went_wrong_last() {
        let (clock, standing) = standing();
        standing.follows(true);
        clock.advance(Duration::from_secs(1));
        standing.follows(true);
        standing.refused("it is older".into());
        standing.kept(Err("no space left".into()));
        let status = standing.status();
        assert_eq!((status.since_unix_ms, status.last_refusal_unix_ms), (1_000_000, 1_001_000));
        assert_eq!(status.last_refusal, "it is older");
        assert_eq!((status.file_failures, status.file_trouble.as_str()), (1, "no space left"));
        standing.kept(Ok(()));
        standing.follows(false);
        let status = standing.status();
        assert_eq!((status.since_unix_ms, status.file_failures), (0, 1));
        assert_eq!((status.refusals, status.file_trouble.as_str()), (1, ""));
    }
}
