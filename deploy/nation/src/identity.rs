//! What tells one process from every other, even when its number has been given to another since.

use std::fmt;
use std::str::FromStr;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process by its number, the moment of its start, and the name of its program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    id: u32,
    /// Since the machine started, in the kernel's clock ticks.
    started_at_ticks: u64,
    /// As the kernel keeps it: at most 15 bytes.
    program: String,
}

/// A line that names no process.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("want a process id, the moment of its start and its program")]
pub struct NoIdentity;

impl Identity {
    /// Who runs under `id`; `None` when nobody does. What has ended and was not awaited runs no
    /// more.
    pub fn of(id: u32) -> Option<Self> {
        Self::read(id, &std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// Of this process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    pub fn runs(&self) -> bool {
        Self::of(self.id).as_ref() == Some(self)
    }

    /// Sends `signal` to this process or to none.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        // The handle is taken first: from then on it means one process, which is then looked at.
        let handle = id.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
        if let Some(handle) = handle
            && self.runs()
        {
            // It may end at this moment, which is what was wanted.
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    /// Reads what `proc_pid_stat(5)` describes. The program's name may hold anything.
    fn read(id: u32, stat: &str) -> Option<Self> {
        let (_, named) = stat.split_once('(')?;
        let (program, fields) = named.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        // Field 22; the state is number 3.
        let started_at_ticks = fields.nth(18)?.parse().ok()?;
        let ended = matches!(state, "Z" | "X");
        (!ended).then(|| Self { id, started_at_ticks, program: program.into() })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.id, self.started_at_ticks, self.program)
    }
}

impl FromStr for Identity {
    type Err = NoIdentity;

    fn from_str(line: &str) -> Result<Self, NoIdentity> {
        let mut words = line.splitn(3, ' ');
        let mut next = || words.next().ok_or(NoIdentity);
        let id = next()?.parse().map_err(|_| NoIdentity)?;
        let started_at_ticks = next()?.parse().map_err(|_| NoIdentity)?;
        Ok(Self { id, started_at_ticks, program: next()?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_the_next_one_with_its_number() {
        let own = Identity::own().expect("it runs");
        assert!(own.runs());
        assert_eq!(own.to_string().parse(), Ok(own.clone()));
        let earlier = Identity { started_at_ticks: own.started_at_ticks - 1, ..own.clone() };
        let other = Identity { program: "hub-central".into(), ..own };
        assert!(!earlier.runs() && !other.runs());
        // Would end this test if it were taken for the process that has its number now.
        earlier.signal(Signal::KILL);
        other.signal(Signal::KILL);
    }

    #[test]
    fn the_kernels_words_are_read() {
        let fields = "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
        let stat = |state: &str| format!("7 (a) (b) {state} {fields} 421 0 0");
        let read = Identity::read(7, &stat("S")).map(|identity| identity.to_string());
        assert_eq!(read.as_deref(), Some("7 421 a) (b"));
        assert_eq!(Identity::read(7, &stat("Z")), None, "ended, and not awaited");
        assert_eq!(Identity::read(7, "7 (a"), None);
        for line in ["", "7", "7 421", "x 421 a", "7 x a"] {
            assert_eq!(line.parse::<Identity>(), Err(NoIdentity), "{line}");
        }
    }
}
