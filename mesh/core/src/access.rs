//! May this exchange pass here? The rules that every node on the way applies by itself, in one
//! order: first the permission, then the state of the service. Whoever lacks the permission never
//! learns the state.

pub mod explain;

use std::time::Duration;

use crate::address::{ServiceAddress, SystemAddress};
use crate::agreement::Agreement;
use crate::directory::Directory;
use crate::id::PermissionId;
use crate::permit::{self, NotPermitted, Wish};
use crate::reason::{HopName, Problem, Reason};
use crate::service::{Service, Unusable};
use crate::time::UnixMs;

/// An exchange that may not pass.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Refused<'d> {
    #[error("{0}")]
    NotPermitted(NotPermitted),
    #[error("{0}")]
    Unusable(Unusable<'d>),
}

/// Lets `wish` pass at `now` if the permission that its header names covers it and the service may
/// be used.
pub fn admit<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
    named: &PermissionId,
    now: UnixMs,
) -> Result<&'d Service, Refused<'d>> {
    permit::confirm(directory, wish, named).map_err(Refused::NotPermitted)?;
    // A directory has the services that its permissions name.
    let service = directory.service(wish.service).ok_or(Refused::NotPermitted(NotPermitted))?;
    service.usable(now).map_err(Refused::Unusable)?;
    Ok(service)
}

/// May `consumer` read what describes `service`? Who has anything to do with it, now or once more:
/// its provider, and whoever an agreement or a permission names, suspended or not.
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
    *consumer == service.system
        || directory.permissions(consumer, service).next().is_some()
        || directory.agreements(consumer, service).any(signed)
}

impl Refused<'_> {
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotPermitted(NotPermitted) => Reason::NotPermitted,
            Self::Unusable(unusable) => unusable.reason(),
        }
    }

    /// How long to wait, where the service says so.
    pub fn wait(&self, now: UnixMs) -> Option<Duration> {
        match self {
            Self::NotPermitted(NotPermitted) => None,
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
