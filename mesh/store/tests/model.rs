//! The embedded store against a plain map that keeps all its states, under random operations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh_store::{
    Change, Commit, CommitError, Embedded, Guard, Item, LeaseClock, LeaseId, LeaseLife, PageOf,
    Store, StoreError, StoreKey, StoreRevision, Write,
};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

const SEEDS: u64 = 30;
const SEEDS_LONG: u64 = 500;
const STEPS: usize = 120;
const PREFIXES: [&str; 6] = ["", "m/", "m/a", "m/b/", "m/b/1", "n"];

/// Under each key: value, revision, lease.
type State = BTreeMap<String, (String, u64, Option<LeaseId>)>;

/// What a store is to be, in the simplest way.
#[derive(Default)]
struct Model {
    /// By revision, from the oldest that is known.
    states: BTreeMap<u64, State>,
    /// When each lease ends, and its life, in seconds.
    leases: BTreeMap<LeaseId, (u64, u64)>,
    ended: Vec<LeaseId>,
    now: u64,
}

#[derive(Clone, Debug, Default)]
struct ModelClock(Arc<AtomicU64>);

struct Run {
    random: SmallRng,
    model: Model,
    clock: ModelClock,
    folder: TempDir,
    store: Embedded,
}

#[tokio::test]
async fn the_store_is_what_the_model_is() {
    let seeds = match std::env::var("MESH_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("MESH_SEED is a number");
            seed..seed + 1
        }
        Err(_) if std::env::var_os("MESH_LONG").is_some() => 0..SEEDS_LONG,
        Err(_) => 0..SEEDS,
    };
    for seed in seeds {
        // The last one that is printed is the one that failed.
        println!("MESH_SEED={seed}");
        let mut run = Run::new(seed).await;
        for _ in 0..STEPS {
            run.step().await;
        }
    }
}

impl LeaseClock for ModelClock {
    fn passed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

impl Model {
    fn oldest(&self) -> u64 {
        *self.states.first_key_value().expect("a model has a state").0
    }

    fn newest(&self) -> u64 {
        *self.states.last_key_value().expect("a model has a state").0
    }

    fn state(&self) -> &State {
        self.states.last_key_value().expect("a model has a state").1
    }

    /// What a store says of a revision that it does not know.
    fn unknown(&self, at: u64) -> Option<StoreError> {
        let (asked, newest) = (StoreRevision(at), StoreRevision(self.newest()));
        if at < self.oldest() {
            return Some(StoreError::Compacted { asked });
        }
        (newest < asked).then_some(StoreError::Ahead { asked, newest })
    }

    fn commit(&mut self, guards: &[Guard], writes: &[Write]) -> Result<StoreRevision, CommitError> {
        let broken = guards.iter().find(|guard| {
            let held = self.state().get(guard.key().as_str()).map(|(_, revision, _)| *revision);
            match guard {
                Guard::Absent(_) => held.is_some(),
                Guard::Unchanged(_, since) => held != Some(since.0),
            }
        });
        if let Some(guard) = broken {
            return Err(CommitError::Conflict { key: guard.key().clone() });
        }
        for write in writes {
            if let Write::Put { lease: Some(lease), .. } = write
                && !self.leases.contains_key(lease)
            {
                return Err(StoreError::LeaseEnded { lease: *lease }.into());
            }
        }
        let revision = self.newest() + 1;
        let mut state = self.state().clone();
        let mut is_changed = false;
        for write in writes {
            match write {
                Write::Put { key, value, lease } => {
                    let value = String::from_utf8(value.to_vec()).unwrap();
                    state.insert(key.to_string(), (value, revision, *lease));
                    is_changed = true;
                }
                Write::Delete { key } => is_changed |= state.remove(key.as_str()).is_some(),
            }
        }
        if is_changed {
            self.states.insert(revision, state);
        }
        Ok(StoreRevision(self.newest()))
    }

    fn end(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
        self.ended.push(lease);
        let mut state = self.state().clone();
        state.retain(|_, (_, _, of)| *of != Some(lease));
        if state.len() < self.state().len() {
            self.states.insert(self.newest() + 1, state);
        }
    }

    fn pass(&mut self, secs: u64) {
        self.now += secs;
        let over = self.leases.iter().filter(|(_, (ends, _))| *ends <= self.now);
        let over: Vec<_> = over.map(|(lease, _)| *lease).collect();
        over.into_iter().for_each(|lease| self.end(lease));
    }

    /// What a watch tells of one revision: keys with their new values, `None` for deleted ones.
    fn changes(&self, revision: u64, prefix: &str) -> BTreeMap<String, Option<String>> {
        let (before, after) = (&self.states[&(revision - 1)], &self.states[&revision]);
        let put = after.iter().filter(|(_, (_, at, _))| *at == revision);
        let put = put.map(|(key, (value, ..))| (key.clone(), Some(value.clone())));
        let deleted = before.keys().filter(|key| !after.contains_key(*key));
        let deleted = deleted.map(|key| (key.clone(), None));
        put.chain(deleted).filter(|(key, _)| key.starts_with(prefix)).collect()
    }
}

impl Run {
    async fn new(seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        let model = Model { states: BTreeMap::from([(0, State::new())]), ..Model::default() };
        let (clock, folder) = (ModelClock::default(), tempfile::tempdir().unwrap());
        let store = open(&folder, &clock).await;
        Self { random, model, clock, folder, store }
    }

    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..50 => self.commit().await,
            50..70 => self.page().await,
            70..80 => self.watch().await,
            80..88 => self.lease().await,
            88..93 => self.pass().await,
            93..97 => self.compact().await,
            _ => self.restart().await,
        }
        let key = self.key();
        let want = self.model.state().get(key.as_str()).cloned();
        let item = self.store.get(&key).await.unwrap();
        assert_eq!(
            item.as_ref().map(told),
            want.map(|(value, at, _)| (key.to_string(), value, at))
        );
    }

    fn key(&mut self) -> StoreKey {
        let tree = ["m/a", "m/b", "m/b/1", "m/b/10", "n"][self.random.random_range(0..5)];
        format!("{tree}/{}", self.random.random_range(0..4)).parse().unwrap()
    }

    /// Known ones mostly, and some that are too old or never were.
    fn revision(&mut self) -> u64 {
        let oldest = self.model.oldest();
        self.random.random_range(oldest.saturating_sub(2)..=self.model.newest() + 2)
    }

    fn lease_id(&mut self) -> LeaseId {
        let known: Vec<_> = self.model.leases.keys().chain(&self.model.ended).copied().collect();
        if known.is_empty() {
            return LeaseId(99);
        }
        known[self.random.random_range(0..known.len())]
    }

    async fn commit(&mut self) {
        let mut guards: BTreeMap<StoreKey, Guard> = BTreeMap::new();
        for _ in 0..self.random.random_range(0..3) {
            let key = self.key();
            let held = self.model.state().get(key.as_str()).map(|(_, revision, _)| *revision);
            let is_true = self.random.random_bool(0.9);
            let guard = match held.filter(|_| is_true) {
                Some(revision) => Guard::Unchanged(key.clone(), StoreRevision(revision)),
                None => Guard::Absent(key.clone()),
            };
            guards.insert(key, guard);
        }
        let mut writes: BTreeMap<StoreKey, Write> = BTreeMap::new();
        for _ in 0..self.random.random_range(1..6) {
            let key = self.key();
            let value = self.random.random_range(0..1000).to_string();
            let write = match self.random.random_range(0..10) {
                0..3 => Write::Delete { key: key.clone() },
                3..5 => {
                    let lease = Some(self.lease_id());
                    Write::Put { key: key.clone(), value: value.into(), lease }
                }
                _ => Write::put(key.clone(), value),
            };
            writes.insert(key, write);
        }
        let guards: Vec<_> = guards.into_values().collect();
        let writes: Vec<_> = writes.into_values().collect();
        let want = self.model.commit(&guards, &writes);
        assert_eq!(self.store.commit(Commit::new(guards, writes).unwrap()).await, want);
    }

    /// All pages of one revision.
    async fn page(&mut self) {
        let prefix = PREFIXES[self.random.random_range(0..PREFIXES.len())];
        let limit = self.random.random_range(1..8);
        let mut of = PageOf::prefix(prefix.parse().unwrap()).limit(limit);
        let mut at = self.model.newest();
        if self.random.random_bool(0.7) {
            at = self.revision();
            of = of.at(StoreRevision(at));
        }
        let after = self.random.random_bool(0.3).then(|| self.key());
        if let Some(after) = &after {
            of = of.after(after.clone());
        }
        if let Some(why) = self.model.unknown(at) {
            assert_eq!(self.store.page(&of).await, Err(why));
            return;
        }
        let is_asked = |key: &str| {
            key.starts_with(prefix) && after.as_ref().is_none_or(|after| after.as_str() < key)
        };
        let want = self.model.states[&at].iter().filter(|(key, _)| is_asked(key));
        let want: Vec<_> =
            want.map(|(key, (value, at, _))| (key.clone(), value.clone(), *at)).collect();
        let mut found = Vec::new();
        loop {
            let page = self.store.page(&of).await.unwrap();
            assert!(page.at == StoreRevision(at) && page.items.len() <= limit);
            let next = of.next(&page);
            assert_eq!(next.is_some(), page.more);
            found.extend(page.items.iter().map(told));
            match next {
                Some(next) => of = next,
                None => break,
            }
        }
        assert_eq!(found, want);
    }

    /// From some revision up to now.
    async fn watch(&mut self) {
        let prefix = PREFIXES[self.random.random_range(0..PREFIXES.len())];
        let after = self.revision();
        let began = self.store.watch(&prefix.parse().unwrap(), StoreRevision(after)).await;
        if let Some(why) = self.model.unknown(after) {
            assert_eq!(began.err(), Some(why));
            return;
        }
        let mut watch = began.unwrap();
        for revision in after + 1..=self.model.newest() {
            let want = self.model.changes(revision, prefix);
            if want.is_empty() {
                continue;
            }
            let changed = watch.next().await.unwrap();
            assert_eq!(changed.revision, StoreRevision(revision));
            let is_in_order = changed.changes.is_sorted_by(|one, two| one.key() < two.key());
            assert!(is_in_order, "{changed:?}");
            let found = changed.changes.into_iter().map(|change| match change {
                Change::Put { key, value } => {
                    (key.to_string(), Some(String::from_utf8(value.to_vec()).unwrap()))
                }
                Change::Deleted { key } => (key.to_string(), None),
            });
            assert_eq!(found.collect::<BTreeMap<_, _>>(), want);
        }
    }

    async fn lease(&mut self) {
        let lease = self.lease_id();
        match self.random.random_range(0..4) {
            0 => {
                let want = if self.model.leases.contains_key(&lease) {
                    self.model.end(lease);
                    Ok(())
                } else {
                    Err(StoreError::LeaseEnded { lease })
                };
                assert_eq!(self.store.revoke(lease).await, want);
            }
            1 => {
                let now = self.model.now;
                let want = match self.model.leases.get_mut(&lease) {
                    Some((ends, life)) => {
                        *ends = now + *life;
                        Ok(())
                    }
                    None => Err(StoreError::LeaseEnded { lease }),
                };
                assert_eq!(self.store.keep(lease).await, want);
            }
            _ => {
                let life = self.random.random_range(2..20);
                let asked = LeaseLife::new(Duration::from_secs(life)).unwrap();
                let lease = self.store.grant(asked).await.unwrap();
                assert!(!self.model.leases.contains_key(&lease));
                assert!(!self.model.ended.contains(&lease));
                self.model.leases.insert(lease, (self.model.now + life, life));
            }
        }
    }

    async fn pass(&mut self) {
        let secs = self.random.random_range(1..8);
        self.clock.0.fetch_add(secs, Ordering::SeqCst);
        self.model.pass(secs);
        // The writer ends what is over before it does what it is asked.
        let nothing = vec![Write::Delete { key: "none".parse().unwrap() }];
        let at = self.store.commit(Commit::new(vec![], nothing).unwrap()).await.unwrap();
        assert_eq!(at, StoreRevision(self.model.newest()));
    }

    async fn compact(&mut self) {
        let before = self.revision();
        let want = match self.model.unknown(before) {
            Some(why @ StoreError::Ahead { .. }) => Err(why),
            _ => Ok(()),
        };
        if want.is_ok() {
            self.model.states.retain(|revision, _| before <= *revision);
        }
        assert_eq!(self.store.compact(StoreRevision(before)).await, want);
    }

    /// The store gives all leases their full life again.
    async fn restart(&mut self) {
        self.store.close().await;
        self.store = open(&self.folder, &self.clock).await;
        let now = self.model.now;
        for (ends, life) in self.model.leases.values_mut() {
            *ends = now + *life;
        }
    }
}

async fn open(folder: &TempDir, clock: &ModelClock) -> Embedded {
    let file = folder.path().join("registry");
    Embedded::open(&file, Arc::new(clock.clone())).await.unwrap()
}

fn told(item: &Item) -> (String, String, u64) {
    let value = String::from_utf8(item.value.to_vec()).unwrap();
    (item.key.to_string(), value, item.revision.0)
}
