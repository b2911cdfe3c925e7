//! Decisions about a version of a service, as its provider or the registrar makes them, and when
//! each may be made.

use super::{Deprecation, Lifecycle, Maintenance, Notice, PeriodError};
use crate::time::UnixMs;

/// One decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Should no longer be used, and retires then. Again: retires at another time.
    Deprecate { retire_at: UnixMs },
    /// Is switched off from now on.
    Disable,
    /// Is no longer switched off, nor retired.
    Enable,
    /// Will be away for a time.
    Maintain(Maintenance),
    /// Is back, or will not be away.
    EndMaintenance,
    /// Is gone for good from now on.
    Retire {
        /// Even before its date, while somebody may use it.
        force: bool,
    },
}

/// What is said beside a decision; what is not said stays as it was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    pub notice: Option<Notice>,
    pub next_major: Option<u16>,
}

/// A decision that cannot be made now, and what to do instead.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Undecided {
    #[error("{what} at {at} is over already, it is {now}")]
    Over { what: &'static str, at: UnixMs, now: UnixMs },
    #[error("it is retired since {at}; enable it first")]
    Retired { at: UnixMs },
    #[error("it is neither disabled nor retired")]
    Enabled,
    #[error("no maintenance is announced")]
    NoMaintenance,
    #[error("whoever is refused must be told why: give a notice in Persian and English")]
    NoNotice,
    #[error("it is not deprecated, and {users} may still use it; deprecate it first, or force it")]
    NotDeprecated { users: usize },
    #[error("it retires at {retire_at}, and until then {users} may use it; wait, or force it")]
    TooEarly { retire_at: UnixMs, users: usize },
    #[error(transparent)]
    Period(#[from] PeriodError),
}

impl Lifecycle {
    /// What the lifecycle is after `decision` at `now`. `users` are the consumers who may use the
    /// service.
    pub fn decide(
        &self,
        decision: Decision,
        said: Said,
        users: usize,
        now: UnixMs,
    ) -> Result<Self, Undecided> {
        let Said { notice, next_major } = said;
        let mut next = self.clone();
        next.notice = notice.or(next.notice);
        next.next_major = next_major.or(next.next_major);
        if let (Some(at), false) = (next.retired_at, decision == Decision::Enable) {
            return Err(Undecided::Retired { at });
        }
        match decision {
            Decision::Deprecate { retire_at } => {
                ahead("its retirement", retire_at, now)?;
                let since = next.deprecated.map_or(now, |earlier| earlier.since);
                next.deprecated = Some(Deprecation::new(since, retire_at)?);
            }
            Decision::Disable => {
                next.notice.as_ref().ok_or(Undecided::NoNotice)?;
                next.disabled_since = next.disabled_since.or(Some(now));
            }
            Decision::Enable => {
                if next.disabled_since.is_none() && next.retired_at.is_none() {
                    return Err(Undecided::Enabled);
                }
                (next.disabled_since, next.retired_at) = (None, None);
            }
            Decision::Maintain(maintenance) => {
                next.notice.as_ref().ok_or(Undecided::NoNotice)?;
                ahead("the maintenance", maintenance.until, now)?;
                next.maintenance = Some(maintenance);
            }
            Decision::EndMaintenance => {
                next.maintenance.take().ok_or(Undecided::NoMaintenance)?;
            }
            Decision::Retire { force } => {
                if !force && users != 0 {
                    let date = next.deprecated.map(|deprecated| deprecated.retire_at);
                    let retire_at = date.ok_or(Undecided::NotDeprecated { users })?;
                    if now < retire_at {
                        return Err(Undecided::TooEarly { retire_at, users });
                    }
                }
                next.retired_at = Some(now);
            }
        }
        Ok(next)
    }
}

fn ahead(what: &'static str, at: UnixMs, now: UnixMs) -> Result<(), Undecided> {
    if now < at { Ok(()) } else { Err(Undecided::Over { what, at, now }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::State;

    const NOW: UnixMs = UnixMs(1000);

    fn notice() -> Said {
        let notice = Notice { fa: "تعمیر".parse().unwrap(), en: "repairs".parse().unwrap() };
        Said { notice: Some(notice), next_major: None }
    }

    fn decide(life: &Lifecycle, decision: Decision, users: usize) -> Result<Lifecycle, Undecided> {
        life.decide(decision, Said::default(), users, NOW)
    }

    #[test]
    fn what_is_lifted_brings_back_what_was_before() {
        let retire_at = UnixMs(5000);
        let said = Said { next_major: Some(2), ..notice() };
        let deprecated =
            Lifecycle::default().decide(Decision::Deprecate { retire_at }, said, 3, NOW).unwrap();
        assert_eq!(deprecated.state(NOW).name(), "deprecated");
        let disabled = decide(&deprecated, Decision::Disable, 3).unwrap();
        assert_eq!(disabled.state(NOW), State::Disabled { since: NOW });
        assert_eq!(decide(&disabled, Decision::Enable, 3), Ok(deprecated.clone()));
        let away = Decision::Maintain(Maintenance::new(UnixMs(900), UnixMs(2000)).unwrap());
        let away = decide(&deprecated, away, 3).unwrap();
        assert_eq!(away.state(NOW).name(), "maintenance");
        assert_eq!(decide(&away, Decision::EndMaintenance, 3), Ok(deprecated));
    }

    #[test]
    fn a_version_retires_at_its_date_or_when_nobody_uses_it_or_by_force() {
        let retire = Decision::Retire { force: false };
        let plain = Lifecycle::default();
        assert_eq!(decide(&plain, retire, 2), Err(Undecided::NotDeprecated { users: 2 }));
        assert_eq!(decide(&plain, retire, 0).unwrap().retired_at, Some(NOW));
        let until = |retire_at| Lifecycle {
            deprecated: Some(Deprecation::new(UnixMs(1), retire_at).unwrap()),
            ..Lifecycle::default()
        };
        let retire_at = UnixMs(1001);
        let early = Err(Undecided::TooEarly { retire_at, users: 2 });
        assert_eq!(decide(&until(retire_at), retire, 2), early);
        let forced = decide(&until(retire_at), Decision::Retire { force: true }, 2).unwrap();
        assert_eq!(forced.state(NOW), State::Retired { at: NOW });
        assert_eq!(decide(&until(NOW), retire, 2).unwrap().retired_at, Some(NOW));
        assert_eq!(decide(&forced, Decision::Disable, 2), Err(Undecided::Retired { at: NOW }));
        assert_eq!(decide(&forced, Decision::Enable, 2), Ok(until(retire_at)));
    }

    #[test]
    fn says_why_a_decision_cannot_be_made() {
        let plain = Lifecycle::default();
        assert_eq!(decide(&plain, Decision::Disable, 0), Err(Undecided::NoNotice));
        assert_eq!(decide(&plain, Decision::Enable, 0), Err(Undecided::Enabled));
        assert_eq!(decide(&plain, Decision::EndMaintenance, 0), Err(Undecided::NoMaintenance));
        let past = Maintenance::new(UnixMs(1), NOW).unwrap();
        let told = plain.decide(Decision::Maintain(past), notice(), 0, NOW);
        assert!(matches!(told, Err(Undecided::Over { .. })), "{told:?}");
        let told = decide(&plain, Decision::Deprecate { retire_at: NOW }, 0);
        assert!(matches!(told, Err(Undecided::Over { .. })), "{told:?}");
    }
}
