//! Making a change: into the store first, all of it or nothing, then into the live directory. Where
//! the store does not say what came of it, that is found out before anything else is made.

use std::time::Duration;

use mesh_core::change_set::{ChangeSet, State};
use mesh_core::directory::change::Change;
use mesh_core::directory::history::Head;
use mesh_core::exchange::DirectoryPosition;
use mesh_core::reason::{Problem, Reason};
use mesh_node::directory::Prepared;
use mesh_proto::directory::write_object;
use mesh_proto::registry::write_change_set;
use mesh_proto::wire::directory::v1 as directory;
use mesh_proto::wire::registry::v1 as wire;
use mesh_registry::held::write_head;
use mesh_registry::layout;
use mesh_registry::log::write_log;
use mesh_store::{Commit, CommitError, CommitRefused, Guard, KeyMalformed, Write};
use prost::Message as _;
use tracing::{error, info, warn};

use super::desk::{Desk, Standing};

/// Between two tries to find out whether a commit was made, first and longest: a store that waits
/// for a person is not asked, and told of in the log, several times a second.
const SETTLE_PAUSE_MIN: Duration = Duration::from_millis(200);
const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A commit that the store has or has not.
#[derive(Debug)]
pub(crate) struct Uncertain {
    prepared: Box<Prepared>,
    set: ChangeSet,
}

impl Desk {
    /// Makes `set`, which was judged to be `prepared`.
    pub(super) async fn make(
        &self,
        standing: &mut Standing,
        mut set: ChangeSet,
        guard: Guard,
        prepared: Box<Prepared>,
    ) -> Result<wire::ChangeSet, Problem> {
        let Head { epoch, revision, .. } = prepared.head;
        set.state = State::Committed { epoch, revision, at_unix_ms: self.node.clock.unix_ms() };
        let writes = self
            .writes(&set, &prepared)
            .map_err(|why| self.node.problem(Reason::RegistryRefused, why.to_string()))?;
        let guards = vec![guard, Guard::Unchanged(layout::head(), standing.head_written)];
        let commit = Commit::new(guards, writes).map_err(|why| self.too_large(&why))?;
        match self.store.commit(commit).await {
            Ok(revision) => {
                standing.head_written = revision;
                Ok(self.publish(&set, *prepared))
            }
            Err(why @ CommitError::OutcomeUnknown { .. }) => {
                let problem = self.not_kept(&why);
                standing.uncertain = Some(Uncertain { prepared, set });
                // The operator is told what came of it if that is known soon enough.
                let mut pause = SETTLE_PAUSE_MIN;
                while let Err(again) = self.settle(standing).await {
                    warn!(why = again.detail, "the outcome of a commit is still unknown");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(SETTLE_PAUSE_MAX);
                }
                Err(problem)
            }
            Err(why) => Err(self.not_kept(&why)),
        }
    }

    /// Finds out what came of the last commit, if that is not known. A write of the head as it was
    /// shuts the door: afterwards the commit is made or never will be.
    pub(super) async fn settle(&self, standing: &mut Standing) -> Result<(), Problem> {
        let Some(uncertain) = standing.uncertain.take() else { return Ok(()) };
        let head = self.head(self.node.directory.position()).encode_to_vec();
        let guard = Guard::Unchanged(layout::head(), standing.head_written);
        let fence = Commit::new(vec![guard], vec![Write::put(layout::head(), head.clone())]);
        let fence = fence.map_err(|why| self.too_large(&why))?;
        match self.store.commit(fence).await {
            Ok(revision) => {
                info!(change_set = %uncertain.set.id, "the change was not made after all");
                standing.head_written = revision;
                return Ok(());
            }
            Err(CommitError::Conflict { .. }) => {}
            Err(why) => {
                standing.uncertain = Some(uncertain);
                return Err(self.not_kept(&why));
            }
        }
        let item = match self.store.get(&layout::head()).await {
            Ok(Some(item)) => item,
            Ok(None) => return Err(self.lost("the registry's head is gone")),
            Err(why) => {
                standing.uncertain = Some(uncertain);
                return Err(self.not_read(&why));
            }
        };
        // Another centre's head may have the same number: the change set is ours alone, and one
        // commit writes both.
        let ours = match self.stored(&layout::change_set(&uncertain.set.id)).await {
            Ok(stored) => stored.is_some_and(|stored| stored.written == item.revision),
            Err(why) => {
                standing.uncertain = Some(uncertain);
                return Err(why);
            }
        };
        let Uncertain { prepared, set } = uncertain;
        if ours && item.value == self.head(prepared.head.position()).encode_to_vec() {
            standing.head_written = item.revision;
            self.publish(&set, *prepared);
            return Ok(());
        }
        // An earlier fence, whose own answer was lost.
        if item.value == head {
            standing.head_written = item.revision;
            return Ok(());
        }
        Err(self.lost("another centre writes to the store of this one"))
    }

    /// Makes true what the store has.
    fn publish(&self, set: &ChangeSet, prepared: Prepared) -> wire::ChangeSet {
        let Head { epoch, revision, .. } = self.node.directory.publish(prepared);
        let (author, why, changes) = (&set.body.author, &set.body.reason, set.body.changes.len());
        info!(%author, epoch, revision, changes, change_set = %set.id, why, "registry changed");
        write_change_set(set)
    }

    /// Everything that one change writes: objects, log, head, heads of scopes, the change set.
    fn writes(&self, set: &ChangeSet, prepared: &Prepared) -> Result<Vec<Write>, KeyMalformed> {
        let objects = set.body.changes.iter().map(|written| {
            let key = layout::object(&written.change.key())?;
            Ok(match &written.change {
                Change::Put(object) => Write::put(key, write_object(object).encode_to_vec()),
                Change::Remove(_) => Write::Delete { key },
            })
        });
        let mut writes: Vec<Write> = objects.collect::<Result<_, KeyMalformed>>()?;
        let Head { epoch, revision, .. } = prepared.head;
        let entries = prepared.entries.iter().map(|(_, entry)| entry.clone());
        let entries: Vec<directory::Entry> = entries.collect();
        let log = write_log(&entries, &set.id.to_string());
        let heads = prepared.heads.iter();
        let heads = heads.map(|(scope, head)| write_head(&scope.to_string(), *head));
        let heads = wire::StoredHeads { heads: heads.collect() };
        writes.push(Write::put(layout::log(epoch, revision), log.encode_to_vec()));
        writes
            .push(Write::put(layout::head(), self.head(prepared.head.position()).encode_to_vec()));
        writes.push(Write::put(layout::heads(), heads.encode_to_vec()));
        writes.extend(self.record(set));
        Ok(writes)
    }

    fn head(&self, at: DirectoryPosition) -> wire::StoredHead {
        let DirectoryPosition { epoch, revision, .. } = at;
        let mesh = &self.node.me.mesh;
        let (mesh, domain) = (mesh.mesh.to_string(), mesh.domain().to_owned());
        wire::StoredHead { epoch, revision, mesh, domain }
    }

    fn too_large(&self, why: &CommitRefused) -> Problem {
        self.node.problem(Reason::ChangeSetTooLarge, why.to_string())
    }

    /// What this centre has is not what its store has; only a new start reads it again.
    fn lost(&self, why: &str) -> Problem {
        error!(why, "the store is not as this centre left it: restart the centre");
        let detail = format!("{why}: stop that, and restart the centre");
        self.node.problem(Reason::RegistryUnavailable, detail)
    }
}
