//! The registry: what the directories of all nodes are copies of. Operators read it, and change it
//! by change sets; a change is durable in the store before anybody is told of it.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_core::change_set::ChangeSetId;
use mesh_core::directory::change::{ByKey, Key};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::id::OperatorId;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::directory::write_object;
use mesh_proto::registry::{Decide, PAGE_BYTES_MAX, Page, SetsPage};
use mesh_proto::wire::registry::v1 as wire;
use mesh_rt::admin::RegistryDesk;
use prost::Message as _;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::{Instant, timeout_at};
use tracing::info;

pub(crate) use self::desk::Desk;
use self::desk::Standing;
pub use self::opened::OpenError;
pub(crate) use self::opened::{Opened, rules, signer};

mod desk;
mod judge;
mod made;
mod opened;
mod sets;

/// How long an operator waits for the store. Shorter than the admin port's own patience, so that
/// the answer says why.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Debug)]
pub(crate) struct Registry {
    desk: Arc<Desk>,
    /// The objects at one head, so that the pages of one reading are not sorted anew each time.
    sorted: std::sync::Mutex<Option<(DirectoryPosition, Arc<ByKey>)>>,
}

impl Registry {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk: Arc::new(desk), sorted: std::sync::Mutex::default() }
    }

    /// The objects by key, and the revision that they are of.
    fn objects(&self) -> (DirectoryPosition, Arc<ByKey>) {
        let mut sorted = self.sorted.lock().expect("nothing panics under this lock");
        let directory = self.desk.node.directory.now();
        let position = directory.position();
        if let Some((of, objects)) = &*sorted
            && *of == position
        {
            return (position, Arc::clone(objects));
        }
        let objects = Arc::new(directory.objects().into_by_key());
        *sorted = Some((position, Arc::clone(&objects)));
        (position, objects)
    }

    /// Does `work` alone, in a task of its own: an operator who goes away must not leave a change
    /// half made. What it begins is waited for by the drain.
    async fn alone<F>(
        &self,
        work: impl FnOnce(Arc<Desk>, OwnedMutexGuard<Standing>) -> F,
    ) -> Result<wire::ChangeSet, Problem>
    where
        F: Future<Output = Result<wire::ChangeSet, Problem>> + Send + 'static,
    {
        let node = &self.desk.node;
        if node.drain.has_begun() {
            return Err(node.problem(Reason::Draining, "the centre is about to stop"));
        }
        let busy = || {
            let detail = "the store has not answered yet: read the change set again in a while";
            node.problem(Reason::RegistryUnavailable, detail)
        };
        let until = Instant::now() + ANSWER_TIME_MAX;
        let standing = Arc::clone(&self.desk.standing).lock_owned();
        let standing = timeout_at(until, standing).await.map_err(|_| busy())?;
        let (done, made) = oneshot::channel();
        let work = work(Arc::clone(&self.desk), standing);
        node.drain.spawn(async move {
            // Nobody may wait for it any more; it is made and recorded all the same.
            let _ = done.send(work.await);
        });
        match timeout_at(until, made).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

#[tonic::async_trait]
impl RegistryDesk for Registry {
    fn read(&self, page: &Page) -> Result<wire::ReadResponse, Problem> {
        let (head, objects) = self.objects();
        if let Some(of) = page.of.filter(|of| *of != (head.epoch, head.revision)) {
            let detail = format!(
                "the registry is at {}.{}, and the page before was of {}.{}: read it again",
                head.epoch, head.revision, of.0, of.1
            );
            return Err(self.desk.node.problem(Reason::RegistryConflict, detail));
        }
        let after = page.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let begins =
            |key: &Key| page.prefix.is_empty() || key.to_string().starts_with(&page.prefix);
        let later = objects.range((after, Bound::Unbounded));
        let mut matching = later.filter(|(key, _)| begins(key)).peekable();
        let (mut found, mut bytes, mut last) = (Vec::new(), 0, None);
        while let Some((key, object)) = matching.next_if(|_| found.len() < page.limit) {
            let object = write_object(object);
            bytes += object.encoded_len();
            found.push(object);
            last = Some(key);
            if PAGE_BYTES_MAX <= bytes {
                break;
            }
        }
        let next_after = last.filter(|_| matching.peek().is_some());
        let mesh = &self.desk.node.me.mesh;
        Ok(wire::ReadResponse {
            mesh: mesh.mesh.to_string(),
            domain: mesh.domain().into(),
            epoch: head.epoch,
            revision: head.revision,
            objects: found,
            next_after: next_after.map(ToString::to_string).unwrap_or_default(),
        })
    }

    async fn submit(
        &self,
        author: &OperatorId,
        body: Bytes,
        dry_run: bool,
    ) -> Result<wire::ChangeSet, Problem> {
        let set = self.desk.read(author, &body)?;
        if dry_run {
            return self.desk.rehearse(set).await;
        }
        let id = set.id;
        let made = self
            .alone(move |desk, mut standing| async move { desk.submit(&mut standing, set).await });
        self.tell(made.await, id)
    }

    async fn decide(
        &self,
        operator: &OperatorId,
        decide: Decide,
    ) -> Result<wire::ChangeSet, Problem> {
        let (operator, id) = (operator.clone(), decide.id);
        let made = self.alone(move |desk, mut standing| async move {
            desk.decide(&mut standing, operator, decide).await
        });
        self.tell(made.await, id)
    }

    async fn change_set(&self, id: &str) -> Result<wire::ChangeSet, Problem> {
        self.desk.find(id).await
    }

    async fn change_sets(&self, page: SetsPage) -> Result<wire::ListChangeSetsResponse, Problem> {
        self.desk.list(page).await
    }

    async fn dump(&self, request: wire::DumpRequest) -> Result<wire::DumpResponse, Problem> {
        self.desk.dump(&request).await
    }
}

impl Registry {
    /// One line in the log for each change set that was refused; those that were made have theirs.
    fn tell(
        &self,
        result: Result<wire::ChangeSet, Problem>,
        id: ChangeSetId,
    ) -> Result<wire::ChangeSet, Problem> {
        if let Err(problem) = &result {
            let Problem { reason, detail, .. } = problem;
            info!(change_set = %id, %reason, why = detail, "change refused");
        }
        result
    }
}
