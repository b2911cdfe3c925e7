//! A registry of a nation's size: keys as the registry's, values of the sizes of its objects, and
//! commits of the shape that the registry makes.

use bytes::Bytes;
use mesh_store::{Commit, Guard, Store, StoreKey, StoreRevision, Write};

use crate::part::Failure;

/// An agency: its names, its cluster, its address.
const AGENCY_BYTES: usize = 400;

/// A service: its card, and some operations with their templates.
const SERVICE_BYTES: usize = 2_000;

/// An agreement: terms, and three signatures with their chains.
const AGREEMENT_BYTES: usize = 4_000;

/// Objects in one commit of the registry, at most.
const CHANGES_MAX: usize = 90;

#[derive(Debug)]
pub(super) struct Nation {
    pub(super) agencies: usize,
    pub(super) services: usize,
    pub(super) agreements: usize,
}

impl Nation {
    pub(super) fn objects(&self) -> usize {
        self.agencies + self.services + self.agreements
    }

    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.agencies * AGENCY_BYTES
            + self.services * SERVICE_BYTES
            + self.agreements * AGREEMENT_BYTES;
        bytes as u64
    }

    /// Commits all objects, one commit after the other. How many commits, and the last one.
    pub(super) async fn load(&self, store: &dyn Store) -> Result<(usize, StoreRevision), Failure> {
        let numbers: Vec<usize> = (0..self.objects()).collect();
        let mut head = Guard::Absent(key("mesh/head"));
        let mut last = StoreRevision(0);
        let mut commits = 0;
        for chunk in numbers.chunks(CHANGES_MAX) {
            let objects: Vec<_> = chunk.iter().map(|number| self.object(*number)).collect();
            let absent = objects.iter().map(|(name, _)| Guard::Absent(name.clone()));
            let guards = absent.chain([head]).collect();
            last = store.commit(commit(guards, objects, commits)?).await?;
            head = Guard::Unchanged(key("mesh/head"), last);
            commits += 1;
        }
        Ok((commits, last))
    }

    /// One object is replaced.
    pub(super) fn change(&self, number: usize, head: StoreRevision) -> Commit {
        let (name, value) = self.object((number * 7919) % self.objects());
        let guards = vec![Guard::Unchanged(key("mesh/head"), head)];
        let log = 1_000_000 + number;
        commit(guards, vec![(name, value)], log).expect("one object fits in a commit")
    }

    fn object(&self, number: usize) -> (StoreKey, Bytes) {
        let (kind, bytes) = if number < self.agencies {
            ("agency", AGENCY_BYTES)
        } else if number < self.agencies + self.services {
            ("service", SERVICE_BYTES)
        } else {
            ("agreement", AGREEMENT_BYTES)
        };
        let spread = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let name = format!("mesh/object/{kind}/{spread:016x}{number:016x}");
        (key(&name), noise(spread, bytes))
    }
}

/// With the registry's own records: what it tells followers, and where it stands.
fn commit(
    guards: Vec<Guard>,
    objects: Vec<(StoreKey, Bytes)>,
    number: usize,
) -> Result<Commit, Failure> {
    let told: usize = objects.iter().map(|(_, value)| value.len()).sum();
    let log = key(&format!("mesh/log/{:020}/{number:020}", 1));
    let mut writes: Vec<_> =
        objects.into_iter().map(|(name, value)| Write::put(name, value)).collect();
    writes.push(Write::put(log, noise(number as u64, told + 300)));
    writes.push(Write::put(key("mesh/head"), noise(number as u64, 64)));
    Ok(Commit::new(guards, writes)?)
}

/// Bytes that look like signatures do: no store can make them smaller.
fn noise(seed: u64, bytes: usize) -> Bytes {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

fn key(text: &str) -> StoreKey {
    text.parse().expect("the benchmark names good keys")
}
