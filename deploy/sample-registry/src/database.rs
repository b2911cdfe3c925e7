//! A register's SQLite file: filled once from a seed, found again ever after.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::answer::Refusal;
use crate::kind::Kind;
use crate::pool::{BUSY_WAIT, Pool};
use crate::population::{PERSONS_MAX, Population};
use crate::register::Filling;

/// Marks a file as a sample register, so that no other database is ever written to. It changes
/// with the meaning of the table `contents`.
const APPLICATION_ID: i32 = 0x5265_6732;

/// How long to leave a busy file alone before the next try.
const BUSY_PAUSE: Duration = Duration::from_millis(2);

const SCHEMA: &str = "
    CREATE TABLE contents (
        register TEXT NOT NULL,
        seed     INTEGER NOT NULL,
        persons  INTEGER NOT NULL
    ) STRICT;
";

/// What a file holds: whoever asks for other contents gets another file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Contents {
    /// The kind's full name.
    register: String,
    seed: u64,
    persons: u32,
}

/// A filled register that answers questions.
pub(crate) struct Database {
    readers: Pool,
    writers: Pool,
}

/// Why a file cannot serve as the register.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("it is not a sample register of this release, and it is not empty either")]
    Foreign,
    #[error(
        "it holds {persons} persons of seed {seed} as the register {register}; \
         ask for those or name another file"
    )]
    OtherContents { register: String, seed: u64, persons: u32 },
    #[error("{persons} persons are more than {PERSONS_MAX}")]
    TooMany { persons: u32 },
    /// It ends the chain of causes: what lies beneath SQLite's sentence repeats it with a number.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

impl Database {
    /// Opens `file`, and fills it in one transaction if it is empty. Blocks.
    pub(crate) fn open(
        file: &Path,
        kind: &Kind,
        seed: u64,
        persons: u32,
    ) -> Result<Self, DatabaseError> {
        if PERSONS_MAX < persons {
            return Err(DatabaseError::TooMany { persons });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer = Connection::open_with_flags(file, flags)?;
        writer.busy_timeout(BUSY_WAIT)?;
        // The lock comes before the look, so that of two processes one fills and the other finds.
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let wanted = Contents { register: kind.full_name(), seed, persons };
        if is_empty(&transaction)? {
            fill(&transaction, kind, &wanted)?;
        }
        check_contents(&transaction, &wanted)?;
        transaction.commit()?;
        // Only now that the file is known to be ours.
        write_ahead(&writer)?;
        Ok(Self { readers: Pool::of_readers(file), writers: Pool::of_writers(file) })
    }

    pub(crate) async fn read<T, Q>(&self, query: Q) -> Result<T, Refusal>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        self.readers.read(query).await
    }

    pub(crate) async fn write<T, Q>(&self, query: Q) -> Result<T, Refusal>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        self.writers.write(query).await
    }

    /// Succeeds if questions can be answered now.
    pub(crate) fn check(connection: &Connection) -> rusqlite::Result<()> {
        contents(connection).map(drop)
    }
}

/// Switches to the journal in which readers never wait for a writer. SQLite refuses this at once
/// while another process opens the same file, so the waiting is ours.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        let switched = connection.pragma_update(None, "journal_mode", "WAL");
        let code = switched.as_ref().err().and_then(rusqlite::Error::sqlite_error_code);
        if code != Some(ErrorCode::DatabaseBusy) || BUSY_WAIT <= began.elapsed() {
            return switched;
        }
        sleep(BUSY_PAUSE);
    }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(application == 0 && tables == 0)
}

fn fill(transaction: &Transaction<'_>, kind: &Kind, wanted: &Contents) -> rusqlite::Result<()> {
    let Contents { register, seed, persons } = wanted;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(SCHEMA)?;
    // SQLite's integers are signed; a seed keeps its bits.
    transaction.execute(
        "INSERT INTO contents VALUES (?1, ?2, ?3)",
        (register, seed.cast_signed(), persons),
    )?;
    let register = kind.register();
    transaction.execute_batch(register.schema)?;
    let population = Population::new(*seed, *persons);
    (register.fill)(&Filling { transaction, population: &population, kind })
}

/// A file of other contents would answer about other persons than the caller expects.
fn check_contents(connection: &Connection, wanted: &Contents) -> Result<(), DatabaseError> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(DatabaseError::Foreign);
    }
    let found = contents(connection)?;
    if found == *wanted {
        return Ok(());
    }
    let Contents { register, seed, persons } = found;
    Err(DatabaseError::OtherContents { register, seed, persons })
}

fn contents(connection: &Connection) -> rusqlite::Result<Contents> {
    connection.prepare_cached("SELECT register, seed, persons FROM contents")?.query_row(
        [],
        |row| {
            Ok(Contents {
                register: row.get(0)?,
                seed: row.get::<_, i64>(1)?.cast_unsigned(),
                persons: row.get(2)?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Vec<Kind> {
        let publisher = |name| (name == "cards").then(|| "health".parse().unwrap());
        Kind::NAMES.map(|name| Kind::new(name, publisher(name)).unwrap()).into()
    }

    fn open(file: &Path, kind: &Kind, seed: u64) -> Result<Database, DatabaseError> {
        Database::open(file, kind, seed, 50)
    }

    /// Everything that is in a file, row by row.
    fn dump(file: &Path) -> Vec<String> {
        let connection = Connection::open(file).unwrap();
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap();
        let tables: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut rows = Vec::new();
        for table in tables {
            let mut select = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = select.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                let values = (0..columns).map(|at| row.get_ref(at).map(|v| format!("{v:?}")));
                values.collect::<rusqlite::Result<Vec<_>>>()
            };
            let found = select.query_map([], row).unwrap();
            rows.extend(found.map(|row| format!("{table} {:?}", row.unwrap())));
        }
        rows
    }

    #[test]
    fn the_same_seed_always_fills_the_same_register() {
        let folder = tempfile::tempdir().unwrap();
        for kind in kinds() {
            let [one, two, other] =
                ["one", "two", "other"].map(|name| folder.path().join(format!("{kind}-{name}")));
            open(&one, &kind, 7).unwrap();
            open(&two, &kind, 7).unwrap();
            open(&other, &kind, 8).unwrap();
            let rows = dump(&one);
            assert!(5 < rows.len(), "{kind} has {} rows", rows.len());
            assert!(rows == dump(&two), "{kind}");
            assert!(rows[1..] != dump(&other)[1..], "{kind}");
            // Found again, and not filled again.
            open(&one, &kind, 7).unwrap();
            assert!(rows == dump(&one), "{kind}");
        }
    }

    #[test]
    fn refuses_other_contents() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register.db");
        let health = Kind::new("cards", Some("health".parse().unwrap())).unwrap();
        let justice = Kind::new("cards", Some("justice".parse().unwrap())).unwrap();
        open(&file, &health, u64::MAX).unwrap();
        let want = format!(
            "it holds 50 persons of seed {} as the register cards of health; \
             ask for those or name another file",
            u64::MAX
        );
        for (kind, seed) in [(&health, 7), (&justice, u64::MAX), (&Kind::Tax, u64::MAX)] {
            assert_eq!(open(&file, kind, seed).err().unwrap().to_string(), want);
        }
        assert!(Database::open(&file, &health, u64::MAX, 51).is_err());
        assert!(open(&file, &health, u64::MAX).is_ok());
    }

    /// Another program's database must come out as it went in.
    #[test]
    fn leaves_a_foreign_database_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.db");
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let before = std::fs::read(&file).unwrap();
        assert!(matches!(open(&file, &Kind::Civil, 7), Err(DatabaseError::Foreign)));
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[test]
    fn two_that_start_at_once_fill_one_register() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register.db");
        std::thread::scope(|scope| {
            let opens: Vec<_> =
                (0..4).map(|_| scope.spawn(|| open(&file, &Kind::Civil, 7).map(drop))).collect();
            for open in opens {
                open.join().unwrap().unwrap();
            }
        });
    }

    #[test]
    fn refuses_more_persons_than_a_seed_has() {
        let file = Path::new("never-opened.db");
        let persons = PERSONS_MAX + 1;
        assert!(matches!(
            Database::open(file, &Kind::Civil, 7, persons),
            Err(DatabaseError::TooMany { persons: found }) if found == persons
        ));
    }
}
