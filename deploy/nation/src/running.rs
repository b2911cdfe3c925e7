//! A nation whose processes run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hubctl::ConnectError;
use mesh_core::node::NodeName;
use mesh_rt::config::ConfigError;

use crate::guard::Guard;
use crate::layout::{Layout, NodeLayout, ProgramLayout};
use crate::process::{Process, ProcessError, left_as_asked, left_in_order, spawn};
use crate::remains::Ledger;

/// All processes of one nation. Dropping it ends them.
#[derive(Debug)]
pub struct Running {
    pub layout: Layout,
    bins: PathBuf,
    pub(crate) processes: Vec<Process>,
    /// Where to write down what is started.
    ledger: Option<Ledger>,
    /// Every process was ready once, so that each knows how to leave.
    pub(crate) came_up: bool,
    /// Goes last: until then it watches.
    guard: Option<Guard>,
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
    #[error("no guard can be started, which would clear up if this process is killed")]
    Guard(#[source] std::io::Error),
    #[error("what is started cannot be written down")]
    Ledger(#[source] std::io::Error),
    #[error("{}: is no directory; say with --bins where the programs are", path.display())]
    NoBins { path: PathBuf },
}

impl Running {
    /// Starts everything of `layout` with the programs in `bins`.
    pub fn start(layout: Layout, bins: &Path) -> Result<Self, RunError> {
        Self::start_noting(layout, bins, None)
    }

    /// As [`Self::start`], and should this process be killed, a guard ends all others and removes
    /// the layout's folder. It is the launcher's own program, in `bins` too.
    pub fn start_guarded(layout: Layout, bins: &Path) -> Result<Self, RunError> {
        let ledger = Ledger::create(&layout.dir).map_err(RunError::Ledger)?;
        let guard = Guard::start(&bins.join("nation"), &layout.dir, false);
        let guard = guard.map_err(RunError::Guard)?;
        let mut running = Self::start_noting(layout, bins, Some(ledger))?;
        running.guard = Some(guard);
        Ok(running)
    }

    /// As [`Self::start`], and writes each process down in `ledger`.
    pub(crate) fn start_noting(
        layout: Layout,
        bins: &Path,
        ledger: Option<Ledger>,
    ) -> Result<Self, RunError> {
        if !bins.is_dir() {
            return Err(RunError::NoBins { path: bins.into() });
        }
        let programs = layout.programs.iter().map(|program| program.program);
        let nodes = layout.nodes.iter().map(|node| node.program);
        for program in programs.chain(nodes).chain(["hubctl"]) {
            let path = bins.join(program);
            if !path.is_file() {
                return Err(RunError::Missing { path });
            }
        }
        let (bins, processes) = (bins.into(), Vec::new());
        let mut running = Self { layout, bins, processes, ledger, came_up: false, guard: None };
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
        self.hold(Process::start(&name, &program, &args, &node.log)?)
    }

    fn start_program(&mut self, program: &ProgramLayout) -> Result<(), RunError> {
        let path = self.bins.join(program.program);
        let (name, args) = (program.name.as_str(), &program.args);
        self.hold(Process::start(name, &path, args, &program.log)?)
    }

    fn hold(&mut self, process: Process) -> Result<(), RunError> {
        let id = process.id();
        self.processes.push(process);
        let noted = self.ledger.as_mut().map_or(Ok(()), |ledger| ledger.add(id));
        noted.map_err(RunError::Ledger)
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
    /// those that did not leave in order. One that had not come up yet may not have listened, and
    /// was then ended by the signal itself.
    pub fn stop(mut self, limit: Duration) -> Vec<String> {
        let place = |layout: &Layout, name: &str| match layout.node(name).map(|node| &node.name) {
            Some(NodeName::Agent { .. } | NodeName::Operator(_)) => 0,
            Some(NodeName::Hub(_)) => 1,
            Some(NodeName::Centre) => 2,
            None => 3,
        };
        let in_order = if self.came_up { left_in_order } else { left_as_asked };
        let mut unruly = Vec::new();
        for step in 0..=3 {
            let layout = &self.layout;
            let leaves = |process: &&mut Process| place(layout, process.name()) == step;
            for process in self.processes.iter_mut().filter(leaves) {
                process.ask_to_stop();
            }
            for process in self.processes.iter_mut().filter(leaves) {
                if !process.wait(limit).is_some_and(in_order) {
                    unruly.push(process.name().to_owned());
                }
            }
        }
        unruly
    }
}
