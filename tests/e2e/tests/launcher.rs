//! The launcher as a program among others: however it is ended, its nation ends with it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use e2e::bed::bins;
use nation::identity::Identity;
use tempfile::TempDir;

/// Bounds a wait for what must come; it only ends a test that hangs.
const WAIT_MAX: Duration = Duration::from_secs(60);

fn plan() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nation/plans/two-clusters.toml")
}

/// The launcher of the smallest nation, whose folder is in `temporary`.
fn launcher(temporary: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(bins().join("nation"));
    command
        .args(words)
        .arg("--plan")
        .arg(plan())
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Waits until the launcher has told the first word of its story, so that all its processes run.
fn told(child: &mut Child) -> Vec<Identity> {
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("it tells something");
    assert!(line.contains("\"event\":\"start\""), "{line}");
    // Read on, or the launcher would find that nobody listens.
    std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
    ledger(&temporary_of(child.id()))
}

/// Where the folders of the launcher `id` are made, as its environment says.
fn temporary_of(id: u32) -> PathBuf {
    let environment = std::fs::read(format!("/proc/{id}/environ")).expect("it runs");
    let text = String::from_utf8_lossy(&environment).into_owned();
    let temporary = text.split('\0').find_map(|entry| entry.strip_prefix("TMPDIR="));
    Path::new(temporary.expect("it is set")).join(format!("nation-{id}"))
}

/// The processes that a launcher has written down, without itself.
fn ledger(folder: &Path) -> Vec<Identity> {
    let text = std::fs::read_to_string(folder.join("processes")).expect("it is written down");
    let all: Vec<Identity> = text.lines().map(|line| line.parse().expect(line)).collect();
    assert!(7 < all.len(), "{text}");
    all.into_iter().skip(1).collect()
}

fn signal(id: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &id.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// Waits until none of `processes` runs and nothing is in `temporary`.
fn wait_all_gone(processes: &[Identity], temporary: &TempDir) {
    let began = Instant::now();
    let is_empty = || temporary.path().read_dir().expect("it is there").next().is_none();
    while processes.iter().any(Identity::runs) || !is_empty() {
        assert!(began.elapsed() < WAIT_MAX, "left behind: {processes:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn wait(child: &mut Child) -> (ExitStatus, String) {
    let mut err = String::new();
    let mut pipe = child.stderr.take().expect("it is piped");
    pipe.read_to_string(&mut err).expect("it is text");
    (child.wait().expect("it ends"), err)
}

#[test]
fn a_launcher_that_is_killed_leaves_no_process_and_no_key_behind() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let mut child = launcher(&temporary, &["--json"]).spawn().expect("it starts");
    let processes = told(&mut child);
    assert!(processes.iter().all(Identity::runs));
    child.kill().expect("it ran");
    child.wait().expect("it ends");
    wait_all_gone(&processes, &temporary);
}

#[test]
fn a_terminal_that_is_closed_ends_the_nation_in_order() {
    for name in ["HUP", "TERM", "INT"] {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let mut child = launcher(&temporary, &["--json"]).spawn().expect("it starts");
        let processes = told(&mut child);
        // Nobody hears what it says from here on, as when a terminal is gone.
        drop(child.stderr.take());
        signal(child.id(), name);
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{name}");
        // Everything is gone when the launcher is.
        assert!(!processes.iter().any(Identity::runs), "{name}");
        assert!(temporary.path().read_dir().expect("it is there").next().is_none(), "{name}");
    }
}

#[test]
fn asked_to_stop_while_it_comes_up_it_does_so_without_complaint() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let mut child = launcher(&temporary, &[]).spawn().expect("it starts");
    let began = Instant::now();
    let folder = temporary_of(child.id());
    // As soon as the first process is written down, behind the launcher itself.
    let lines = || std::fs::read_to_string(folder.join("processes")).map(|it| it.lines().count());
    while lines().unwrap_or_default() < 2 {
        assert!(began.elapsed() < WAIT_MAX, "nothing is started");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(child.id(), "INT");
    let (status, err) = wait(&mut child);
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(!err.contains("in order"), "{err}");
}

#[test]
fn whoever_reads_one_line_has_had_enough_and_a_full_disk_is_a_failure() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let mut child = launcher(&temporary, &["--json"]).spawn().expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    out.read_line(&mut line).expect("it tells something");
    drop(out);
    let (status, err) = wait(&mut child);
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    wait_all_gone(&[], &temporary);

    let full = File::options().write(true).open("/dev/full").expect("the system has one");
    let mut command = launcher(&temporary, &["--once"]);
    let mut child = command.stdout(full).spawn().expect("it starts");
    let (status, err) = wait(&mut child);
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains("what is told cannot be written: No space left"), "{err}");
    wait_all_gone(&[], &temporary);
}

#[test]
fn what_must_be_changed_first_is_exit_code_2() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let here = temporary.path();
    let file = here.join("file");
    std::fs::write(&file, "").expect("it is written");
    let run = |words: &[&str]| {
        let mut command = Command::new(bins().join("nation"));
        command.args(words).current_dir(here).env("TMPDIR", here).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {err}");
        err
    };
    let plan = plan().display().to_string();
    let cases: [(&[&str], &str); 5] = [
        (&[], "is not here; run this in the root of the repository, or name a plan with --plan"),
        (&["--plan", "none.toml"], "none.toml: cannot be read: No such file"),
        (&["--plan", &plan, "--keep", "file"], "file: is a file, choose a directory"),
        (&["--plan", &plan, "--keep", "."], ".: is not empty, choose another directory"),
        (&["--plan", &plan, "--bins", "/nope"], "/nope: is no directory; say with --bins"),
    ];
    for (words, want) in cases {
        let err = run(words);
        assert!(err.contains(want), "{words:?}: {err}");
    }
}
