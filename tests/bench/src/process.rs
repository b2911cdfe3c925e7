//! One part of a contender as a process: lines in, lines out, and the time it computed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// A process of this very program. It ends when its standard input does, or by its own id when
/// this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// A part that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("{name} cannot be started")]
    Start { name: String, source: std::io::Error },
    #[error("{name} does not listen any more")]
    Write { name: String, source: std::io::Error },
    #[error("{name} ended before it said {wanted}")]
    Ended { name: String, wanted: &'static str },
    #[error("{name} did not say {wanted} within {limit:?}")]
    Silent { name: String, wanted: &'static str, limit: Duration },
    #[error("{name} said {line:?}, want {wanted}")]
    Said { name: String, line: String, wanted: &'static str },
    #[error("{name} has no processor time that can be read")]
    Processor { name: String },
}

impl Process {
    /// Starts this program again with `args`.
    pub(crate) fn start(name: &str, args: &[String]) -> Result<Self, ProcessError> {
        let refused = |source| ProcessError::Start { name: name.into(), source };
        let program = std::env::current_exe().map_err(refused)?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(refused)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output was piped above");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // It ends with the process, or when nobody listens to it.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name: name.into(), child, stdin, lines })
    }

    /// Sends a line.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), ProcessError> {
        let stdin = self.stdin.as_mut().expect("it is open until the process is dropped");
        writeln!(stdin, "{line}")
            .map_err(|source| ProcessError::Write { name: self.name.clone(), source })
    }

    /// The next line, which `read` must be able to read.
    pub(crate) fn hear<T>(
        &self,
        wanted: &'static str,
        limit: Duration,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ProcessError> {
        let name = self.name.clone();
        match self.lines.recv_timeout(limit) {
            Ok(line) => read(&line).ok_or(ProcessError::Said { name, line, wanted }),
            Err(RecvTimeoutError::Disconnected) => Err(ProcessError::Ended { name, wanted }),
            Err(RecvTimeoutError::Timeout) => Err(ProcessError::Silent { name, wanted, limit }),
        }
    }

    /// What it computed so far, all threads together.
    pub(crate) fn processor_time(&self) -> Result<Duration, ProcessError> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let time = stat.ok().as_deref().and_then(processor_time);
        time.ok_or_else(|| ProcessError::Processor { name: self.name.clone() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What all processors of the machine did since it started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Machine {
    pub(crate) busy: Duration,
    pub(crate) idle: Duration,
}

impl Machine {
    /// `None` where the system does not tell.
    pub(crate) fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Reads the first line of the file: user, nice, system, idle, iowait, irq, softirq, steal.
    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let ticks = fields.map(|field| field.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let &[user, nice, system, idle, iowait, irq, softirq, steal] = &ticks[..] else {
            return None;
        };
        let busy = user + nice + system + irq + softirq + steal;
        Some(Self { busy: time(busy), idle: time(idle + iowait) })
    }
}

/// Linux shows times in hundredths of a second to everyone, whatever its own tick is.
fn time(ticks: u64) -> Duration {
    Duration::from_millis(10 * ticks)
}

/// Reads `utime` and `stime` of proc(5).
fn processor_time(stat: &str) -> Option<Duration> {
    // The name in parentheses may hold spaces and parentheses of its own.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(time(ticks()? + ticks()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_processor_time() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 3 0 100 1 1";
        assert_eq!(processor_time(stat), Some(Duration::from_millis(1750)));
        assert_eq!(processor_time("7 (a) S 1"), None);
        let stat = "cpu  10 20 30 400 5 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        let (busy, idle) = (Duration::from_millis(810), Duration::from_millis(4050));
        assert_eq!(Machine::parse(stat), Some(Machine { busy, idle }));
        assert_eq!(Machine::parse("cpu  10 20"), None);
    }
}
