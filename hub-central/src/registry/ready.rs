//! A commit that is ready to be made: what each scope is told of it, and what it leads to.

use mesh_core::directory::change::Change;
use mesh_core::directory::history::{Entry, Head};
use mesh_core::directory::scope::Scope;
use mesh_core::exchange::DirectoryPosition;
use mesh_node::directory::{LiveDirectory, NotTaken, Prepared, sha256};
use mesh_proto::directory::write_entry;
use mesh_proto::wire::directory::v1 as wire;
use mesh_registry::held::write_head;

/// See the module.
#[derive(Debug)]
pub(super) enum Ready {
    /// Projected on scopes, and signed.
    Signed(Box<Prepared>),
    /// For nodes that follow the nation as a whole, and believe the one above.
    Plain { entry: Entry, message: wire::Entry },
}

impl Ready {
    /// Judges `changes` and makes nothing true.
    pub(super) fn of(
        directory: &LiveDirectory,
        changes: &[Change],
        at_unix_ms: u64,
    ) -> Result<Self, NotTaken> {
        match directory.prepare(changes, at_unix_ms) {
            Ok(prepared) => return Ok(Self::Signed(Box::new(prepared))),
            Err(NotTaken::NotCentre) => {}
            Err(why) => return Err(why),
        }
        let Head { epoch, revision, hash } = directory.head();
        let entry = Entry {
            scope: Scope::Nation,
            epoch,
            revision: revision + 1,
            previous: hash,
            changes: changes.to_vec(),
            committed_at_unix_ms: at_unix_ms,
        };
        directory.rehearse(&entry)?;
        let message = wire::Entry { body: write_entry(&entry), signature: None };
        Ok(Self::Plain { entry, message })
    }

    /// Epoch and revision that it makes.
    pub(super) fn position(&self) -> (u64, u64) {
        match self {
            Self::Signed(prepared) => (prepared.head.epoch, prepared.head.revision),
            Self::Plain { entry, .. } => (entry.epoch, entry.revision),
        }
    }

    /// What scopes are told.
    pub(super) fn entries(&self) -> Vec<wire::Entry> {
        match self {
            Self::Signed(prepared) => {
                prepared.entries.iter().map(|(_, entry)| entry.clone()).collect()
            }
            Self::Plain { message, .. } => vec![message.clone()],
        }
    }

    /// Where all scopes stand after it.
    pub(super) fn heads(&self) -> Vec<wire::ScopeHead> {
        match self {
            Self::Signed(prepared) => {
                let heads = prepared.heads.iter();
                heads.map(|(scope, head)| write_head(&scope.to_string(), *head)).collect()
            }
            Self::Plain { entry, message } => {
                vec![write_head("nation", entry.head(sha256(&[&message.body])))]
            }
        }
    }

    /// Makes it true, and tells who follows. For when the store has it.
    pub(super) async fn publish(self, directory: &LiveDirectory) -> Result<(), NotTaken> {
        match self {
            Self::Signed(prepared) => {
                directory.publish(*prepared);
                Ok(())
            }
            Self::Plain { entry, .. } => directory.commit(&entry).await.map(drop),
        }
    }
}

/// Where the registry stands.
pub(super) fn stands(directory: &LiveDirectory) -> (u64, u64) {
    let DirectoryPosition { epoch, revision, .. } = directory.now().position();
    (epoch, revision)
}
