//! What state an agreement is in: derived from what was signed, what surrounds it, and a time.

use std::collections::BTreeSet;

use super::words::list;
use super::{Agreement, AgreementId, Deed, Party};
use crate::directory::{Attribute, Directory};
use crate::time::UnixMs;

/// What an agreement is at a time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// Not all have signed.
    Proposed {
        missing: Vec<Party>,
    },
    /// Signed by all, and not begun.
    Scheduled {
        from_unix_ms: u64,
    },
    Active {
        until_unix_ms: u64,
    },
    /// By one or more; each lifts its own.
    Suspended {
        by: Vec<Party>,
    },
    /// The consumer is not, or no more, what the terms want it to be.
    Unmet {
        attributes: Vec<Attribute>,
    },
    /// Another has taken its place, and both hold for a while.
    Grace {
        successor: AgreementId,
        until_unix_ms: u64,
    },
    Superseded {
        successor: AgreementId,
        at_unix_ms: u64,
    },
    Expired {
        at_unix_ms: u64,
    },
    Revoked {
        by: Party,
        at_unix_ms: u64,
    },
    Rejected {
        by: Party,
        at_unix_ms: u64,
    },
}

/// What else its state depends on.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// The agreements between the same consumer and service. What supersedes is among them.
    pub beside: Vec<&'a Agreement>,
    /// What the consuming system is.
    pub attributes: &'a BTreeSet<Attribute>,
    pub now_unix_ms: u64,
}

/// Those who must sign.
pub const SIGNERS: [Party; 3] = [Party::Consumer, Party::Provider, Party::Secretariat];

/// Those who may suspend.
pub const SUSPENDERS: [Party; 3] = [Party::Consumer, Party::Provider, Party::Centre];

impl Agreement {
    /// Its state: what ends for good comes first, then who is missing, then what stands in the way.
    pub fn state(&self, around: &Around<'_>) -> State {
        let now = around.now_unix_ms;
        let terms = self.terms();
        if let Some(end) = self.ended() {
            let (by, at_unix_ms) = (end.party, end.at_unix_ms);
            return match end.deed {
                Deed::Reject => State::Rejected { by, at_unix_ms },
                _ => State::Revoked { by, at_unix_ms },
            };
        }
        if terms.valid_until_unix_ms <= now {
            return State::Expired { at_unix_ms: terms.valid_until_unix_ms };
        }
        let missing = self.missing();
        if !missing.is_empty() {
            return State::Proposed { missing };
        }
        let grace = self.superseded(around);
        if let Some((successor, at_unix_ms)) = grace
            && at_unix_ms <= now
        {
            return State::Superseded { successor, at_unix_ms };
        }
        let by = self.suspended_by();
        if !by.is_empty() {
            return State::Suspended { by };
        }
        if now < terms.valid_from_unix_ms {
            return State::Scheduled { from_unix_ms: terms.valid_from_unix_ms };
        }
        let lacking = terms.attributes.difference(around.attributes);
        let attributes: Vec<Attribute> = lacking.copied().collect();
        if !attributes.is_empty() {
            return State::Unmet { attributes };
        }
        match grace {
            Some((successor, until)) => {
                let until_unix_ms = until.min(terms.valid_until_unix_ms);
                State::Grace { successor, until_unix_ms }
            }
            None => State::Active { until_unix_ms: terms.valid_until_unix_ms },
        }
    }

    /// Those who have yet to sign.
    pub fn missing(&self) -> Vec<Party> {
        SIGNERS.into_iter().filter(|party| self.act(*party, Deed::Sign).is_none()).collect()
    }

    /// Those whose suspension stands.
    pub fn suspended_by(&self) -> Vec<Party> {
        let stands = |party: &Party| {
            let mut theirs = self.acts.iter().rev().filter(|act| act.party == *party);
            let last = theirs.find(|act| matches!(act.deed, Deed::Suspend | Deed::Resume));
            last.is_some_and(|act| act.deed == Deed::Suspend)
        };
        SUSPENDERS.into_iter().filter(stands).collect()
    }

    /// From when on it was in force, once it has all signatures.
    pub fn in_force_since(&self) -> Option<u64> {
        if !self.missing().is_empty() {
            return None;
        }
        let signed = self.acts.iter().filter(|act| act.deed == Deed::Sign);
        let last = signed.map(|act| act.at_unix_ms).max().unwrap_or_default();
        Some(last.max(self.terms().valid_from_unix_ms))
    }

    /// Which other has taken its place, and when the grace for this one is over.
    fn superseded(&self, around: &Around<'_>) -> Option<(AgreementId, u64)> {
        let begun = around.beside.iter().filter_map(|other| {
            let supersedes = other.terms().supersedes.filter(|old| old.agreement == self.id())?;
            let since = other.in_force_since().filter(|since| *since <= around.now_unix_ms)?;
            // One that was over before it began has taken nobody's place.
            let began = other.ended().is_none_or(|end| since < end.at_unix_ms);
            began.then(|| (other.id(), since.saturating_add(supersedes.grace_ms)))
        });
        begun.min_by_key(|(id, over_at)| (*over_at, *id))
    }
}

impl Directory {
    /// What the state of `agreement`, which may not be in here yet, depends on at `now`.
    pub fn around(&self, agreement: &Agreement, now: UnixMs) -> Around<'_> {
        let terms = agreement.terms();
        Around {
            beside: self.agreements(&terms.consumer, &terms.service).collect(),
            attributes: self.attributes(&terms.consumer),
            now_unix_ms: now.0,
        }
    }
}

impl State {
    /// May the consumer ask?
    pub fn permits(&self) -> bool {
        matches!(self, Self::Active { .. } | Self::Grace { .. })
    }

    /// Will it never permit anything again?
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            Self::Superseded { .. }
                | Self::Expired { .. }
                | Self::Revoked { .. }
                | Self::Rejected { .. }
        )
    }

    /// Its word, such as `suspended`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposed { .. } => "proposed",
            Self::Scheduled { .. } => "scheduled",
            Self::Active { .. } => "active",
            Self::Suspended { .. } => "suspended",
            Self::Unmet { .. } => "unmet",
            Self::Grace { .. } => "grace",
            Self::Superseded { .. } => "superseded",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// What it means: who is missing, who can lift it, until when.
    pub fn words(&self) -> String {
        match self {
            Self::Proposed { missing } => {
                format!("proposed: the signature of {} is missing", list(missing))
            }
            Self::Scheduled { from_unix_ms } => {
                format!("signed by all; begins at {}", UnixMs(*from_unix_ms))
            }
            Self::Active { until_unix_ms } => format!("active until {}", UnixMs(*until_unix_ms)),
            Self::Suspended { by } => {
                format!("suspended by {}; only who suspends can resume", list(by))
            }
            Self::Unmet { attributes } => {
                let wanted: Vec<_> = attributes.iter().map(|it| it.words()).collect();
                format!("the consumer is no {}, as the terms want it", wanted.join(" and no "))
            }
            Self::Grace { successor, until_unix_ms } => {
                format!(
                    "superseded by {successor}; holds beside it until {}",
                    UnixMs(*until_unix_ms)
                )
            }
            Self::Superseded { successor, at_unix_ms } => {
                format!("superseded by {successor}; over since {}", UnixMs(*at_unix_ms))
            }
            Self::Expired { at_unix_ms } => format!("expired at {}", UnixMs(*at_unix_ms)),
            Self::Revoked { by, at_unix_ms } => {
                format!("revoked by the {by} at {}; a new agreement is needed", UnixMs(*at_unix_ms))
            }
            Self::Rejected { by, at_unix_ms } => {
                format!("rejected by the {by} at {}", UnixMs(*at_unix_ms))
            }
        }
    }
}
