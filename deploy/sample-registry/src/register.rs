//! The register's SQLite file: its schema, how it is filled once, and the three questions it knows.

use std::path::Path;
use std::time::Duration;

use mesh_core::identifier::{NationalId, same_name};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior};
use serde::Serialize;

use crate::person::{Nation, PERSONS_MAX, Person};
use crate::readers::{ReadError, Readers};

/// Marks a file as a sample register, so that no other database is ever written to.
const APPLICATION_ID: i32 = 0x5265_6731;

/// How long to wait for another process that fills the same file.
const BUSY_WAIT: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE population (seed INTEGER NOT NULL, persons INTEGER NOT NULL) STRICT;
    CREATE TABLE person (
        national_id TEXT PRIMARY KEY,
        first_name  TEXT NOT NULL,
        last_name   TEXT NOT NULL,
        birth_date  TEXT NOT NULL,
        alive       INTEGER NOT NULL CHECK (alive IN (0, 1)),
        postal_code TEXT NOT NULL,
        father_id   TEXT REFERENCES person (national_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX person_by_father ON person (father_id);
";

/// What the register tells about a person. The postal code stays inside: nobody asks for it.
#[derive(Serialize)]
pub(crate) struct Entry {
    national_id: String,
    first_name: String,
    last_name: String,
    birth_date: String,
    alive: bool,
}

/// A person's next of kin, the children in order of birth.
#[derive(Serialize)]
pub(crate) struct Kin {
    father: Option<Relative>,
    children: Vec<Relative>,
}

/// As much of a relative as it takes to ask about them in turn.
#[derive(Serialize)]
pub(crate) struct Relative {
    national_id: String,
    first_name: String,
    last_name: String,
}

/// What someone says about a person.
pub(crate) struct Claim {
    pub(crate) national_id: NationalId,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
}

/// A filled register that answers questions.
pub(crate) struct Register {
    readers: Readers,
}

/// Why a file cannot serve as the register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("it is not a sample register, and it is not empty either")]
    Foreign,
    #[error("it holds {persons} persons of seed {seed}; ask for those or name another file")]
    OtherPopulation { seed: u64, persons: u32 },
    #[error("{persons} persons are more than {PERSONS_MAX}")]
    TooMany { persons: u32 },
    /// It ends the chain of causes: what lies beneath SQLite's sentence repeats it with a number.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for RegisterError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

impl Register {
    /// Opens `file`, and fills it in one transaction if it is empty. Blocks.
    pub(crate) fn open(file: &Path, seed: u64, persons: u32) -> Result<Self, RegisterError> {
        if PERSONS_MAX < persons {
            return Err(RegisterError::TooMany { persons });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer = Connection::open_with_flags(file, flags)?;
        writer.busy_timeout(BUSY_WAIT)?;
        // The lock comes before the look, so that of two processes one fills and the other finds.
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if is_empty(&transaction)? {
            fill(&transaction, seed, persons)?;
        }
        check_population(&transaction, seed, persons)?;
        transaction.commit()?;
        // Only now that the file is known to be ours; readers then never wait for a writer.
        writer.pragma_update(None, "journal_mode", "WAL")?;
        Ok(Self { readers: Readers::new(file) })
    }

    pub(crate) async fn person(&self, id: NationalId) -> Result<Option<Entry>, ReadError> {
        self.readers.read(move |connection| find_person(connection, &id)).await
    }

    /// The kin of a person; `None` if the register does not know the person.
    pub(crate) async fn kin(&self, id: NationalId) -> Result<Option<Kin>, ReadError> {
        self.readers.read(move |connection| find_kin(connection, &id)).await
    }

    /// Whether the register holds this, however the names are typed. An unknown person matches
    /// nothing.
    pub(crate) async fn holds(&self, claim: Claim) -> Result<bool, ReadError> {
        self.readers.read(move |connection| is_held(connection, &claim)).await
    }

    /// Succeeds if questions can be answered now.
    pub(crate) async fn ready(&self) -> Result<(), ReadError> {
        self.readers.read(|connection| population(connection).map(drop)).await
    }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(application == 0 && tables == 0)
}

fn fill(transaction: &Transaction<'_>, seed: u64, persons: u32) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(SCHEMA)?;
    // SQLite's integers are signed; a seed keeps its bits.
    transaction.execute("INSERT INTO population VALUES (?1, ?2)", (seed.cast_signed(), persons))?;
    let mut insert =
        transaction.prepare("INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for person in Nation::new(seed).take(persons as usize) {
        let Person { national_id, first_name, last_name, birth_date, .. } = &person;
        insert.execute((
            national_id.as_str(),
            first_name,
            last_name,
            birth_date,
            person.alive,
            person.postal_code.as_str(),
            person.father.as_ref().map(NationalId::as_str),
        ))?;
    }
    Ok(())
}

/// A file of another population would answer about other persons than the caller expects.
fn check_population(connection: &Connection, seed: u64, persons: u32) -> Result<(), RegisterError> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(RegisterError::Foreign);
    }
    match population(connection)? {
        found if found == (seed, persons) => Ok(()),
        (seed, persons) => Err(RegisterError::OtherPopulation { seed, persons }),
    }
}

fn population(connection: &Connection) -> rusqlite::Result<(u64, u32)> {
    connection
        .prepare_cached("SELECT seed, persons FROM population")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))
}

fn find_person(connection: &Connection, id: &NationalId) -> rusqlite::Result<Option<Entry>> {
    connection
        .prepare_cached(
            "SELECT national_id, first_name, last_name, birth_date, alive
             FROM person WHERE national_id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            Ok(Entry {
                national_id: row.get(0)?,
                first_name: row.get(1)?,
                last_name: row.get(2)?,
                birth_date: row.get(3)?,
                alive: row.get(4)?,
            })
        })
        .optional()
}

fn find_kin(connection: &Connection, id: &NationalId) -> rusqlite::Result<Option<Kin>> {
    let known = connection
        .prepare_cached("SELECT 1 FROM person WHERE national_id = ?1")?
        .exists([id.as_str()])?;
    if !known {
        return Ok(None);
    }
    let father = connection
        .prepare_cached(
            "SELECT father.national_id, father.first_name, father.last_name
             FROM person JOIN person AS father ON father.national_id = person.father_id
             WHERE person.national_id = ?1",
        )?
        .query_row([id.as_str()], relative)
        .optional()?;
    let children = connection
        .prepare_cached(
            "SELECT national_id, first_name, last_name
             FROM person WHERE father_id = ?1 ORDER BY birth_date, national_id",
        )?
        .query_map([id.as_str()], relative)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(Kin { father, children }))
}

fn relative(row: &Row<'_>) -> rusqlite::Result<Relative> {
    Ok(Relative { national_id: row.get(0)?, first_name: row.get(1)?, last_name: row.get(2)? })
}

fn is_held(connection: &Connection, claim: &Claim) -> rusqlite::Result<bool> {
    let held = find_person(connection, &claim.national_id)?;
    Ok(held.is_some_and(|held| {
        same_name(&held.first_name, &claim.first_name)
            && same_name(&held.last_name, &claim.last_name)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_an_empty_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register.db");
        for _ in 0..2 {
            Register::open(&file, 7, 50).unwrap();
            let connection = Connection::open(&file).unwrap();
            let persons: u32 =
                connection.query_row("SELECT count(*) FROM person", [], |row| row.get(0)).unwrap();
            assert_eq!(persons, 50);
        }
    }

    #[test]
    fn refuses_another_population() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register.db");
        Register::open(&file, u64::MAX, 5).unwrap();
        let error = Register::open(&file, 7, 5).err().unwrap();
        let want =
            format!("it holds 5 persons of seed {}; ask for those or name another file", u64::MAX);
        assert_eq!(error.to_string(), want);
        assert!(Register::open(&file, u64::MAX, 5).is_ok());
    }

    /// Another program's database must come out as it went in.
    #[test]
    fn leaves_a_foreign_database_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.db");
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let before = std::fs::read(&file).unwrap();
        assert!(matches!(Register::open(&file, 7, 5), Err(RegisterError::Foreign)));
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[test]
    fn two_that_start_at_once_fill_one_register() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register.db");
        std::thread::scope(|scope| {
            let opens: Vec<_> =
                (0..4).map(|_| scope.spawn(|| Register::open(&file, 7, 500).is_ok())).collect();
            assert!(opens.into_iter().all(|open| open.join().unwrap()));
        });
    }

    #[test]
    fn refuses_more_persons_than_a_seed_has() {
        let file = Path::new("never-opened.db");
        let persons = PERSONS_MAX + 1;
        assert!(matches!(
            Register::open(file, 7, persons),
            Err(RegisterError::TooMany { persons: found }) if found == persons
        ));
    }
}
