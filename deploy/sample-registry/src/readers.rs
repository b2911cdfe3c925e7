//! A bounded set of read connections: SQLite blocks, so it runs beside the async threads.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many queries run at once. More would only wait for the same file.
const READERS_MAX: usize = 4;

/// Cheap to clone; every clone lends from the same set.
#[derive(Clone)]
pub(crate) struct Readers {
    file: Arc<PathBuf>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// A query that could not be answered. It is for the log and is never sent.
///
/// It ends the chain of causes: what lies beneath SQLite's sentence repeats it with a number.
#[derive(Debug, thiserror::Error)]
#[error("the register cannot be read: {0}")]
pub(crate) struct ReadError(Box<dyn Error + Send + Sync>);

impl Readers {
    /// Connections open when they are first needed, so this only remembers the file.
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            file: Arc::new(file.to_owned()),
            permits: Arc::new(Semaphore::new(READERS_MAX)),
            idle: Arc::default(),
        }
    }

    /// Runs `query` on a connection of its own as soon as one is free.
    pub(crate) async fn read<T, Q>(&self, query: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(ReadError::new)?;
        let readers = self.clone();
        let answer = spawn_blocking(move || {
            // A caller that goes away does not stop the query, so the query holds the permit.
            let _held_until_the_query_ends = permit;
            let connection = match readers.idle().pop() {
                Some(connection) => connection,
                None => open(&readers.file)?,
            };
            let answer = query(&connection)?;
            // Not reached after an error: a connection that failed is closed, not lent again.
            readers.idle().push(connection);
            Ok::<_, rusqlite::Error>(answer)
        });
        answer.await.map_err(ReadError::new)?.map_err(ReadError::new)
    }

    /// The list is whole even if a thread panicked while it held the lock.
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadError {
    fn new(cause: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(cause))
    }
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    // One thread at a time holds a connection, so SQLite need not lock it again.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags)
}
