//! Where a version of a service stands in its life, as the registry has it.

use serde::{Deserialize, Serialize};

use crate::text::{NoticeEn, NoticeFa};
use crate::time::UnixMs;

/// What has been decided of a service. Each decision stands by itself, so that lifting one brings
/// back what was before it: a deprecated service that was disabled is deprecated again.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lifecycle {
    /// Switched off from then on, until somebody switches it on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_since: Option<UnixMs>,
    /// Switched off from then on, for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<UnixMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<Deprecation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// The major version that takes this one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_major: Option<u16>,
    /// What callers are told while the service is switched off, deprecated or in maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
}

/// A version that should no longer be used, and may be until it retires.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "WrittenDeprecation")]
pub struct Deprecation {
    pub since: UnixMs,
    /// Not earlier does it retire while somebody may use it.
    pub retire_at: UnixMs,
}

/// A time, announced ahead, in which the service is away.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "WrittenMaintenance")]
pub struct Maintenance {
    pub from: UnixMs,
    pub until: UnixMs,
}

/// A sentence for callers, in both languages.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    pub fa: NoticeFa,
    pub en: NoticeEn,
}

/// A time that ends before it begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{end}, {until}, is not after {begin}, {from}")]
pub struct PeriodError {
    begin: &'static str,
    from: UnixMs,
    end: &'static str,
    until: UnixMs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDeprecation {
    since: UnixMs,
    retire_at: UnixMs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMaintenance {
    from: UnixMs,
    until: UnixMs,
}

impl Lifecycle {
    /// Has nothing been decided? So it is with a service that is simply there.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Deprecation {
    pub fn new(since: UnixMs, retire_at: UnixMs) -> Result<Self, PeriodError> {
        ordered(("since", since), ("retire_at", retire_at)).map(|()| Self { since, retire_at })
    }
}

impl Maintenance {
    pub fn new(from: UnixMs, until: UnixMs) -> Result<Self, PeriodError> {
        ordered(("from", from), ("until", until)).map(|()| Self { from, until })
    }
}

fn ordered(
    (begin, from): (&'static str, UnixMs),
    (end, until): (&'static str, UnixMs),
) -> Result<(), PeriodError> {
    if from < until { Ok(()) } else { Err(PeriodError { begin, from, end, until }) }
}

impl TryFrom<WrittenDeprecation> for Deprecation {
    type Error = PeriodError;

    fn try_from(written: WrittenDeprecation) -> Result<Self, Self::Error> {
        Self::new(written.since, written.retire_at)
    }
}

impl TryFrom<WrittenMaintenance> for Maintenance {
    type Error = PeriodError;

    fn try_from(written: WrittenMaintenance) -> Result<Self, Self::Error> {
        Self::new(written.from, written.until)
    }
}
