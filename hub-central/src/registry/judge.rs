//! May a change set be made as things are? Are its objects what its author saw, and would all fit?

use mesh_core::change_set::{ChangeSet, State};
use mesh_core::directory::Directory;
use mesh_core::directory::change::{Change, Key, ObjectKind};
use mesh_core::reason::{Problem, Reason};
use mesh_core::time::UnixMs;
use mesh_node::directory::{NotTaken, Prepared};
use mesh_registry::{digest, layout};
use mesh_rt::exit::sentence;

use super::desk::Desk;
use crate::standards::{self, Unkept};

/// Objects that a message names at most; the change set names all.
const KEYS_SHOWN: usize = 5;

/// Why a change set cannot be made.
#[derive(Debug)]
pub(super) enum Judged {
    /// These objects are no longer what its author saw.
    Overtaken(Vec<Key>),
    Unfit(String),
    TooLarge(String),
    /// It could not be found out.
    Failed(Problem),
}

impl Desk {
    /// What the next commit would be, or why there is none.
    pub(super) async fn judge(&self, set: &ChangeSet) -> Result<Box<Prepared>, Judged> {
        let directory = self.node.directory.now();
        let now = |key: &Key| directory.object(key).as_ref().map(digest::of_object);
        let overtaken = set.body.overtaken(now);
        if !overtaken.is_empty() {
            return Err(Judged::Overtaken(overtaken));
        }
        let changes = set.body.changes.iter().map(|written| written.change.clone());
        let changes: Vec<Change> = changes.collect();
        self.judge_agreements(&directory, &changes).map_err(Judged::Unfit)?;
        standards::check(&self.node, &self.descriptions, &changes).await.map_err(|unkept| {
            match unkept {
                Unkept::Rules(why) => Judged::Unfit(why),
                Unkept::Unknown(problem) => Judged::Failed(problem),
            }
        })?;
        let prepared = self.node.directory.prepare(&changes, self.node.clock.unix_ms());
        prepared.map(Box::new).map_err(|why| match why {
            NotTaken::TooLarge { .. } => Judged::TooLarge(sentence(&why)),
            why => Judged::Unfit(sentence(&why)),
        })
    }

    /// Agreements change by signed steps of their parties alone.
    fn judge_agreements(&self, directory: &Directory, changes: &[Change]) -> Result<(), String> {
        let is_one = |change: &Change| change.key().kind() == ObjectKind::Agreement;
        let Some(change) = changes.iter().find(|change| is_one(change)) else { return Ok(()) };
        let members = self.members.as_ref().ok_or_else(|| {
            let key = change.key();
            format!("{key}: the centre cannot check signatures, [members] names no trust_file")
        })?;
        let now = UnixMs(self.node.clock.unix_ms());
        members.judge(directory, changes, now).map_err(|why| why.to_string())
    }

    pub(super) fn refused(&self, set: &ChangeSet, judged: &Judged) -> Problem {
        match judged {
            Judged::Unfit(why) => self.node.problem(Reason::RegistryRefused, why.clone()),
            Judged::Failed(problem) => problem.clone(),
            Judged::TooLarge(why) => self.node.problem(Reason::ChangeSetTooLarge, why.clone()),
            Judged::Overtaken(keys) => {
                let shown = keys.iter().take(KEYS_SHOWN).map(ToString::to_string);
                let shown: Vec<String> = shown.collect();
                let more = if KEYS_SHOWN < keys.len() { " and others" } else { "" };
                let detail = format!(
                    "no longer what change set {} was written against: {}{more}",
                    set.id,
                    shown.join(", ")
                );
                self.node.problem(Reason::RegistryConflict, detail)
            }
        }
    }

    /// The part before this one must be made first.
    pub(super) async fn check_order(&self, set: &ChangeSet) -> Result<(), Problem> {
        if self.follows_made(set).await? {
            return Ok(());
        }
        let follows = set.body.part.and_then(|part| part.follows);
        let follows = follows.map_or(String::new(), |id| id.to_string());
        let detail = format!("change set {follows}, the part before, must be committed first");
        Err(self.node.problem(Reason::RegistryRefused, detail))
    }

    /// Is the part before this one made, if there is any?
    pub(super) async fn follows_made(&self, set: &ChangeSet) -> Result<bool, Problem> {
        let Some(follows) = set.body.part.and_then(|part| part.follows) else { return Ok(true) };
        let stored = self.stored(&layout::change_set(&follows)).await?;
        Ok(stored.is_some_and(|stored| matches!(stored.set.state, State::Committed { .. })))
    }
}
