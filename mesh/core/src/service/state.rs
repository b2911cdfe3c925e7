//! What has been decided of a service comes to one state at a moment: one rule for all who ask.

use std::fmt;
use std::time::Duration;

use super::{Deprecation, Lifecycle, Maintenance, Service};
use crate::reason::Reason;
use crate::time::UnixMs;

/// Where a service stands at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Active,
    /// Usable, and its users are told to move on.
    Deprecated(Deprecation),
    /// Away for an announced time.
    Maintenance(Maintenance),
    Disabled {
        since: UnixMs,
    },
    Retired {
        at: UnixMs,
    },
}

/// A service that may not be used now. To be told only to those who may use the service.
#[derive(Clone, Copy, Debug)]
pub struct Unusable<'s> {
    service: &'s Service,
    state: State,
}

impl Lifecycle {
    /// The state at `now`: of several decisions the one that weighs most.
    pub fn state(&self, now: UnixMs) -> State {
        if let Some(at) = self.retired_at.filter(|at| *at <= now) {
            return State::Retired { at };
        }
        if let Some(since) = self.disabled_since.filter(|since| *since <= now) {
            return State::Disabled { since };
        }
        let running = |it: &Maintenance| it.from <= now && now < it.until;
        if let Some(maintenance) = self.maintenance.filter(running) {
            return State::Maintenance(maintenance);
        }
        let deprecated = self.deprecated.filter(|it| it.since <= now);
        deprecated.map_or(State::Active, State::Deprecated)
    }
}

impl Service {
    /// Where it stands at `now`.
    pub fn state(&self, now: UnixMs) -> State {
        self.lifecycle.state(now)
    }

    /// May it be used at `now`? And if so, until when.
    pub fn usable(&self, now: UnixMs) -> Result<Option<Deprecation>, Unusable<'_>> {
        match self.state(now) {
            State::Active => Ok(None),
            State::Deprecated(deprecation) => Ok(Some(deprecation)),
            state => Err(Unusable { service: self, state }),
        }
    }
}

impl State {
    /// Its word, such as `active`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated(_) => "deprecated",
            Self::Maintenance(_) => "maintenance",
            Self::Disabled { .. } => "disabled",
            Self::Retired { .. } => "retired",
        }
    }

    /// When it began; `None` for what has always been so.
    pub fn since(self) -> Option<UnixMs> {
        match self {
            Self::Active => None,
            Self::Deprecated(Deprecation { since, .. }) | Self::Disabled { since } => Some(since),
            Self::Maintenance(Maintenance { from, .. }) => Some(from),
            Self::Retired { at } => Some(at),
        }
    }
}

impl Unusable<'_> {
    pub fn state(&self) -> State {
        self.state
    }

    pub fn reason(&self) -> Reason {
        match self.state {
            State::Maintenance(_) => Reason::ServiceMaintenance,
            State::Retired { .. } => Reason::ServiceRetired,
            State::Disabled { .. } | State::Active | State::Deprecated(_) => {
                Reason::ServiceDisabled
            }
        }
    }

    /// Whoever waits out a maintenance waits until its end.
    pub fn wait(&self, now: UnixMs) -> Option<Duration> {
        match self.state {
            State::Maintenance(Maintenance { until, .. }) => {
                Some(Duration::from_millis(until.0.saturating_sub(now.0)))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Unusable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service: Service { address, lifecycle, .. }, state } = self;
        match state {
            State::Maintenance(Maintenance { until, .. }) => {
                write!(f, "{address} is in maintenance until {until}")?;
            }
            State::Retired { at } => {
                write!(f, "{address} is retired since {at}")?;
                if let Some(major) = lifecycle.next_major {
                    let mut next = address.clone();
                    next.major = major;
                    write!(f, ", use {next}")?;
                }
            }
            state => {
                write!(f, "{address} is disabled")?;
                if let Some(since) = state.since() {
                    write!(f, " since {since}")?;
                }
            }
        }
        match &lifecycle.notice {
            Some(notice) => write!(f, ": {} — {}", notice.en, notice.fa),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Notice;

    const HOUR: u64 = 3_600_000;

    fn service(lifecycle: Lifecycle) -> Service {
        let address = "ir/gov/tax/debts/debt.v1".parse().unwrap();
        Service { lifecycle, ..Service::new(address, Vec::new()) }
    }

    #[test]
    fn of_several_decisions_the_gravest_counts_and_each_from_its_time_on() {
        let all = Lifecycle {
            deprecated: Some(Deprecation::new(UnixMs(10), UnixMs(100)).unwrap()),
            maintenance: Some(Maintenance::new(UnixMs(20), UnixMs(30)).unwrap()),
            disabled_since: Some(UnixMs(40)),
            retired_at: Some(UnixMs(50)),
            ..Lifecycle::default()
        };
        #[rustfmt::skip]
        let cases = [
            // Now, state, since
            (0,  "active",      None),
            (9,  "active",      None),
            (10, "deprecated",  Some(10)),
            (20, "maintenance", Some(20)),
            (29, "maintenance", Some(20)),
            (30, "deprecated",  Some(10)),
            (40, "disabled",    Some(40)),
            (50, "retired",     Some(50)),
            (200, "retired",    Some(50)),
        ];
        for (now, name, since) in cases {
            let state = all.state(UnixMs(now));
            assert_eq!((state.name(), state.since()), (name, since.map(UnixMs)), "at {now}");
            let usable = matches!(name, "active" | "deprecated");
            assert_eq!(service(all.clone()).usable(UnixMs(now)).is_ok(), usable, "at {now}");
        }
    }

    #[test]
    fn callers_are_told_until_when_what_instead_and_in_both_languages() {
        let notice =
            Notice { fa: "تا ساعت ۸".parse().unwrap(), en: "back at 8".parse().unwrap() };
        let told = |lifecycle: Lifecycle, now| {
            let service = service(lifecycle);
            let unusable = service.usable(UnixMs(now)).unwrap_err();
            (unusable.reason(), unusable.wait(UnixMs(now)), unusable.to_string())
        };
        let maintenance = Maintenance::new(UnixMs(0), UnixMs(2 * HOUR)).unwrap();
        let away = Lifecycle {
            maintenance: Some(maintenance),
            notice: Some(notice),
            ..Lifecycle::default()
        };
        let (reason, wait, detail) = told(away, HOUR);
        assert_eq!(reason, Reason::ServiceMaintenance);
        assert_eq!(wait, Some(Duration::from_millis(HOUR)));
        let want = "ir/gov/tax/debts/debt.v1 is in maintenance until 1970-01-01T02:00:00Z: \
                    back at 8 — تا ساعت ۸";
        assert_eq!(detail, want);

        let gone =
            Lifecycle { retired_at: Some(UnixMs(0)), next_major: Some(2), ..Lifecycle::default() };
        let (reason, wait, detail) = told(gone, 1);
        assert_eq!((reason, wait), (Reason::ServiceRetired, None));
        let want = "ir/gov/tax/debts/debt.v1 is retired since 1970-01-01T00:00:00Z, \
                    use ir/gov/tax/debts/debt.v2";
        assert_eq!(detail, want);

        let off = Lifecycle { disabled_since: Some(UnixMs(0)), ..Lifecycle::default() };
        let (reason, wait, detail) = told(off, 1);
        assert_eq!((reason, wait), (Reason::ServiceDisabled, None));
        let want = "ir/gov/tax/debts/debt.v1 is disabled since 1970-01-01T00:00:00Z";
        assert_eq!(detail, want);
    }
}
