//! `hubctl top` against admin ports that are served here: in pipes, and on a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mesh_proto::wire::admin::v1::{
    Counters, LaneState, Neighbour, Side, StatusResponse, TopologyResponse,
};
use mesh_rt::admin::{AdminBound, AdminPort, NodeView};
use mesh_rt::readiness::Readiness;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::net::TcpListener;

const PORTAL: &str = "portal.citizens.gov.edge";
const PLOTS: &str = "plots.land.gov.edge";

/// An agent that answers a hundred exchanges whenever somebody asks.
struct Busy {
    answered: AtomicU64,
}

impl NodeView for Busy {
    fn status(&self) -> StatusResponse {
        let answered = self.answered.fetch_add(100, Ordering::SeqCst);
        let mut answered_by_latency = vec![0; 82];
        answered_by_latency[16] = answered;
        let counters = Counters {
            exchanges_opened: answered + 1,
            exchanges_answered: answered,
            exchanges_in_flight: 1,
            answered_by_latency,
            ..Counters::default()
        };
        StatusResponse {
            node: format!("{PORTAL}.mesh.ir"),
            ready: true,
            counters: Some(counters),
            resident_bytes: 21 << 20,
            ..StatusResponse::default()
        }
    }

    fn topology(&self) -> TopologyResponse {
        let lane = |lane: &str| LaneState { lane: lane.into(), ..LaneState::default() };
        let centre = Neighbour {
            node: "hub.centre.mesh.ir".into(),
            side: Side::Upper.into(),
            lanes: vec![lane("quick"), lane("bulk")],
            software: String::new(),
        };
        TopologyResponse { node: format!("{PORTAL}.mesh.ir"), neighbours: vec![centre] }
    }
}

/// One agent that answers, and one that takes connections and says nothing.
struct Nation {
    folder: tempfile::TempDir,
    _mute: TcpListener,
}

impl Nation {
    async fn start() -> Self {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let bound = AdminBound::bind(loopback).await.unwrap();
        let portal = bound.local_addr();
        let (hop, view) = (PORTAL.parse().unwrap(), Arc::new(Busy { answered: 0.into() }));
        let readiness = Readiness::default();
        let port = AdminPort {
            hop,
            view,
            readiness,
            services: Vec::new(),
            admits: None,
            catalogue: None,
            registry: None,
        };
        tokio::spawn(
            async move { port.serve(bound.into_incoming(), std::future::pending()).await },
        );
        let mute = TcpListener::bind(loopback).await.unwrap();
        let plots = mute.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut text = "[mesh]\nid = \"ir\"\ndomain = \"mesh.ir\"\n".to_owned();
        for (name, address) in [(PORTAL, portal), (PLOTS, plots)] {
            text += &format!("[[nodes]]\nname = \"{name}\"\naddress = \"{address}\"\n");
        }
        std::fs::write(folder.path().join("hubctl.toml"), text).unwrap();
        Self { folder, _mute: mute }
    }

    fn config_file(&self) -> PathBuf {
        self.folder.path().join("hubctl.toml")
    }
}

fn command(config: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubctl"));
    command.arg("--config").arg(config).arg("top").args(words);
    command
}

/// Reads what comes of `words` until each of `wanted` is true of a line, then ends the program. On
/// a thread of its own, so that the ports here go on answering.
async fn read_until(nation: &Nation, words: &[&str], wanted: Vec<fn(&str) -> bool>) {
    let mut command = command(&nation.config_file(), words);
    let read = move || {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut open, mut seen) = (wanted, Vec::new());
        while !open.is_empty() {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {seen:#?}")).unwrap();
            open.retain(|is_wanted| !is_wanted(&line));
            seen.push(line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    };
    tokio::task::spawn_blocking(read).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_follows_the_other() {
    let nation = Nation::start().await;
    let mut command = command(&nation.config_file(), &["--count", "2"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().filter(|line| line.starts_with("NODE ")).count(), 2, "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_holds_up_nobody() {
    let nation = Nation::start().await;
    let busy = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The middle of the bucket of a millisecond, and the memory.
        let measured = ["0.96", "0.96", "0.96", "21"];
        words.get(1..5) == Some(&[PORTAL, "ready", "1/1", "1"]) && words[5..].ends_with(&measured)
    };
    let silent = |line: &str| line.starts_with(&format!("{PLOTS}  no answer yet"));
    let given_up = |line: &str| line.contains("gave no answer within 5000 ms; check that the node");
    read_until(&nation, &[], vec![busy, silent, given_up]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_an_object_for_each_sample_and_node() {
    let nation = Nation::start().await;
    let busy = |line: &str| {
        let entry = read(line);
        let answered = entry["exchanges_answered"].as_u64();
        let percentiles = ["p50_us", "p95_us", "p99_us"].map(|name| entry[name].as_u64());
        entry["node"] == PORTAL && answered == Some(100) && percentiles == [Some(960); 3]
    };
    let silent = |line: &str| {
        let entry = read(line);
        entry["node"] == PLOTS && entry["state"] == "unreachable" && entry["p50_us"].is_null()
    };
    read_until(&nation, &["-o", "json"], vec![busy, silent]).await;
}

fn read(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn bounds_are_kept() {
    for words in [["--interval", "0"], ["--interval", "61"], ["--count", "0"]] {
        let output = command(Path::new("hubctl.toml"), &words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

/// A terminal of 100 columns and 24 lines, seen from outside.
struct Terminal {
    outside: File,
    modes_before: LocalModes,
    seen: String,
}

impl Terminal {
    /// Starts `command` on a new terminal, which closes when the program ends.
    fn start(mut command: Command) -> (Self, Child) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let outside = openpt(flags).unwrap();
        grantpt(&outside).unwrap();
        unlockpt(&outside).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&outside, size).unwrap();
        let modes_before = tcgetattr(&outside).unwrap().local_modes;
        let inside = File::from(ioctl_tiocgptpeer(&outside, flags).unwrap());
        command.stdin(inside.try_clone().unwrap()).stdout(inside.try_clone().unwrap());
        let child = command.stderr(inside).spawn().unwrap();
        (Self { outside: File::from(outside), modes_before, seen: String::new() }, child)
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.outside).unwrap().local_modes
    }

    /// Reads on until `want` has been drawn.
    fn wait_for(&mut self, want: &str) {
        while !self.seen.contains(want) {
            assert!(self.read(), "the program ended without {want:?}: {:?}", self.seen);
        }
    }

    /// Reads what comes; false when the program has ended.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let count = self.outside.read(&mut bytes).unwrap_or_default();
        self.seen += &String::from_utf8_lossy(&bytes[..count]);
        0 < count
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Key(u8),
    Signal(Signal),
}

/// One session: waits until both sections are drawn, ends it, and looks at what is left.
fn session(config: &Path, end: End) {
    let (mut terminal, mut child) = Terminal::start(command(config, &[]));
    terminal.wait_for("NOT AS IT SHOULD BE");
    terminal.wait_for(PLOTS);
    assert!(!terminal.modes().intersects(LocalModes::ICANON | LocalModes::ECHO));
    match end {
        End::Key(key) => terminal.outside.write_all(&[key]).unwrap(),
        End::Signal(signal) => {
            let id = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            kill_process(id, signal).unwrap();
        }
    }
    while terminal.read() {}
    let seen = &terminal.seen;
    assert_eq!(child.wait().unwrap().code(), Some(0), "{end:?}: {seen:?}");
    assert_eq!(terminal.modes(), terminal.modes_before, "{end:?}");
    assert!(seen.starts_with("\x1b[?1049h\x1b[?25l"), "{end:?}: {seen:?}");
    assert!(seen.ends_with("\x1b[?25h\x1b[?1049l"), "{end:?}: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn draws_on_a_terminal_and_gives_it_back_in_the_end() {
    const CTRL_C: u8 = 3;
    let nation = Nation::start().await;
    let config = nation.config_file();
    let signals = [Signal::INT, Signal::TERM, Signal::HUP].map(End::Signal);
    let ends = [End::Key(b'q'), End::Key(CTRL_C)].into_iter().chain(signals);
    for end in ends {
        let config = config.clone();
        tokio::task::spawn_blocking(move || session(&config, end)).await.unwrap();
    }
}
