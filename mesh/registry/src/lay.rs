//! Laying a registry out in a store that has none: from objects, or from what another one held.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::directory::change::ByKey;
use mesh_core::directory::{Directory, DirectoryError};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::write_object;
use mesh_proto::wire::registry::v1::{EpochBegun, StoredHead, StoredHeads};
use mesh_store::{
    COMMIT_BYTES_MAX, Commit, CommitError, CommitRefused, Embedded, Guard, KeyMalformed,
    SteadyClock, Store, StoreKey, WRITES_MAX, Write,
};
use prost::Message as _;

use crate::held::{HeldError, check_version};
use crate::layout;

/// Writes in one commit while a registry is laid out, beside the mark that it is not finished.
const BATCH_WRITES_MAX: usize = WRITES_MAX - 5;

/// And their bytes.
const BATCH_BYTES_MAX: usize = COMMIT_BYTES_MAX - 64 * 1024;

/// A registry that is to be laid out.
#[derive(Clone, Debug)]
pub struct Beginning {
    pub mesh: MeshDomain,
    pub epoch: u64,
    pub revision: u64,
    /// What the store is to hold beside head and heads: objects, log, change sets.
    pub items: Vec<(StoreKey, Bytes)>,
    /// Why it begins.
    pub begun: EpochBegun,
}

/// A registry that cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum LayError {
    #[error("the store holds a registry already; this would be a second one in its place")]
    Twice,
    #[error("laying out a registry was broken off here before: empty the store and begin anew")]
    Unfinished,
    #[error("the objects do not fit together: {0}")]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Key(#[from] KeyMalformed),
    #[error(transparent)]
    Commit(#[from] CommitRefused),
    #[error(transparent)]
    Held(HeldError),
    #[error(transparent)]
    Store(#[from] CommitError),
    #[error("no runtime can be started")]
    Runtime(#[source] std::io::Error),
}

impl Beginning {
    /// A registry of `objects` alone, which must fit together.
    pub fn of(
        mesh: MeshDomain,
        (epoch, revision): (u64, u64),
        objects: &ByKey,
        begun: EpochBegun,
    ) -> Result<Self, LayError> {
        let position = DirectoryPosition { epoch, revision, root: None };
        Directory::build(mesh.clone(), position, objects.values().cloned().collect())?;
        let items = objects.iter().map(|(key, object)| {
            let encoded = write_object(object).encode_to_vec();
            Ok((layout::object(key)?, Bytes::from(encoded)))
        });
        let items = items.collect::<Result<_, LayError>>()?;
        Ok(Self { mesh, epoch, revision, items, begun })
    }

    /// Lays it out in `store`, which must hold none. Half of one is none: the version comes last.
    pub async fn lay(self, store: &dyn Store) -> Result<(), LayError> {
        match check_version(store).await {
            Ok(()) | Err(HeldError::Version { .. }) => return Err(LayError::Twice),
            Err(HeldError::Unfinished) => return Err(LayError::Unfinished),
            Err(HeldError::Empty) => {}
            Err(other) => return Err(LayError::Held(other)),
        }
        let mark = Write::put(layout::unfinished(), "");
        let guards = [layout::unfinished(), layout::version()].map(Guard::Absent);
        store.commit(Commit::new(guards.into(), vec![mark])?).await?;
        let mut batch = Batch::default();
        for (key, value) in &self.items {
            if let Some(full) = batch.push(key, value) {
                store.commit(Commit::new(Vec::new(), full)?).await?;
            }
        }
        let mut last = batch.writes;
        last.extend(self.end());
        let guards = vec![Guard::Absent(layout::version())];
        store.commit(Commit::new(guards, last)?).await?;
        Ok(())
    }

    /// What makes a registry of all that was written before.
    fn end(&self) -> [Write; 5] {
        let Self { mesh, epoch, revision, begun, .. } = self;
        let head = StoredHead {
            epoch: *epoch,
            revision: *revision,
            mesh: mesh.mesh.to_string(),
            domain: mesh.domain().into(),
        };
        // No scope has a head: the centre lays each out anew, and what comes next follows that.
        let heads = StoredHeads::default();
        [
            Write::put(layout::head(), head.encode_to_vec()),
            Write::put(layout::heads(), heads.encode_to_vec()),
            Write::put(layout::epoch(*epoch), begun.encode_to_vec()),
            Write::put(layout::version(), layout::VERSION),
            Write::Delete { key: layout::unfinished() },
        ]
    }
}

/// Lays `beginning` out in the embedded store `file`, which may not be there yet.
pub async fn lay_file(file: &Path, beginning: Beginning) -> Result<(), LayError> {
    let store = Embedded::open(file, Arc::new(SteadyClock::default()));
    let store = store.await.map_err(CommitError::from)?;
    let laid = beginning.lay(&store).await;
    store.close().await;
    laid
}

/// As [`lay_file`], for those who have no runtime, or must not wait on the one they have.
pub fn lay_file_blocking(file: &Path, beginning: Beginning) -> Result<(), LayError> {
    let lay = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(LayError::Runtime)?.block_on(lay_file(file, beginning))
    };
    std::thread::scope(|scope| scope.spawn(lay).join()).unwrap_or_else(|panicked| {
        std::panic::resume_unwind(panicked);
    })
}

/// Writes that one commit takes.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    bytes: usize,
}

impl Batch {
    /// Takes one more, and gives the ones before where that would be too much.
    fn push(&mut self, key: &StoreKey, value: &Bytes) -> Option<Vec<Write>> {
        let bytes = key.as_str().len() + value.len();
        let is_full = self.writes.len() == BATCH_WRITES_MAX || BATCH_BYTES_MAX < self.bytes + bytes;
        let full = is_full.then(|| std::mem::take(self)).map(|batch| batch.writes);
        self.bytes += bytes;
        self.writes.push(Write::put(key.clone(), value.clone()));
        full.filter(|writes| !writes.is_empty())
    }
}
