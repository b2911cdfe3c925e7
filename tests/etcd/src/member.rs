//! One etcd process: how it is started, asked for its state, and ended.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Setting;
use crate::pki::Pki;

/// Another etcd than the one on the path, to try a version that the system does not have.
const PROGRAM_VARIABLE: &str = "MESH_TEST_ETCD";

const REMEDY: &str = "etcd cannot be started; `cargo xtask setup` installs it, \
    as `apt-get install etcd-server` would";

/// Three listeners of one member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) client: u16,
    pub(crate) peer: u16,
    /// Health and metrics without TLS, so that this crate needs none.
    pub(crate) plain: u16,
}

/// A member, whether its process runs or not. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Member {
    ports: Ports,
    arguments: Vec<String>,
    data_dir: PathBuf,
    log_file: PathBuf,
    process: Option<Child>,
}

impl Member {
    pub(crate) fn new(index: usize, ports: &[Ports], setting: &Setting, folder: &Path) -> Self {
        let peers = ports.iter().enumerate();
        let peers: Vec<String> =
            peers.map(|(index, ports)| format!("m{index}={}", https(ports.peer))).collect();
        let Ports { client, peer, plain } = ports[index];
        let data_dir = folder.join(format!("m{index}"));
        let options = [
            ("name", format!("m{index}")),
            ("data-dir", data_dir.display().to_string()),
            ("listen-client-urls", https(client)),
            ("advertise-client-urls", https(client)),
            ("listen-peer-urls", https(peer)),
            ("initial-advertise-peer-urls", https(peer)),
            ("initial-cluster", peers.join(",")),
            ("listen-metrics-urls", format!("http://127.0.0.1:{plain}")),
            ("quota-backend-bytes", setting.quota_bytes.to_string()),
            (
                "experimental-watch-progress-notify-interval",
                format!("{}ms", setting.progress_every.as_millis()),
            ),
            ("logger", "zap".to_owned()),
            ("log-outputs", "stderr".to_owned()),
            ("log-level", "warn".to_owned()),
        ];
        Self {
            ports: ports[index],
            arguments: options.iter().map(|(name, value)| format!("--{name}={value}")).collect(),
            data_dir,
            log_file: folder.join(format!("m{index}.log")),
            process: None,
        }
    }

    pub(crate) fn client_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.client).into()
    }

    pub(crate) fn spawn(&mut self, pki: &Pki) -> Result<(), String> {
        assert!(self.process.is_none(), "the member runs already");
        let program = std::env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| "etcd".into());
        let log = File::options().create(true).append(true).open(&self.log_file);
        let log = log.map_err(|why| format!("{}: {why}", self.log_file.display()))?;
        let mut command = Command::new(program);
        command.args(&self.arguments).args(pki.server_arguments());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // etcd 3.4 runs on ARM only where it is told that this is meant.
        command.env("ETCD_UNSUPPORTED_ARCH", "arm64");
        match command.spawn() {
            Ok(process) => self.process = Some(process),
            // A missing program does not come by trying again.
            Err(why) if why.kind() == ErrorKind::NotFound => panic!("{REMEDY}"),
            Err(why) => return Err(format!("{REMEDY}: {why}")),
        }
        Ok(())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Healthy is a member that sees a leader and gets a read through.
    pub(crate) fn wait_until_it_serves(&mut self, until: Instant) -> Result<(), String> {
        loop {
            let process = self.process.as_mut().expect("it was started");
            if let Ok(Some(status)) = process.try_wait() {
                self.process = None;
                return Err(format!("etcd ended with {status}: {}", self.last_words()));
            }
            if self.ask("/health").is_some_and(|answer| answer.contains(r#""health":"true""#)) {
                return Ok(());
            }
            if until < Instant::now() {
                return Err(format!("etcd is not healthy: {}", self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn leads(&self) -> bool {
        let metrics = self.is_running().then(|| self.ask("/metrics")).flatten();
        metrics.is_some_and(|text| text.lines().any(|line| line == "etcd_server_is_leader 1"))
    }

    pub(crate) fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // An error says that it has ended by itself, which is as good.
        let _ended = process.kill();
        let _reaped = process.wait();
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) fn copy_data_to(&self, copy: &Path) {
        assert!(self.process.is_none(), "a running member changes its data");
        copy_folder(&self.data_dir, copy).expect("the data can be copied");
    }

    pub(crate) fn replace_data_by(&self, copy: &Path) {
        assert!(self.process.is_none(), "a running member changes its data");
        fs::remove_dir_all(&self.data_dir).expect("the data is ours");
        copy_folder(copy, &self.data_dir).expect("the copy is whole");
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the member runs");
        let pid = Pid::from_child(process);
        kill_process(pid, signal).expect("a child of ours takes our signals");
    }

    /// One HTTP request to the plain port; `None` while nobody answers.
    fn ask(&self, path: &str) -> Option<String> {
        let wait_max = Some(Duration::from_secs(10));
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.plain)).ok()?;
        stream.set_read_timeout(wait_max).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log_file).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    // etcd refuses a folder that others may read.
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

fn https(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}
