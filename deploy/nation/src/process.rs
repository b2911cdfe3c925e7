//! One process that the launcher started: its log, its signals, its memory, its end.

use std::fs::{File, OpenOptions};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A child process, ended by its own id when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: PathBuf,
    child: Child,
    log: PathBuf,
}

/// A process that cannot be started or awaited.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("{}: cannot be started; run `cargo build --workspace --bins`", path.display())]
    Start { path: PathBuf, source: std::io::Error },
    #[error("{}: cannot be written", path.display())]
    Log { path: PathBuf, source: std::io::Error },
    #[error("{name} cannot be awaited")]
    Wait { name: String, source: std::io::Error },
    #[error("{name} ended with {status}; {} ends: {last_line}", log.display())]
    Ended { name: String, status: ExitStatus, log: PathBuf, last_line: String },
    #[error("{name} was ended by {status}")]
    Killed { name: String, status: ExitStatus },
}

impl Process {
    /// Starts `program` with `args`; both of its outputs go to the end of `log`.
    pub fn start(
        name: &str,
        program: &Path,
        args: &[String],
        log: &Path,
    ) -> Result<Self, ProcessError> {
        let logs = |source| ProcessError::Log { path: log.into(), source };
        let output: File = OpenOptions::new().create(true).append(true).open(log).map_err(logs)?;
        let errors = output.try_clone().map_err(logs)?;
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C at the terminal is the launcher's business: it ends its children in order.
            .process_group(0);
        let child = spawn(&mut command)
            .map_err(|source| ProcessError::Start { path: program.into(), source })?;
        Ok(Self { name: name.into(), program: program.into(), child, log: log.into() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its program.
    pub fn program(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Refuses a process that has ended by itself, with the last line of its log.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        let (name, log) = (self.name.clone(), self.log.clone());
        match self.child.try_wait() {
            Err(source) => Err(ProcessError::Wait { name, source }),
            Ok(None) => Ok(()),
            // Whoever was killed had no time to say why.
            Ok(Some(status)) if status.signal().is_some() => {
                Err(ProcessError::Killed { name, status })
            }
            Ok(Some(status)) => {
                let last_line = last_line(&log);
                Err(ProcessError::Ended { name, status, log, last_line })
            }
        }
    }

    /// Ends the process as a crash would: SIGKILL.
    pub fn kill(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it for now, as a machine that hangs: SIGSTOP.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Goes on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks the process to leave: SIGTERM.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end; `None` when it has not ended within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if limit <= began.elapsed() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resident memory now and at its peak, in KiB, as the kernel counts it.
    pub fn memory_kib(&self) -> Option<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").trim().parse().ok()
        };
        Some((field("VmRSS:")?, field("VmHWM:")?))
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        // The child is not reaped yet, so the id is still its own.
        if let Some(id) = id {
            let _ = kill_process(id, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A child has copies of our sockets from its birth until it becomes its program. Who gives a port
/// back must wait for that, or the port stays taken by a stranger: hence one at a time.
static BIRTH: Mutex<()> = Mutex::new(());

/// Starts `command`; returns when the child is its program, and has our sockets no longer.
pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    between_births(|| command.spawn())
}

/// Does `act` while no child is being born.
pub(crate) fn between_births<T>(act: impl FnOnce() -> T) -> T {
    // What is guarded has no state that a panic could have left half done.
    let _alone = BIRTH.lock().unwrap_or_else(PoisonError::into_inner);
    act()
}

/// Did a process end because it was asked to, with exit code 0?
pub fn left_in_order(status: ExitStatus) -> bool {
    status.success() && status.signal().is_none()
}

/// Did a process end because it was asked to, before it could do so in order?
pub fn left_as_asked(status: ExitStatus) -> bool {
    left_in_order(status) || status.signal() == Some(Signal::TERM.as_raw())
}

/// The last line of a log: a program that fails says there why.
fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().next_back().unwrap_or("without a word").to_owned()
}
