//! The registry: what the directories of all nodes are copies of. Operators read and change it; a
//! change is durable here before anybody is told of it.

use std::path::PathBuf;
use std::sync::Arc;

use mesh_core::directory::change::{ByKey, Key};
use mesh_core::directory::history::{Entry, Head};
use mesh_core::directory::scope::Scope;
use mesh_core::id::OperatorId;
use mesh_core::reason::{Problem, Reason};
use mesh_node::directory::NotTaken;
use mesh_node::{LiveDirectory, Node};
use mesh_proto::directory::write_object;
use mesh_proto::registry::{Commit, Page};
use mesh_proto::wire::registry::v1::{CommitResponse, ReadResponse};
use mesh_rt::admin::RegistryDesk;
use mesh_rt::exit::sentence;
use tokio::sync::{Mutex, oneshot};
use tracing::{error, info};

use crate::signed;

/// See the module. Its store is the centre's directory file, written whole at each change.
#[derive(Debug)]
pub(crate) struct Registry {
    node: Node,
    directory_file: PathBuf,
    /// Held from the look at the base until the change is made.
    committing: Mutex<()>,
    /// The objects at one head, so that the pages of one reading are not sorted anew each time.
    sorted: std::sync::Mutex<Option<(Head, Arc<ByKey>)>>,
}

impl Registry {
    pub(crate) fn new(node: Node, directory_file: PathBuf) -> Self {
        let (committing, sorted) = (Mutex::default(), std::sync::Mutex::default());
        Self { node, directory_file, committing, sorted }
    }

    /// The objects by key, and the head that they are of.
    fn objects(&self) -> (Head, Arc<ByKey>) {
        let mut sorted = self.sorted.lock().expect("nothing panics under this lock");
        loop {
            let head = self.head();
            match &*sorted {
                Some((of, objects)) if *of == head => return (head, Arc::clone(objects)),
                // Between the two looks the directory may move on; then the next round sees it.
                _ => {
                    let objects = self.node.directory.now().objects().into_by_key();
                    *sorted = Some((head, Arc::new(objects)));
                }
            }
        }
    }

    /// Where the registry stands.
    fn head(&self) -> Head {
        let position = self.node.directory.position();
        Head { epoch: position.epoch, revision: position.revision, hash: position.root }
    }

    /// In a task of its own: an operator who goes away must not leave a change half made.
    async fn make(&self, entry: Entry, record: Record) -> Result<Head, Problem> {
        let (done, made) = oneshot::channel();
        let (directory, file) = (self.node.directory.clone(), self.directory_file.clone());
        self.node.drain.spawn(async move {
            let result = make(directory, file, &entry).await;
            if let Ok(head) = &result {
                record.write(head, entry.changes.len());
            }
            // Nobody may wait for it any more; it is made and recorded all the same.
            let _ = done.send(result);
        });
        match made.await {
            Ok(result) => result.map_err(|why| self.refusal(&why)),
            Err(_) => {
                let detail = "the centre stops: read again whether the change was made";
                Err(self.node.problem(Reason::RegistryUnavailable, detail))
            }
        }
    }

    fn conflict(&self, head: Head, base: (u64, u64)) -> Problem {
        let detail = format!(
            "the registry is at {}.{}, and the changes were written for {}.{}: read it again",
            head.epoch, head.revision, base.0, base.1
        );
        self.node.problem(Reason::RegistryConflict, detail)
    }

    fn refusal(&self, why: &NotTaken) -> Problem {
        let reason = match why {
            NotTaken::Store(_) => {
                error!(cause = sentence(why), "the registry cannot keep a change");
                let detail = "the registry cannot write its file: see the log of the centre, and \
                              read again whether the change was made";
                return self.node.problem(Reason::RegistryUnavailable, detail);
            }
            NotTaken::Malformed(_) | NotTaken::Change(_) | NotTaken::Directory(_) => {
                Reason::RegistryRefused
            }
            NotTaken::Untakeable { .. } => Reason::RegistryConflict,
            _ => Reason::Internal,
        };
        self.node.problem(reason, sentence(why))
    }
}

/// First durable, then true.
async fn make(directory: LiveDirectory, file: PathBuf, entry: &Entry) -> Result<Head, NotTaken> {
    let prepared = directory.prepare(&entry.changes, entry.committed_at_unix_ms)?;
    let objects = directory.now().with(&entry.changes)?.objects();
    let keeping = directory.clone();
    let written = tokio::task::spawn_blocking(move || {
        signed::keep(&file, (&keeping, &prepared), &objects).map(|()| prepared)
    });
    let prepared = written.await.map_err(std::io::Error::other).flatten();
    Ok(directory.publish(prepared.map_err(NotTaken::Store)?))
}

/// Who changed the registry, and why: for the log.
struct Record {
    author: OperatorId,
    reason: String,
}

impl Record {
    fn write(&self, head: &Head, changes: usize) {
        let (Self { author, reason }, Head { epoch, revision, .. }) = (self, head);
        info!(%author, epoch, revision, changes, why = reason, "registry changed");
    }
}

#[tonic::async_trait]
impl RegistryDesk for Registry {
    fn read(&self, page: &Page) -> Result<ReadResponse, Problem> {
        let (head, objects) = self.objects();
        if let Some(of) = page.of.filter(|of| *of != (head.epoch, head.revision)) {
            return Err(self.conflict(head, of));
        }
        let is_after = |key: &Key| page.after.as_ref().is_none_or(|after| after < key);
        let begins = |key: &Key| key.to_string().starts_with(&page.prefix);
        let mut matching = objects.iter().filter(|(key, _)| is_after(key) && begins(key));
        let found: Vec<_> = matching.by_ref().take(page.limit).collect();
        let last = found.last().map(|(key, _)| key.to_string());
        let next_after = if matching.next().is_some() { last } else { None };
        let mesh = &self.node.me.mesh;
        Ok(ReadResponse {
            mesh: mesh.mesh.to_string(),
            domain: mesh.domain().into(),
            epoch: head.epoch,
            revision: head.revision,
            objects: found.into_iter().map(|(_, object)| write_object(object)).collect(),
            next_after: next_after.unwrap_or_default(),
        })
    }

    async fn commit(&self, author: &OperatorId, commit: Commit) -> Result<CommitResponse, Problem> {
        let Commit { base_epoch, base_revision, changes, reason, dry_run } = commit;
        let _alone = self.committing.lock().await;
        let head = self.head();
        if (base_epoch, base_revision) != (head.epoch, head.revision) {
            return Err(self.conflict(head, (base_epoch, base_revision)));
        }
        let entry = Entry {
            scope: Scope::Nation,
            epoch: head.epoch,
            revision: head.revision + 1,
            previous: head.hash,
            changes,
            committed_at_unix_ms: self.node.clock.unix_ms(),
        };
        if dry_run {
            let prepared = self.node.directory.prepare(&entry.changes, entry.committed_at_unix_ms);
            prepared.map_err(|why| self.refusal(&why))?;
            return Ok(CommitResponse { epoch: entry.epoch, revision: entry.revision });
        }
        let record = Record { author: author.clone(), reason };
        let Head { epoch, revision, .. } = self.make(entry, record).await?;
        Ok(CommitResponse { epoch, revision })
    }
}
