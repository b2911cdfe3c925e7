//! A nation whose processes run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hubctl::ConnectError;
use mesh_core::node::NodeName;
use mesh_rt::config::ConfigError;

use crate::layout::{Layout, NodeLayout, ProgramLayout};
use crate::process::{Process, ProcessError, left_in_order, spawn};

/// All processes of one nation. Dropping it ends them.
#[derive(Debug)]
pub struct Running {
    pub layout: Layout,
    bins: PathBuf,
    pub(crate) processes: Vec<Process>,
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
    #[error("{} is missing; run `cargo build --workspace --bins`", path.display())]
    Missing { path: PathBuf },
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("the nation was not ready within {limit:?}:\n{status}")]
    NotReady { limit: Duration, status: String },
    #[error("{} cannot be run", path.display())]
    Hubctl { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("no runtime for asking the nodes")]
    Runtime(#[source] std::io::Error),
    #[error("no node is called {0}")]
    NoNode(String),
}

impl Running {
    /// Starts everything of `layout` with the programs in `bins`.
    pub fn start(layout: Layout, bins: &Path) -> Result<Self, RunError> {
        let programs = layout.programs.iter().map(|program| program.program);
        let nodes = layout.nodes.iter().map(|node| node.program);
        for program in programs.chain(nodes).chain(["hubctl"]) {
            let path = bins.join(program);
            if !path.is_file() {
                return Err(RunError::Missing { path });
            }
        }
        let mut running = Self { layout, bins: bins.into(), processes: Vec::new() };
        for program in running.layout.programs.clone() {
            running.start_program(&program)?;
        }
        for node in running.layout.nodes.clone() {
            running.start_node(&node)?;
        }
        Ok(running)
    }

    fn start_node(&mut self, node: &NodeLayout) -> Result<(), RunError> {
        let program = self.bins.join(node.program);
        let args = ["--config".into(), node.config.display().to_string()];
        let name = node.name.to_string();
        self.processes.push(Process::start(&name, &program, &args, &node.log)?);
        Ok(())
    }

    fn start_program(&mut self, program: &ProgramLayout) -> Result<(), RunError> {
        let path = self.bins.join(program.program);
        let (name, args) = (program.name.as_str(), &program.args);
        self.processes.push(Process::start(name, &path, args, &program.log)?);
        Ok(())
    }

    /// Starts a node or a program again that was ended.
    pub fn restart(&mut self, name: &str) -> Result<(), RunError> {
        let node = self.layout.node(name).cloned();
        let mut programs = self.layout.programs.iter();
        let program = programs.find(|program| program.name.as_str() == name).cloned();
        self.processes.retain(|process| process.name() != name);
        match (node, program) {
            (Some(node), _) => self.start_node(&node),
            (None, Some(program)) => self.start_program(&program),
            (None, None) => Err(RunError::NoNode(name.into())),
        }
    }

    /// Processes that have ended by themselves or were killed: the name of each, and how it ended.
    pub fn ended(&mut self) -> Vec<(String, ProcessError)> {
        let ended = self.processes.iter_mut().filter_map(|process| {
            let name = process.name().to_owned();
            process.check().err().map(|how| (name, how))
        });
        ended.collect()
    }

    /// Holds processes that have ended no longer, so that nobody waits for them to leave in order.
    pub fn leave_out_ended(&mut self) {
        self.processes.retain_mut(|process| process.check().is_ok());
    }

    /// The process of a node or a program.
    pub fn process(&mut self, name: &str) -> Result<&mut Process, RunError> {
        let found = self.processes.iter_mut().find(|process| process.name() == name);
        found.ok_or_else(|| RunError::NoNode(name.into()))
    }

    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter()
    }

    /// Where the program `hubctl` is.
    pub fn hubctl_program(&self) -> PathBuf {
        self.bins.join("hubctl")
    }

    /// Runs `hubctl` with `args`.
    pub fn hubctl(&self, args: &[&str]) -> Result<Printed, RunError> {
        let path = self.hubctl_program();
        let mut command = Command::new(&path);
        command
            .arg("--config")
            .arg(&self.layout.hubctl_config)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = spawn(&mut command)
            .and_then(Child::wait_with_output)
            .map_err(|source| RunError::Hubctl { path, source })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Ok(Printed { success: output.status.success(), out, err })
    }

    /// Asks every process to leave, agents first, and waits for each at most `limit`. The names of
    /// those that did not leave in order.
    pub fn stop(mut self, limit: Duration) -> Vec<String> {
        let place = |layout: &Layout, name: &str| match layout.node(name).map(|node| &node.name) {
            Some(NodeName::Agent { .. } | NodeName::Operator(_)) => 0,
            Some(NodeName::Hub(_)) => 1,
            Some(NodeName::Centre) => 2,
            None => 3,
        };
        let mut unruly = Vec::new();
        for step in 0..=3 {
            let layout = &self.layout;
            let leaves = |process: &&mut Process| place(layout, process.name()) == step;
            for process in self.processes.iter_mut().filter(leaves) {
                process.ask_to_stop();
            }
            for process in self.processes.iter_mut().filter(leaves) {
                if !process.wait(limit).is_some_and(left_in_order) {
                    unruly.push(process.name().to_owned());
                }
            }
        }
        unruly
    }
}
