//! A process that is killed in the middle of whatever it does loses no commit that it was answered,
//! and leaves no half of one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mesh_store::{
    Commit, Embedded, Guard, KeyPrefix, PageOf, SteadyClock, Store, StoreError, StoreRevision,
    Write, read_all,
};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

const ROUNDS: usize = 20;
const ROUNDS_LONG: usize = 200;

/// Tasks that commit beside each other, so that commits share transactions.
const WRITERS: usize = 4;

/// Keys that one commit puts, all with one value.
const KEYS: usize = 5;

/// Tells a process of this test which store it is to write to until it is killed.
const FILE: &str = "MESH_STORE_KILLED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_commit_that_was_answered() {
    if let Some(file) = std::env::var_os(FILE) {
        return write_until_killed(&PathBuf::from(file)).await;
    }
    let seed = match std::env::var("MESH_SEED") {
        Ok(seed) => seed.parse().expect("MESH_SEED is a number"),
        Err(_) => SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
    };
    println!("MESH_SEED={seed}");
    let rounds = if std::env::var_os("MESH_LONG").is_some() { ROUNDS_LONG } else { ROUNDS };
    let mut random = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry");
    let mut answered = Vec::new();
    let mut found = [0; WRITERS];
    for round in 0..rounds {
        // Some are killed while they open the file, the very first one while it makes it.
        let answers = if random.random_bool(0.2) { 0 } else { random.random_range(1..400) };
        answered.extend(run_and_kill(&file, answers, &mut random));
        if file.exists() {
            check(&file, &answered, &mut found).await;
        } else {
            assert!(answered.is_empty(), "in round {round}");
        }
    }
    println!("{} commits were answered in {rounds} lives", answered.len());
    assert!(rounds < answered.len(), "the kills came too early to show anything");
}

/// What one commit was answered with.
#[derive(Clone, Copy)]
struct Answered {
    writer: usize,
    number: u64,
    revision: StoreRevision,
}

/// Kills a writing process after so many answers and a moment more. All answers that it had.
fn run_and_kill(file: &Path, answers: usize, random: &mut SmallRng) -> Vec<Answered> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_kill_loses_no_commit_that_was_answered", "--nocapture"]);
    command.env(FILE, file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut writer = Killed(command.spawn().unwrap());
    let output = BufReader::new(writer.0.stdout.take().unwrap());
    let mut lines = output.lines();
    let mut answered = Vec::new();
    while answered.len() < answers {
        let line = lines.next().expect("the writer writes until it is killed").unwrap();
        answered.extend(parse(&line));
    }
    std::thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
    writer.0.kill().unwrap();
    answered.extend(the_rest(lines));
    answered
}

fn the_rest(lines: std::io::Lines<BufReader<ChildStdout>>) -> Vec<Answered> {
    // A last line may be cut off by the kill; then its end is missing, and it is no answer.
    lines.map_while(Result::ok).filter_map(|line| parse(&line)).collect()
}

/// Of a line such as `answered 2 17 45 .`; what the test harness prints is none.
fn parse(line: &str) -> Option<Answered> {
    let (_, line) = line.split_once("answered ")?;
    let parts: Vec<_> = line.split(' ').collect();
    let [writer, number, revision, "."] = parts[..] else { return None };
    let revision = StoreRevision(revision.parse().ok()?);
    Some(Answered { writer: writer.parse().ok()?, number: number.parse().ok()?, revision })
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It is dead already, but for a test that fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `found` are the numbers that the writers had come to before they began to live.
async fn check(file: &Path, answered: &[Answered], found: &mut [u64; WRITERS]) {
    let store = Embedded::open(file, Arc::new(SteadyClock::default())).await.unwrap();
    let (at, items) = read_all(&store, KeyPrefix::all()).await.unwrap();
    for (writer, found) in found.iter_mut().enumerate() {
        let last = answered.iter().rfind(|answer| answer.writer == writer);
        let prefix = format!("k/{writer}/");
        let mine = items.iter().filter(|item| item.key.as_str().starts_with(&prefix));
        let mine: Vec<_> = mine.map(|item| (number(&item.value), item.revision)).collect();
        let Some((number, revision)) = mine.first() else {
            assert!(last.is_none(), "writer {writer} lost all that it was answered");
            continue;
        };
        // One commit put all of them, the last one that was answered or the one after it.
        assert_eq!(mine, vec![(*number, *revision); KEYS], "writer {writer}");
        let least = last.map_or(0, |last| last.number).max(*found);
        assert!((least..=least + 1).contains(number), "writer {writer}: {number}, want {least}");
        *found = *number;
        if let Some(last) = last.filter(|last| last.number == *number) {
            assert_eq!(last.revision, *revision);
        }
    }
    for answer in answered.iter().rev().take(200) {
        let prefix = format!("k/{}/", answer.writer).parse().unwrap();
        let then = match store.page(&PageOf::prefix(prefix).at(answer.revision)).await {
            Err(StoreError::Compacted { .. }) => break,
            then => then.unwrap(),
        };
        let held: Vec<_> = then.items.iter().map(|item| number(&item.value)).collect();
        assert_eq!(held, [answer.number; KEYS], "at {} of {at}", answer.revision);
    }
    store.close().await;
}

fn number(value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).unwrap();
    text.trim_end_matches('x').parse().unwrap()
}

async fn write_until_killed(file: &Path) {
    let store = Embedded::open(file, Arc::new(SteadyClock::default())).await.unwrap();
    let store = Arc::new(store);
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&store), writer))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Counts up from what is there, and compacts now and then.
async fn write(store: Arc<Embedded>, writer: usize) {
    let name = |key: usize| format!("k/{writer}/{key}").parse().unwrap();
    let before = store.get(&name(0)).await.unwrap();
    let mut next = before.as_ref().map_or(1, |item| number(&item.value) + 1);
    let mut guard = match before {
        Some(item) => Guard::Unchanged(name(0), item.revision),
        None => Guard::Absent(name(0)),
    };
    loop {
        let value = format!("{next}{}", "x".repeat(next as usize * 37 % 3000));
        let writes = (0..KEYS).map(|key| Write::put(name(key), value.clone())).collect();
        let commit = Commit::new(vec![guard], writes).unwrap();
        let revision = store.commit(commit).await.unwrap();
        let line = format!("answered {writer} {next} {revision} .\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        guard = Guard::Unchanged(name(0), revision);
        if next.is_multiple_of(50) {
            store.compact(StoreRevision(revision.0.saturating_sub(100))).await.unwrap();
        }
        next += 1;
    }
}
