//! One way to forward, as three processes that stay up for the whole benchmark.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::load::{Order, Seen};
use crate::part::{Failure, READY, Role};
use crate::process::{Machine, Process};

/// From the start of a part to its first word, and from the end of an order to its answer.
const WORD_MAX: Duration = Duration::from_secs(30);

/// A way to forward.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Lanes of a link.
    Link,
    /// A gRPC call for each exchange, on so many connections for each hop.
    Unary { connections: usize },
}

/// Its processes.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    caller: Process,
    forwarder: Process,
    answerer: Process,
}

/// What one order came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) seen: Seen,
    pub(crate) spent: Spent,
}

/// Processor time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Of all three processes together, and of the forwarder among them.
    pub(crate) all: Duration,
    pub(crate) forwarder: Duration,
    /// Of the whole machine.
    pub(crate) busy: Duration,
    pub(crate) idle: Duration,
}

impl Spent {
    fn since(self, before: Self) -> Self {
        Self {
            all: self.all - before.all,
            forwarder: self.forwarder - before.forwarder,
            busy: self.busy.saturating_sub(before.busy),
            idle: self.idle.saturating_sub(before.idle),
        }
    }
}

impl Contender {
    /// Starts the processes, each when what it dials listens, and sees a first exchange answered.
    pub(crate) fn start(kind: Kind, pki: &Path, workers: usize) -> Result<Self, Failure> {
        let part = |role: Role, upper: Option<SocketAddr>| {
            let mut args = vec!["part".into(), role.word()];
            args.extend(["--pki".into(), pki.display().to_string()]);
            args.extend(["--workers".into(), workers.to_string()]);
            if let Kind::Unary { connections } = kind {
                args.extend(["--connections".into(), connections.to_string()]);
            }
            args.extend(upper.into_iter().flat_map(|at| ["--upper".into(), at.to_string()]));
            Process::start(&role.word(), &args)
        };
        let (forwarder, answerer, upper, call) = match kind {
            Kind::Link => {
                let forwarder = part(Role::LinkForward, None)?;
                let upper = address(&forwarder)?;
                let answerer = part(Role::LinkAnswer, Some(upper))?;
                ready(&answerer)?;
                (forwarder, answerer, upper, Role::LinkCall)
            }
            Kind::Unary { .. } => {
                let answerer = part(Role::UnaryAnswer, None)?;
                let forwarder = part(Role::UnaryForward, Some(address(&answerer)?))?;
                let upper = address(&forwarder)?;
                (forwarder, answerer, upper, Role::UnaryCall)
            }
        };
        let caller = part(call, Some(upper))?;
        ready(&caller)?;
        Ok(Self { kind, caller, forwarder, answerer })
    }

    /// Carries out `order`.
    pub(crate) fn carry(&mut self, order: Order) -> Result<Carried, Failure> {
        let before = self.spent()?;
        self.caller.tell(&serde_json::to_string(&order)?)?;
        let limit = Duration::from_millis(order.during_ms) + WORD_MAX;
        let read = |line: &str| serde_json::from_str(line).ok();
        let seen = self.caller.hear("what the callers saw", limit, read)?;
        Ok(Carried { seen, spent: self.spent()?.since(before) })
    }

    fn spent(&self) -> Result<Spent, Failure> {
        let forwarder = self.forwarder.processor_time()?;
        let ends = self.caller.processor_time()? + self.answerer.processor_time()?;
        let Machine { busy, idle } = Machine::now().ok_or("the machine's times cannot be read")?;
        Ok(Spent { all: ends + forwarder, forwarder, busy, idle })
    }
}

fn address(part: &Process) -> Result<SocketAddr, Failure> {
    Ok(part.hear("its address", WORD_MAX, |line| line.parse().ok())?)
}

fn ready(part: &Process) -> Result<(), Failure> {
    Ok(part.hear(READY, WORD_MAX, |line| (line == READY).then_some(()))?)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => f.write_str("link"),
            Self::Unary { connections } => write!(f, "unary x{connections}"),
        }
    }
}
