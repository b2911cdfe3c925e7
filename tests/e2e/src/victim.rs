//! A second process of a node, with its certificate and what the first one was told, that dials
//! where a test wants it to. The nation itself goes on undisturbed.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nation::process::Process;
use serde_json::Value;

use crate::bed::{Bed, bins};

/// How long it may take to come to what a test waits for. It only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct Victim {
    process: Process,
    node: String,
    hubctl: PathBuf,
    hubctl_config: PathBuf,
    pub log: PathBuf,
    pub state: PathBuf,
}

impl Victim {
    /// Copies what `node` has on disk to `name` below the test's folder, lets `spoil` change it,
    /// and starts the node there, to dial `upper`, with more `swaps` in its configuration.
    pub fn start(
        bed: &Bed,
        (node, name): (&str, &str),
        upper: SocketAddr,
        swaps: &[(String, String)],
        spoil: impl FnOnce(&Path),
    ) -> Self {
        let node = bed.node(node);
        let dir = bed.scratch().join(name);
        let state = dir.join("state");
        std::fs::create_dir_all(&state).expect("a folder");
        for file in std::fs::read_dir(&node.state).expect("the hub's state") {
            let file = file.expect("a file").path();
            let name = file.file_name().expect("a name");
            std::fs::copy(&file, state.join(name)).expect("copied");
        }
        spoil(&state);
        let admin = free_port();
        let text = std::fs::read_to_string(&node.config).expect("its configuration");
        let address = text.lines().find(|line| line.starts_with("address = "));
        let address = address.expect("it dials somebody").to_owned();
        let mut swapped = vec![
            (address, format!("address = \"{upper}\"")),
            (format!("listen = \"{}\"", node.admin), format!("listen = \"{admin}\"")),
            (format!("{:?}", node.state), format!("{state:?}")),
        ];
        if let Some(mesh) = node.mesh {
            swapped.push((format!("mesh = \"{mesh}\""), "mesh = \"127.0.0.1:0\"".into()));
        }
        swapped.extend_from_slice(swaps);
        let config = dir.join("node.toml");
        write(&config, &swap(text, &swapped));
        let text = std::fs::read_to_string(&bed.nation.layout.hubctl_config).expect("it is there");
        let hubctl_config = dir.join("hubctl.toml");
        let swapped = [(format!("\"{}\"", node.admin), format!("\"{admin}\""))];
        write(&hubctl_config, &swap(text, &swapped));
        let log = dir.join("log");
        let args = ["--config".to_owned(), config.display().to_string()];
        let process = Process::start(name, &bins().join(node.program), &args, &log);
        let process = process.expect("it starts");
        let hubctl = bed.nation.hubctl_program();
        let node = node.name.to_string();
        Self { process, node, hubctl, hubctl_config, log, state }
    }

    /// Its row of `hubctl status`; `None` while it does not answer.
    pub fn status(&self) -> Option<Value> {
        let output = std::process::Command::new(&self.hubctl)
            .arg("--config")
            .arg(&self.hubctl_config)
            .args(["--node", &self.node, "status", "-o", "json"])
            .output()
            .expect("hubctl runs");
        let mut rows: Vec<Value> = serde_json::from_slice(&output.stdout).ok()?;
        rows.pop().filter(|row| row["state"] != "unreachable")
    }

    /// Waits until its status is as `wanted`, and gives it.
    pub async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let status = tokio::task::block_in_place(|| self.status());
            if let Some(status) = status.as_ref().filter(|status| wanted(status)) {
                return status.clone();
            }
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{status:?} is not as it should be:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has refused something, and tells why.
    pub async fn refusal(&self) -> String {
        let status = self.until(|status| status["following"]["last_refusal"].is_string()).await;
        status["following"]["last_refusal"].as_str().unwrap_or_default().to_owned()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn swap(mut text: String, swapped: &[(String, String)]) -> String {
    for (from, to) in swapped {
        assert!(text.contains(from.as_str()), "{from} is not in:\n{text}");
        text = text.replace(from, to);
    }
    text
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}

/// A port that is free now. The victim names it in no other way than its configuration.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
