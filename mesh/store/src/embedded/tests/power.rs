//! A power cut keeps what was answered, whatever else of the writes reached the disk.

use std::io::ErrorKind;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::super::{Embedded, SteadyClock};
use super::medium::Medium;
use super::{held, open, put};

const SEEDS: u64 = 40;
const SEEDS_LONG: u64 = 1_000;

#[tokio::test]
async fn a_power_cut_keeps_what_was_answered() {
    let seeds = match std::env::var("MESH_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("MESH_SEED is a number");
            seed..seed + 1
        }
        Err(_) if std::env::var_os("MESH_LONG").is_some() => 0..SEEDS_LONG,
        Err(_) => 0..SEEDS,
    };
    for seed in seeds {
        println!("MESH_SEED={seed}");
        live_and_be_cut(seed).await;
    }
}

/// Durable for each, and paid for together.
#[tokio::test]
async fn commits_that_wait_together_share_what_it_costs_to_keep_them() {
    const COMMITS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    let medium = Medium::default();
    let disk = medium.disk(&file);
    let store = Embedded::open_disk(disk, Arc::new(SteadyClock::default())).await.unwrap();
    put(&store, "alone").await.unwrap();
    let before = medium.syncs();
    put(&store, "alone again").await.unwrap();
    let alone = medium.syncs() - before;
    let values: Vec<_> = (0..COMMITS).map(|number| number.to_string()).collect();
    let commits = values.iter().map(|value| put(&store, value));
    let revisions = futures_util::future::join_all(commits).await;
    assert!(revisions.is_sorted_by(|one, two| one.as_ref().unwrap() < two.as_ref().unwrap()));
    let together = medium.syncs() - before - alone;
    assert!(together < COMMITS * alone / 4, "{together} syncs, {alone} for one commit");
    assert_eq!(held(&store).await, (COMMITS - 1).to_string());
}

/// Some lives of one store, each ended by a cut in the middle of a commit.
async fn live_and_be_cut(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    let store = open(&file).await.unwrap();
    put(&store, "0").await.unwrap();
    store.close().await;
    let mut last = 0;
    for _ in 0..4 {
        let medium = Medium::default();
        let disk = medium.disk(&file);
        let store = Embedded::open_disk(disk, Arc::new(SteadyClock::default())).await.unwrap();
        for _ in 0..random.random_range(0..6) {
            last += 1;
            put(&store, &last.to_string()).await.unwrap();
        }
        medium.fail_after(random.random_range(0..25), ErrorKind::Other);
        let mut asked = last;
        while asked == last {
            asked += 1;
            if put(&store, &asked.to_string()).await.is_ok() {
                last = asked;
            }
        }
        // What it had not synced is still there for the cut to take: a failing disk syncs nothing.
        store.close().await;
        medium.cut(&file, || random.random());
        let store = open(&file).await.unwrap();
        let found: u64 = held(&store).await.parse().unwrap();
        assert!(
            (last..=asked).contains(&found),
            "{last} was answered, {asked} asked, {found} found"
        );
        last = found;
        store.close().await;
    }
}
