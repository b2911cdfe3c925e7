//! A nation whose processes run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::layout::{Layout, NodeLayout};
use crate::process::{Process, ProcessError};

/// All processes of one nation. Dropping it ends them.
#[derive(Debug)]
pub struct Running {
    pub layout: Layout,
    bins: PathBuf,
    processes: Vec<Process>,
}

/// What a program printed.
#[derive(Clone, Debug)]
pub struct Printed {
    pub success: bool,
    pub out: String,
    pub err: String,
}

/// A nation that does not come up.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("the nation was not ready within {limit:?}:\n{status}")]
    NotReady { limit: Duration, status: String },
    #[error("{} cannot be run", path.display())]
    Hubctl { path: PathBuf, source: std::io::Error },
    #[error("no node is called {0}")]
    NoNode(String),
}

impl Running {
    /// Starts everything of `layout` with the programs in `bins`.
    pub fn start(layout: Layout, bins: &Path) -> Result<Self, RunError> {
        let mut running = Self { layout, bins: bins.into(), processes: Vec::new() };
        for (sample, address) in running.layout.samples.clone() {
            let name = sample.program();
            let database = running.layout.dir.join(format!("{name}.sqlite"));
            let log = running.layout.dir.join(format!("{name}.log"));
            let (listen, database) = (address.to_string(), database.display().to_string());
            let args = ["--register", "civil", "--listen", &listen, "--database", &database];
            running.processes.push(Process::start(name, &bins.join(name), &args, &log)?);
        }
        for node in running.layout.nodes.clone() {
            running.start_node(&node)?;
        }
        Ok(running)
    }

    fn start_node(&mut self, node: &NodeLayout) -> Result<(), RunError> {
        let config = node.config.display().to_string();
        let program = self.bins.join(node.program);
        let args = ["--config", &config];
        let name = node.name.to_string();
        self.processes.push(Process::start(&name, &program, &args, &node.log)?);
        Ok(())
    }

    /// Starts a node again that was ended.
    pub fn restart(&mut self, name: &str) -> Result<(), RunError> {
        let node = self.layout.node(name).cloned();
        let node = node.ok_or_else(|| RunError::NoNode(name.into()))?;
        self.processes.retain(|process| process.name() != name);
        self.start_node(&node)
    }

    /// The process of a node or a sample program.
    pub fn process(&mut self, name: &str) -> Result<&mut Process, RunError> {
        let found = self.processes.iter_mut().find(|process| process.name() == name);
        found.ok_or_else(|| RunError::NoNode(name.into()))
    }

    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter()
    }

    /// Waits until every node says that it is ready.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<(), RunError> {
        let began = Instant::now();
        loop {
            for process in &mut self.processes {
                process.check()?;
            }
            if self.hubctl(&["status", "-o", "json"])?.success {
                return Ok(());
            }
            if limit <= began.elapsed() {
                let Printed { out, err, .. } = self.hubctl(&["status"])?;
                return Err(RunError::NotReady { limit, status: out + &err });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs `hubctl` with `args`.
    pub fn hubctl(&self, args: &[&str]) -> Result<Printed, RunError> {
        let path = self.bins.join("hubctl");
        let output = Command::new(&path)
            .arg("--config")
            .arg(&self.layout.hubctl_config)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| RunError::Hubctl { path, source })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Ok(Printed { success: output.status.success(), out, err })
    }

    /// Asks every process to leave, agents first, and waits for each at most `limit`. The names of
    /// those that did not leave in order.
    pub fn stop(mut self, limit: Duration) -> Vec<String> {
        let mut unruly = Vec::new();
        for process in self.processes.iter_mut().rev() {
            process.ask_to_stop();
            let status = process.wait(limit);
            if !status.is_some_and(crate::process::left_in_order) {
                unruly.push(process.name().to_owned());
            }
        }
        unruly
    }
}
