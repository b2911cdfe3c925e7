//! Writes, in one transaction: nothing of them is there before it is committed.

use redb::{ReadableTable as _, Table, WriteTransaction};

use super::disk::Trouble;
use super::lives::Lives;
use super::tables::{self, Held, NO_LEASE};
use crate::commit::{Commit, Guard, Write};
use crate::error::{CommitError, StoreError};
use crate::lease::{LeaseId, LeaseLife};
use crate::page::StoreRevision;

pub(super) struct Writing<'t> {
    /// The newest revision, with what was written here.
    pub(super) newest: u64,
    /// Whether there is anything to commit.
    pub(super) is_changed: bool,
    numbers: Table<'t, &'static str, u64>,
    now: Table<'t, &'static str, Held>,
    past: Table<'t, (&'static str, u64), (u64, &'static [u8])>,
    changes: Table<'t, (u64, &'static str), bool>,
    leases: Table<'t, i64, u64>,
    leased: Table<'t, (i64, &'static str), ()>,
}

impl<'t> Writing<'t> {
    pub(super) fn of(transaction: &'t WriteTransaction) -> Result<Self, Trouble> {
        let mut writing = Self {
            newest: 0,
            is_changed: false,
            numbers: transaction.open_table(tables::NUMBERS)?,
            now: transaction.open_table(tables::NOW)?,
            past: transaction.open_table(tables::PAST)?,
            changes: transaction.open_table(tables::CHANGES)?,
            leases: transaction.open_table(tables::LEASES)?,
            leased: transaction.open_table(tables::LEASED)?,
        };
        writing.newest = writing.number(tables::NEWEST)?;
        Ok(writing)
    }

    /// The inner result is what to tell whoever asked.
    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        lives: &Lives,
    ) -> Result<Result<StoreRevision, CommitError>, Trouble> {
        for guard in commit.guards() {
            if !self.holds(guard)? {
                let key = guard.key().clone();
                return Ok(Err(CommitError::Conflict { key }));
            }
        }
        for write in commit.writes() {
            if let Write::Put { lease: Some(lease), .. } = write
                && (self.leases.get(lease.0)?.is_none() || !lives.is_alive(*lease))
            {
                return Ok(Err(StoreError::LeaseEnded { lease: *lease }.into()));
            }
        }
        let revision = self.newest + 1;
        for write in commit.writes() {
            match write {
                Write::Put { key, value, lease } => {
                    self.put(key.as_str(), (revision, lease.map_or(NO_LEASE, |id| id.0), value))?;
                }
                Write::Delete { key } => self.delete(key.as_str(), revision)?,
            }
        }
        Ok(Ok(StoreRevision(self.newest)))
    }

    fn holds(&self, guard: &Guard) -> Result<bool, Trouble> {
        let held = self.now.get(guard.key().as_str())?;
        let revision = held.map(|held| StoreRevision(held.value().0));
        Ok(match guard {
            Guard::Absent(_) => revision.is_none(),
            Guard::Unchanged(_, since) => revision == Some(*since),
        })
    }

    fn put(&mut self, key: &str, held: (u64, i64, &[u8])) -> Result<(), Trouble> {
        let (revision, lease, _) = held;
        if let Some(before) = self.now.insert(key, held)? {
            let (begins, lease, value) = before.value();
            self.past.insert((key, revision), (begins, value))?;
            if lease != NO_LEASE {
                self.leased.remove((lease, key))?;
            }
        }
        if lease != NO_LEASE {
            self.leased.insert((lease, key), ())?;
        }
        self.changed(key, revision, true)
    }

    fn delete(&mut self, key: &str, revision: u64) -> Result<(), Trouble> {
        let Some(before) = self.now.remove(key)? else { return Ok(()) };
        let (begins, lease, value) = before.value();
        self.past.insert((key, revision), (begins, value))?;
        if lease != NO_LEASE {
            self.leased.remove((lease, key))?;
        }
        drop(before);
        self.changed(key, revision, false)
    }

    fn changed(&mut self, key: &str, revision: u64, is_put: bool) -> Result<(), Trouble> {
        self.changes.insert((revision, key), is_put)?;
        self.newest = revision;
        self.is_changed = true;
        Ok(())
    }

    pub(super) fn grant(&mut self, life: LeaseLife) -> Result<LeaseId, Trouble> {
        let number = self.number(tables::LEASE)? + 1;
        self.numbers.insert(tables::LEASE, number)?;
        let lease = LeaseId(number.cast_signed());
        self.leases.insert(lease.0, life.as_secs())?;
        self.is_changed = true;
        Ok(lease)
    }

    /// Deletes what is under a lease, as one revision. Whether there was such a lease.
    pub(super) fn end(&mut self, lease: LeaseId) -> Result<bool, Trouble> {
        if self.leases.remove(lease.0)?.is_none() {
            return Ok(false);
        }
        self.is_changed = true;
        let range = (lease.0, "")..(lease.0 + 1, "");
        let mut keys = Vec::new();
        for row in self.leased.range::<(i64, &str)>(range)? {
            keys.push(row?.0.value().1.to_owned());
        }
        let revision = self.newest + 1;
        for key in keys {
            self.delete(&key, revision)?;
        }
        Ok(true)
    }

    pub(super) fn compact(
        &mut self,
        before: StoreRevision,
    ) -> Result<Result<(), StoreError>, Trouble> {
        let newest = StoreRevision(self.newest);
        if newest < before {
            return Ok(Err(StoreError::Ahead { asked: before, newest }));
        }
        if before.0 <= self.number(tables::OLDEST)? {
            return Ok(Ok(()));
        }
        // What a forgotten revision ended was there only before it.
        let forgotten = ..(before.0 + 1, "");
        for row in self.changes.extract_from_if::<(u64, &str), _>(forgotten, |_, _| true)? {
            let (change, _) = row?;
            let (revision, key) = change.value();
            self.past.remove((key, revision))?;
        }
        self.numbers.insert(tables::OLDEST, before.0)?;
        self.is_changed = true;
        Ok(Ok(()))
    }

    /// To be called last.
    pub(super) fn finish(mut self) -> Result<(), Trouble> {
        self.numbers.insert(tables::NEWEST, self.newest)?;
        Ok(())
    }

    fn number(&self, name: &str) -> Result<u64, Trouble> {
        match self.numbers.get(name)? {
            Some(number) => Ok(number.value()),
            None => {
                let check = format!("the file has no number {name}");
                Err(StoreError::Corrupt { check }.into())
            }
        }
    }
}
