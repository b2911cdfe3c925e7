//! Agreements for the tests of the rules; nobody has looked at their signatures.

use super::terms::{Draft, Quota, Terms};
use super::{Act, Agreement, AgreementId, Deed, Party};
use crate::exchange::Digest;

pub(crate) const FROM: u64 = 2_000_000_000;
pub(crate) const UNTIL: u64 = 3_000_000_000;

/// Lets the desk of `consumer` read debts for licences, from [`FROM`] until [`UNTIL`].
pub(crate) fn draft(consumer: &str, service: &str) -> Draft {
    Draft {
        title: "debts for licences".into(),
        operations: ["get".parse().unwrap()].into(),
        purposes: [("licence".parse().unwrap(), "act 7 of 1395".into())].into(),
        granted_fields: ["".parse().unwrap()].into(),
        quota: Quota { per_second: 10, burst: 20, per_day: 10_000 },
        valid_from_unix_ms: FROM,
        valid_until_unix_ms: UNTIL,
        retention_days: 30,
        ..Draft::between(consumer.parse().unwrap(), service.parse().unwrap())
    }
}

/// A proposal whose id is made of `number`.
pub(crate) fn proposed(number: u8, draft: Draft) -> Agreement {
    let id = AgreementId(Digest([number; 32]));
    Agreement::proposed(id, [number], Terms::new(draft).unwrap())
}

pub(crate) fn act(deed: Deed, party: Party, at_unix_ms: u64) -> Act {
    let reason = if deed == Deed::Sign { "" } else { "because" };
    Act { deed, party, at_unix_ms, reason: reason.into(), chain: Vec::new(), signature: [0; 64] }
}

/// The same, signed by all an hour before it begins.
pub(crate) fn signed(number: u8, draft: Draft) -> Agreement {
    let mut agreement = proposed(number, draft);
    for party in super::state::SIGNERS {
        agreement.acts.push(act(Deed::Sign, party, FROM - 3_600_000));
    }
    agreement
}
