//! Bounded sets of connections: SQLite blocks, so it runs beside the async threads.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::answer::Refusal;

/// How many queries run at once. More would only wait for the same file.
pub(crate) const READERS_MAX: usize = 4;

/// SQLite writes one transaction at a time anyway.
pub(crate) const WRITERS_MAX: usize = 1;

/// How long to wait for another process that writes to the same file.
pub(crate) const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Connections of one sort to one file. Cheap to clone; every clone lends from the same set.
#[derive(Clone)]
pub(crate) struct Pool {
    file: Arc<PathBuf>,
    flags: OpenFlags,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// A query that could not be answered. It is for the log and is never sent.
///
/// It ends the chain of causes: what lies beneath SQLite's sentence repeats it with a number.
#[derive(Debug, thiserror::Error)]
#[error("the register cannot be used: {0}")]
pub(crate) struct QueryError(Box<dyn Error + Send + Sync>);

impl Pool {
    pub(crate) fn of_readers(file: &Path) -> Self {
        Self::new(file, OpenFlags::SQLITE_OPEN_READ_ONLY, READERS_MAX)
    }

    pub(crate) fn of_writers(file: &Path) -> Self {
        Self::new(file, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITERS_MAX)
    }

    /// Connections open when they are first needed, so this only remembers the file.
    fn new(file: &Path, mode: OpenFlags, connections_max: usize) -> Self {
        Self {
            file: Arc::new(file.to_owned()),
            // One thread at a time holds a connection, so SQLite need not lock it again.
            flags: mode | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            permits: Arc::new(Semaphore::new(connections_max)),
            idle: Arc::default(),
        }
    }

    /// Runs `query` on a connection of its own as soon as one is free.
    pub(crate) async fn read<T, Q>(&self, query: Q) -> Result<T, Refusal>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        self.lend(|connection| query(connection)).await
    }

    /// Runs `query` in a transaction, which is durable before this answers, and undone by an error.
    pub(crate) async fn write<T, Q>(&self, query: Q) -> Result<T, Refusal>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let in_transaction = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = query(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        self.lend(in_transaction).await
    }

    async fn lend<T, Q>(&self, query: Q) -> Result<T, Refusal>
    where
        T: Send + 'static,
        Q: FnOnce(&mut Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(QueryError::new)?;
        let pool = self.clone();
        let answer = spawn_blocking(move || {
            // A caller that goes away does not stop the query, so the query holds the permit.
            let _held_until_the_query_ends = permit;
            let idle = pool.idle().pop();
            let mut connection = idle.map_or_else(|| pool.open(), Ok)?;
            let answer = query(&mut connection);
            // A connection that failed is closed, not lent again. A refusal is no failure.
            if !matches!(answer, Err(Refusal::Register(_))) {
                pool.idle().push(connection);
            }
            answer
        });
        answer.await.map_err(QueryError::new)?
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&*self.file, self.flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        Ok(connection)
    }

    /// The list is whole even if a thread panicked while it held the lock.
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueryError {
    pub(crate) fn new(cause: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(cause))
    }
}
