//! May this exchange pass here? The rules that every node on the way applies by itself, in one
//! order: first the agreement, then the state of the service. Whoever lacks the agreement never
//! learns the state.

pub mod explain;

use std::time::Duration;

use crate::address::{ServiceAddress, SystemAddress};
use crate::agreement::{Agreement, AgreementId};
use crate::directory::Directory;
use crate::permit::{self, Denied, Wish};
use crate::reason::{HopName, Problem, Reason};
use crate::service::{Service, Unusable};
use crate::time::UnixMs;

/// An exchange that may not pass.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused<'d> {
    #[error("{0}")]
    Denied(Denied),
    #[error("{0}")]
    Unusable(Unusable<'d>),
}

/// Lets `wish` pass at `now` if the agreement that its header names covers it and the service may
/// be used.
pub fn admit<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
    named: &AgreementId,
    now: UnixMs,
) -> Result<&'d Service, Refused<'d>> {
    permit::confirm(directory, wish, named, now).map_err(Refused::Denied)?;
    // A directory has the services that its agreements name.
    let service = directory.service(wish.service).ok_or(Refused::Denied(Denied::NotPermitted))?;
    service.usable(now).map_err(Refused::Unusable)?;
    Ok(service)
}

/// May `consumer` read what describes `service`? Who has anything to do with it, now or once more:
/// its provider, and whoever an agreement names, suspended or not.
pub fn may_read_about(
    directory: &Directory,
    consumer: &SystemAddress,
    service: &ServiceAddress,
    now: UnixMs,
) -> bool {
    let signed = |agreement: &Agreement| {
        let lasts = now.0 < agreement.terms().valid_until_unix_ms;
        lasts && agreement.ended().is_none() && agreement.missing().is_empty()
    };
    *consumer == service.system || directory.agreements(consumer, service).any(signed)
}

impl Refused<'_> {
    pub fn reason(&self) -> Reason {
        match self {
            Self::Denied(denied) => denied.reason(),
            Self::Unusable(unusable) => unusable.reason(),
        }
    }

    /// How long to wait, where the service says so.
    pub fn wait(&self, now: UnixMs) -> Option<Duration> {
        match self {
            Self::Denied(_) => None,
            Self::Unusable(unusable) => unusable.wait(now),
        }
    }

    /// The problem as the node `hop` tells it at `now`.
    pub fn problem(&self, hop: HopName, now: UnixMs) -> Problem {
        let problem = Problem::new(self.reason(), hop, self.to_string());
        match self.wait(now) {
            Some(wait) => problem.wait(wait),
            None => problem,
        }
    }
}
