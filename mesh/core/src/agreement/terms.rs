//! The terms of an agreement: every bound is checked once, when they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AgreementId;
use crate::address::{ServiceAddress, SystemAddress};
use crate::directory::Attribute;
use crate::id::{OperationId, PurposeId};

/// Terms whose bounds hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms(Draft);

/// Terms as they are written down, before anybody has looked at the bounds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    /// What people call it.
    pub title: String,
    pub consumer: SystemAddress,
    /// What the consuming system must be, such as a portal.
    pub attributes: BTreeSet<Attribute>,
    pub service: ServiceAddress,
    pub operations: BTreeSet<OperationId>,
    /// Each with the law or decree that permits it.
    pub purposes: BTreeMap<PurposeId, String>,
    /// What of the answer the consumer may see.
    pub granted_fields: BTreeSet<FieldPointer>,
    pub quota: Quota,
    pub sla: Option<Sla>,
    pub valid_from_unix_ms: u64,
    /// The first moment at which it is over.
    pub valid_until_unix_ms: u64,
    /// How long the consumer may keep what it was told.
    pub retention_days: u32,
    pub sensitive: bool,
    pub supersedes: Option<Supersedes>,
}

impl Draft {
    /// The beginning of a draft: nothing yet that the consumer may do.
    pub fn between(consumer: SystemAddress, service: ServiceAddress) -> Self {
        Self {
            title: String::new(),
            consumer,
            attributes: BTreeSet::new(),
            service,
            operations: BTreeSet::new(),
            purposes: BTreeMap::new(),
            granted_fields: BTreeSet::new(),
            quota: Quota { per_second: 0, burst: 0, per_day: 0 },
            sla: None,
            valid_from_unix_ms: 0,
            valid_until_unix_ms: 0,
            retention_days: 0,
            sensitive: false,
            supersedes: None,
        }
    }
}

/// The agreement whose place another one takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Supersedes {
    pub agreement: AgreementId,
    /// How long both hold once the new one has begun.
    pub grace_ms: u64,
}

/// How much the consumer may ask.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub per_second: u32,
    /// Exchanges that may come at once on top of it.
    pub burst: u32,
    pub per_day: u64,
}

/// What the provider promises.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sla {
    /// Thousandths of a percent, such as 99900 for 99.9 %.
    pub availability_millipercent: u32,
    pub latency_p95_ms: u32,
}

/// One field of an answer with all below it: a JSON pointer (RFC 6901). The empty one is the whole
/// answer.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPointer(Box<str>);

/// Bytes of terms, encoded. Leaves room for the acts in an object of 8 KiB.
pub const TERMS_BYTES_MAX: usize = 4 * 1024;

/// Longest title, in bytes.
pub const TITLE_BYTES_MAX: usize = 256;

/// Longest legal basis of one purpose, in bytes.
pub const LEGAL_BASIS_BYTES_MAX: usize = 512;

/// Longest pointer to a field, in bytes.
pub const POINTER_BYTES_MAX: usize = 256;

pub const OPERATIONS_MAX: usize = 64;
pub const PURPOSES_MAX: usize = 16;
pub const GRANTED_FIELDS_MAX: usize = 256;

/// Longest life of an agreement: ten years.
pub const LIFE_MS_MAX: u64 = 3_653 * DAY_MS;

/// Longest time that an agreement holds beside the one that supersedes it: a year.
pub const GRACE_MS_MAX: u64 = 366 * DAY_MS;

/// Longest time that an answer may be kept: a hundred years.
pub const RETENTION_DAYS_MAX: u32 = 36_525;

/// Most exchanges a second that one agreement grants.
pub const PER_SECOND_MAX: u32 = 1_000_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// 100 %, in thousandths of a percent.
const WHOLE_MILLIPERCENT: u32 = 100_000;

/// Terms that cannot stand, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct TermsError {
    pub field: &'static str,
    pub why: String,
}

impl Terms {
    /// Checks every bound of `draft`.
    pub fn new(draft: Draft) -> Result<Self, TermsError> {
        text("title", &draft.title, TITLE_BYTES_MAX)?;
        // An empty list must never be read as "all of them".
        count("operations", draft.operations.len(), OPERATIONS_MAX)?;
        count("purposes", draft.purposes.len(), PURPOSES_MAX)?;
        for basis in draft.purposes.values() {
            text("purposes.legal_basis", basis, LEGAL_BASIS_BYTES_MAX)?;
        }
        count("granted_fields", draft.granted_fields.len(), GRANTED_FIELDS_MAX)?;
        let Quota { per_second, burst, per_day } = draft.quota;
        within("quota.per_second", per_second.into(), 1, PER_SECOND_MAX.into())?;
        within("quota.burst", burst.into(), 0, PER_SECOND_MAX.into())?;
        within("quota.per_day", per_day, 1, u64::from(PER_SECOND_MAX) * (DAY_MS / 1_000))?;
        if let Some(Sla { availability_millipercent, latency_p95_ms }) = draft.sla {
            let availability = availability_millipercent.into();
            let whole = WHOLE_MILLIPERCENT.into();
            within("sla.availability_millipercent", availability, 1, whole)?;
            within("sla.latency_p95_ms", latency_p95_ms.into(), 1, DAY_MS)?;
        }
        let Draft { valid_from_unix_ms: from, valid_until_unix_ms: until, .. } = draft;
        within("valid_from", from, 1, u64::MAX - LIFE_MS_MAX)?;
        within("valid_until", until, from + 1, from + LIFE_MS_MAX)?;
        within("retention_days", draft.retention_days.into(), 0, RETENTION_DAYS_MAX.into())?;
        if let Some(Supersedes { grace_ms, .. }) = draft.supersedes {
            within("supersede_grace_ms", grace_ms, 0, GRACE_MS_MAX)?;
        }
        if draft.consumer == draft.service.system {
            let why = "a system needs no agreement with itself".into();
            return Err(TermsError { field: "consumer", why });
        }
        Ok(Self(draft))
    }

    /// Do they let the consumer use `operation` for `purpose`?
    pub fn cover(&self, operation: &OperationId, purpose: &PurposeId) -> bool {
        self.operations.contains(operation) && self.purposes.contains_key(purpose)
    }
}

impl Deref for Terms {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.0
    }
}

fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), TermsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(TermsError { field, why: format!("is {value}, want {least} to {most}") })
}

fn count(field: &'static str, found: usize, most: usize) -> Result<(), TermsError> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(TermsError { field, why: format!("has {found} entries, want 1 to {most}") })
}

/// Words for people, in any script, on one line.
pub(super) fn text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), TermsError> {
    let length = text.len();
    if !(1..=bytes_max).contains(&length) {
        let why = format!("is {length} bytes long, want 1 to {bytes_max}");
        return Err(TermsError { field, why });
    }
    if text.chars().any(char::is_control) {
        return Err(TermsError { field, why: "has a control character".into() });
    }
    Ok(())
}

/// Text that is no JSON pointer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no JSON pointer (RFC 6901) of at most {POINTER_BYTES_MAX} bytes")]
pub struct ParsePointerError(String);

impl FieldPointer {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FieldPointer {
    type Err = ParsePointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins = text.is_empty() || text.starts_with('/');
        // After '~' only '0' and '1' mean something.
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let fits = text.len() <= POINTER_BYTES_MAX && !text.chars().any(char::is_control);
        if begins && escapes && fits {
            return Ok(Self(text.into()));
        }
        Err(ParsePointerError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for FieldPointer {
    type Error = ParsePointerError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FieldPointer> for String {
    fn from(pointer: FieldPointer) -> Self {
        pointer.0.into()
    }
}

impl fmt::Display for FieldPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::draft;
    use super::*;

    #[test]
    fn every_bound_of_terms_holds() {
        type Change = fn(&mut Draft);
        let cases: &[(&str, Change)] = &[
            ("title: is 0 bytes long", |d| d.title.clear()),
            ("title: has a control character", |d| d.title = "a\nb".into()),
            ("operations: has 0 entries, want 1 to 64", |d| d.operations.clear()),
            ("purposes: has 0 entries, want 1 to 16", |d| d.purposes.clear()),
            ("purposes.legal_basis: is 0 bytes", |d| {
                d.purposes.values_mut().for_each(String::clear);
            }),
            ("granted_fields: has 0 entries", |d| d.granted_fields.clear()),
            ("quota.per_second: is 0", |d| d.quota.per_second = 0),
            ("quota.per_day: is 0", |d| d.quota.per_day = 0),
            ("sla.availability_millipercent: is 100001", |d| {
                let availability_millipercent = 100_001;
                d.sla = Some(Sla { availability_millipercent, latency_p95_ms: 1 });
            }),
            ("valid_from: is 0", |d| d.valid_from_unix_ms = 0),
            ("valid_until: is ", |d| d.valid_until_unix_ms = d.valid_from_unix_ms),
            ("valid_until: is ", |d| d.valid_until_unix_ms += LIFE_MS_MAX),
            ("retention_days: is 36526", |d| d.retention_days = 36_526),
            ("supersede_grace_ms: is ", |d| {
                let agreement = AgreementId(crate::exchange::Digest([0; 32]));
                d.supersedes = Some(Supersedes { agreement, grace_ms: GRACE_MS_MAX + 1 });
            }),
            ("consumer: a system needs no agreement with itself", |d| {
                d.consumer = d.service.system.clone();
            }),
        ];
        for (want, change) in cases {
            let mut draft = draft("ir/gov/tax/desk", "ir/gov/care/cards/card.v1");
            assert!(Terms::new(draft.clone()).is_ok());
            change(&mut draft);
            let error = Terms::new(draft).expect_err(want).to_string();
            assert!(error.contains(want), "{error:?} does not say {want:?}");
        }
    }

    #[test]
    fn terms_cover_an_operation_for_a_purpose() {
        let terms = Terms::new(draft("ir/gov/tax/desk", "ir/gov/care/cards/card.v1")).unwrap();
        let cover = |operation: &str, purpose: &str| {
            terms.cover(&operation.parse().unwrap(), &purpose.parse().unwrap())
        };
        assert!(cover("get", "licence"));
        assert!(!cover("put", "licence") && !cover("get", "census"));
    }

    #[test]
    fn pointers_to_fields_are_rfc_6901s() {
        for text in ["", "/", "/a/0/b", "/m~0n~1o", "/نام"] {
            assert_eq!(text.parse::<FieldPointer>().unwrap().as_str(), text);
        }
        for text in ["a", "/~", "/~2", "/a\n", &format!("/{}", "a".repeat(256))] {
            assert!(text.parse::<FieldPointer>().is_err(), "{text:?}");
        }
    }
}
