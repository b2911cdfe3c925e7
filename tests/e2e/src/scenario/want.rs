//! What must come of a scenario, and the verdict on what did.

use std::fmt;

use mesh_core::reason::Reason;

use super::Seen;
use crate::bed::{Bed, HOPS};
use crate::client::Answer;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    /// The service's own answer, whole, after it was asked exactly once. The function looks at
    /// everything but the status.
    Answered(u16, fn(&Answer) -> bool),
    /// Refused, and no service was asked.
    Refused(u16, Reason, At),
    /// An error, whether the service was asked or not.
    Failed(u16, Reason, At),
    /// An error if it was noticed before the answer began; else the answer begins and breaks off,
    /// and the log of the consumer's agent says why.
    Broken(u16, Reason, At),
    /// The connection is closed without an answer.
    Closed,
    /// A rogue on a link is told this, and no service was asked.
    Told(Reason, At),
    /// A program does not do what it was asked, and says this.
    Complains(&'static str),
    /// The program does not start, and says this.
    NotStarted(&'static str),
    /// A node keeps the directory that it has, and says this of the one that it was offered.
    NotTaken(&'static str),
    /// Nothing fails.
    GoesOn,
}

/// The hop at fault, by its part in the exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    ConsumersAgent,
    ConsumersHub,
    Centre,
    ProvidersHub,
    ProvidersAgent,
    /// Of a system that is in the directory and has no agent.
    AbsentAgent,
    /// The farthest hop that watches the clock; on a busy machine one before it may be quicker.
    WhoWaited,
}

impl At {
    /// Is `hop` its name in errors?
    pub fn is(self, hop: &str) -> bool {
        self.hops().contains(&hop)
    }

    fn hops(self) -> &'static [&'static str] {
        match self {
            Self::ConsumersAgent => &HOPS[..1],
            Self::ConsumersHub => &HOPS[1..2],
            Self::Centre => &HOPS[2..3],
            Self::ProvidersHub => &HOPS[3..4],
            Self::ProvidersAgent => &HOPS[4..],
            Self::AbsentAgent => &["absent.care.gov.health"],
            Self::WhoWaited => &HOPS,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConsumersAgent => "consumer's agent",
            Self::ConsumersHub => "consumer's hub",
            Self::Centre => "centre",
            Self::ProvidersHub => "provider's hub",
            Self::ProvidersAgent => "provider's agent",
            Self::AbsentAgent => "provider's agent, which is away",
            Self::WhoWaited => "hop that waited",
        })
    }
}

impl Want {
    /// Is `seen` what was wanted? `asked` is how many requests came to the service.
    pub(super) async fn judge(&self, seen: &Seen, asked: u64, bed: &Bed) -> Result<(), String> {
        match (self, seen) {
            (Self::Answered(status, holds), Seen::Answer(answer)) => {
                is(answer.status == *status && !is_problem(answer), "not that answer")?;
                is(answer.broken.is_none(), "it broke off")?;
                is(holds(answer), "not all of the answer is as it should be")?;
                is(asked == 1, "the service was not asked exactly once")
            }
            (Self::Refused(status, reason, at), Seen::Answer(answer)) => {
                failed(answer, *status, (*reason, *at))?;
                is(asked == 0, "the service was asked")
            }
            (Self::Failed(status, reason, at), Seen::Answer(answer)) => {
                failed(answer, *status, (*reason, *at))
            }
            (Self::Broken(_, reason, at), Seen::Answer(answer)) if answer.broken.is_some() => {
                let id = answer.headers.get("x-road-request-id");
                let id = id.and_then(|id| id.to_str().ok()).ok_or("the head names no exchange")?;
                // Only ends with the bed's own patience.
                bed.wait_log(HOPS[0], &[id, reason.name()], 1).await;
                let log = bed.log(HOPS[0]);
                let told = log.lines().find(|line| line.contains(id)).unwrap_or_default();
                is(at.hops().iter().any(|hop| told.contains(&format!("\"hop\":\"{hop}\""))), told)
            }
            (Self::Broken(status, reason, at), Seen::Answer(answer)) => {
                failed(answer, *status, (*reason, *at))
            }
            (Self::Closed, Seen::Closed) => Ok(()),
            (Self::Told(reason, at), Seen::Told(problem)) => {
                is(problem.reason == *reason, "another reason")?;
                is(at.is(problem.hop.as_str()), "another hop")?;
                is(asked == 0, "the service was asked")
            }
            (Self::Complains(want), Seen::Exit { said, .. }) => {
                is(said.contains(want), "it did not say that")
            }
            (Self::NotStarted(want), Seen::Exit { code, said }) => {
                is(*code == Some(2) && said.contains(want), "it did not say that")
            }
            (Self::NotTaken(want), Seen::NotTaken(why)) => {
                is(why.contains(want), "it did not say that")
            }
            (Self::GoesOn, Seen::GoesOn) => Ok(()),
            _ => Err("something else".into()),
        }
    }

    /// HTTP status, reason and hop, as the page and the runner's table show them.
    pub fn columns(&self) -> (String, String, String) {
        let reason = |status: &u16, reason: &Reason, at: &At| {
            (status.to_string(), reason.name().to_owned(), at.to_string())
        };
        let plain = |text: &str| (text.to_owned(), String::new(), String::new());
        match self {
            Self::Answered(status, _) => (status.to_string(), "none".into(), String::new()),
            Self::Refused(status, why, at) | Self::Failed(status, why, at) => {
                reason(status, why, at)
            }
            Self::Broken(status, why, at) => {
                let (status, why, at) = reason(status, why, at);
                (format!("{status}, or breaks off"), why, at)
            }
            Self::Told(why, at) => (String::new(), why.name().to_owned(), at.to_string()),
            Self::Closed => plain("closed"),
            Self::Complains(want) => match want.parse::<Reason>() {
                Ok(why) => ("refused".into(), why.name().to_owned(), String::new()),
                Err(_) => plain("refused"),
            },
            Self::NotStarted(_) => plain("does not start"),
            Self::NotTaken(_) => plain("not taken"),
            Self::GoesOn => plain("goes on"),
        }
    }

    /// Whether the service is asked; empty where that is not judged.
    pub(super) fn asks(&self) -> &'static str {
        match self {
            Self::Answered(..) => "once",
            Self::Refused(..) | Self::Told(..) | Self::NotStarted(_) => "no",
            Self::Failed(..) | Self::Broken(..) | Self::Closed => "",
            Self::Complains(_) | Self::NotTaken(_) | Self::GoesOn => "",
        }
    }
}

fn is(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn is_problem(answer: &Answer) -> bool {
    answer.headers.contains_key("x-road-error")
}

fn failed(answer: &Answer, status: u16, (reason, at): (Reason, At)) -> Result<(), String> {
    is(answer.status == status && is_problem(answer), "not that error")?;
    let (found, hop) = answer.problem();
    is(found == reason.name() && at.is(&hop), "another reason or hop")?;
    is(answer.json()["exchange_id"].is_string(), "the error names no exchange")
}
