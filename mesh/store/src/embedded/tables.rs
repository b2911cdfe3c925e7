//! What the file holds. A layout that differs from this takes another [`FORMAT`].

use redb::{Database, ReadableDatabase as _, TableDefinition, TableError, WriteTransaction};

use super::disk::Trouble;

/// The layout of the tables below.
pub(super) const FORMAT: u64 = 1;

/// The store's numbers, by the names below.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("mesh-store");
pub(super) const FORMAT_OF: &str = "format";
/// The newest revision.
pub(super) const NEWEST: &str = "newest";
/// The oldest revision that is known: what was before is compacted.
pub(super) const OLDEST: &str = "oldest";
/// The lease that was granted last.
pub(super) const LEASE: &str = "lease";

/// Revision of the last change, lease or [`NO_LEASE`], value.
pub(super) type Held = (u64, i64, &'static [u8]);
pub(super) const NO_LEASE: i64 = 0;

/// What is under each key now.
pub(super) const NOW: TableDefinition<'_, &str, Held> = TableDefinition::new("now");

/// What was under a key until a revision, which ended it: from which revision on, and the value.
pub(super) const PAST: TableDefinition<'_, (&str, u64), (u64, &[u8])> =
    TableDefinition::new("past");

/// Which keys a revision changed, and whether they hold something since.
pub(super) const CHANGES: TableDefinition<'_, (u64, &str), bool> = TableDefinition::new("changes");

/// The life of each lease, in seconds.
pub(super) const LEASES: TableDefinition<'_, i64, u64> = TableDefinition::new("leases");

/// The keys under each lease.
pub(super) const LEASED: TableDefinition<'_, (i64, &str), ()> = TableDefinition::new("leased");

/// Whose database it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layout {
    Ours,
    /// Of a program that is older or newer than this one.
    Other(u64),
    /// Nobody's yet, or another program's.
    Empty,
}

pub(super) fn layout(database: &Database) -> Result<Layout, Trouble> {
    let transaction = database.begin_read()?;
    let numbers = match transaction.open_table(NUMBERS) {
        Ok(numbers) => numbers,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Layout::Empty),
        Err(why) => return Err(why.into()),
    };
    Ok(match numbers.get(FORMAT_OF)?.map(|format| format.value()) {
        Some(FORMAT) => Layout::Ours,
        Some(other) => Layout::Other(other),
        None => Layout::Empty,
    })
}

/// Makes an empty store of an empty database.
pub(super) fn make(database: &Database) -> Result<(), Trouble> {
    let transaction = begin(database)?;
    {
        let mut numbers = transaction.open_table(NUMBERS)?;
        for (name, number) in [(FORMAT_OF, FORMAT), (NEWEST, 0), (OLDEST, 0), (LEASE, 0)] {
            numbers.insert(name, number)?;
        }
        transaction.open_table(NOW)?;
        transaction.open_table(PAST)?;
        transaction.open_table(CHANGES)?;
        transaction.open_table(LEASES)?;
        transaction.open_table(LEASED)?;
    }
    Ok(transaction.commit()?)
}

/// Two phases: what whoever may write chose as values cannot, by a crash, make half a commit.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Trouble> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}
