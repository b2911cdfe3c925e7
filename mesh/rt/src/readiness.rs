//! Whether the node would carry an exchange now, and if not, what it waits for.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tracing::info;

/// One node's readiness. Cheap to clone; every clone speaks of the same node.
///
/// A node is ready while nothing is waited for, and never again once it drains.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: watch::Sender<State>,
    /// What this clone has seen, so that a change between two of its calls is not lost.
    seen: watch::Receiver<State>,
}

/// A step of the start that readiness waits for. Dropping it is the signal that it is done.
#[must_use = "the step counts as done when this is dropped"]
#[derive(Debug)]
pub struct Waiting {
    entry: Entry,
}

/// Something that comes and goes, such as a link. Not met until it is set; not met for good when
/// it is dropped, because then nobody is left to notice that it came back.
#[derive(Debug)]
pub struct Condition {
    entry: Entry,
}

/// What is waited for, each under a number of its own, in order of registration.
#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<u64, Box<str>>,
    entries: u64,
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    state: watch::Sender<State>,
    id: u64,
    what: Box<str>,
}

impl Readiness {
    /// Waits for a step of the start, until its guard is dropped.
    pub fn register(&self, what: impl Into<Box<str>>) -> Waiting {
        Waiting { entry: self.enter(what.into()) }
    }

    /// Waits for something that can come and go.
    pub fn condition(&self, what: impl Into<Box<str>>) -> Condition {
        Condition { entry: self.enter(what.into()) }
    }

    pub fn ready(&self) -> bool {
        self.state.borrow().ready()
    }

    /// What the node waits for, first registered first.
    pub fn waiting_for(&self) -> Vec<String> {
        self.state.borrow().waiting.values().map(|what| what.to_string()).collect()
    }

    /// Unready from here on, whatever else changes.
    pub fn turn_draining(&self) {
        change(&self.state, |state| !std::mem::replace(&mut state.draining, true));
    }

    pub fn draining(&self) -> bool {
        self.state.borrow().draining
    }

    /// Completes when something changed since this clone was made or last waited here.
    pub async fn changed(&mut self) {
        self.seen.changed().await.expect("this value holds a sender");
    }

    /// Completes when the node is ready, which may be at once.
    pub async fn until_ready(&mut self) {
        self.seen.wait_for(State::ready).await.expect("this value holds a sender");
    }

    fn enter(&self, what: Box<str>) -> Entry {
        let mut id = 0;
        change(&self.state, |state| {
            state.entries += 1;
            id = state.entries;
            state.waiting.insert(id, what.clone());
            true
        });
        Entry { state: self.state.clone(), id, what }
    }
}

impl Default for Readiness {
    fn default() -> Self {
        let (state, seen) = watch::channel(State::default());
        Self { state, seen }
    }
}

impl Waiting {
    /// The step is done.
    pub fn ready(self) {}
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.entry.set(true);
    }
}

impl Condition {
    pub fn set(&self, met: bool) {
        self.entry.set(met);
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        self.entry.set(false);
    }
}

impl Entry {
    fn set(&self, met: bool) {
        change(&self.state, |state| {
            if met {
                state.waiting.remove(&self.id).is_some()
            } else {
                state.waiting.insert(self.id, self.what.clone()).is_none()
            }
        });
    }
}

impl State {
    fn ready(&self) -> bool {
        !self.draining && self.waiting.is_empty()
    }
}

/// Applies `edit`, which answers whether it changed anything, and logs a turn of readiness.
fn change(state: &watch::Sender<State>, edit: impl FnOnce(&mut State) -> bool) {
    state.send_if_modified(|state| {
        let before = state.ready();
        let modified = edit(state);
        if before != state.ready() {
            let State { waiting, draining, .. } = state;
            info!(ready = !before, waiting_for = ?waiting.values(), draining, "readiness turned");
        }
        modified
    });
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn ready_when_every_step_is_done() {
        let readiness = Readiness::default();
        assert!(readiness.ready(), "nothing to wait for");
        let directory = readiness.register("directory");
        let listener = readiness.register("listener");
        assert_eq!(readiness.waiting_for(), ["directory", "listener"]);
        directory.ready();
        assert!(!readiness.ready());
        assert_eq!(readiness.waiting_for(), ["listener"]);
        drop(listener);
        assert!(readiness.ready());
    }

    #[test]
    fn a_condition_comes_and_goes_and_keeps_its_place() {
        let readiness = Readiness::default();
        let link = readiness.condition("link to hub.centre");
        let other = readiness.register("directory");
        assert_eq!(readiness.waiting_for(), ["link to hub.centre", "directory"]);
        link.set(true);
        assert_eq!(readiness.waiting_for(), ["directory"]);
        link.set(false);
        assert_eq!(readiness.waiting_for(), ["link to hub.centre", "directory"]);
        link.set(true);
        other.ready();
        assert!(readiness.ready());
        drop(link);
        assert!(!readiness.ready(), "nobody watches the link any more");
    }

    #[test]
    fn draining_is_for_good() {
        let readiness = Readiness::default();
        let link = readiness.condition("link");
        link.set(true);
        readiness.turn_draining();
        assert!(!readiness.ready() && readiness.draining());
        link.set(false);
        link.set(true);
        assert!(!readiness.ready());
        assert!(readiness.waiting_for().is_empty());
    }

    #[tokio::test]
    async fn no_change_is_lost_and_none_is_told_twice() {
        let readiness = Readiness::default();
        let mut watching = readiness.clone();
        assert_eq!(watching.changed().now_or_never(), None, "nothing happened yet");
        let link = readiness.condition("link");
        link.set(true);
        assert_eq!(watching.changed().now_or_never(), Some(()));
        assert_eq!(watching.changed().now_or_never(), None);
        link.set(true);
        assert_eq!(watching.changed().now_or_never(), None, "it was set before");

        link.set(false);
        let setting = async { link.set(true) };
        tokio::join!(watching.until_ready(), setting);
        assert!(watching.ready());
    }
}
