//! Who may ask what, and when: no agreement, no route; and one answer for "not allowed" and "not
//! there" to whoever has no agreement.

use std::fmt;

use crate::address::{ServiceAddress, SystemAddress};
use crate::agreement::{Agreement, AgreementId, State};
use crate::directory::Directory;
use crate::id::{OperationId, PurposeId};
use crate::reason::Reason;
use crate::time::UnixMs;

/// What a consumer wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'w> {
    pub consumer: &'w SystemAddress,
    pub service: &'w ServiceAddress,
    pub operation: &'w OperationId,
    pub purpose: &'w PurposeId,
}

/// Why a wish is not permitted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Denied {
    /// There is no agreement. Says the same whether the service exists or not, so that it can be
    /// told to anyone.
    NotPermitted,
    /// An agreement would let the wish pass, but for its state.
    State { agreement: AgreementId, state: State },
    /// An agreement is in force, for other operations.
    Operation,
    /// An agreement is in force, for other purposes.
    Purpose,
}

/// The agreement by which `wish` may pass at `now`.
pub fn decide<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
    now: UnixMs,
) -> Result<&'d Agreement, Denied> {
    let all = directory.agreements(wish.consumer, wish.service);
    let judged = all.map(|agreement| (agreement, judge(directory, agreement, wish, now)));
    let mut denied = Denied::NotPermitted;
    for (agreement, judged) in judged {
        match judged {
            Ok(()) => return Ok(agreement),
            Err(why) if denied.rank() < why.rank() => denied = why,
            Err(_) => {}
        }
    }
    Err(denied)
}

/// The agreement that a header names, if `wish` may pass by it at `now`.
pub fn confirm<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
    named: &AgreementId,
    now: UnixMs,
) -> Result<&'d Agreement, Denied> {
    let mut all = directory.agreements(wish.consumer, wish.service);
    let agreement = all.find(|it| it.id() == *named).ok_or(Denied::NotPermitted)?;
    judge(directory, agreement, wish, now).map(|()| agreement)
}

fn judge(
    directory: &Directory,
    agreement: &Agreement,
    wish: &Wish<'_>,
    now: UnixMs,
) -> Result<(), Denied> {
    let terms = agreement.terms();
    let covers_operation = terms.operations.contains(wish.operation);
    let covers_purpose = terms.purposes.contains_key(wish.purpose);
    let state = agreement.state(&directory.around(agreement, now));
    match state {
        // It never was one.
        State::Rejected { .. } => Err(Denied::NotPermitted),
        state if !state.permits() && covers_operation && covers_purpose => {
            Err(Denied::State { agreement: agreement.id(), state })
        }
        state if !state.permits() => Err(Denied::NotPermitted),
        _ if !covers_operation => Err(Denied::Operation),
        _ if !covers_purpose => Err(Denied::Purpose),
        _ => Ok(()),
    }
}

impl Denied {
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotPermitted => Reason::NotPermitted,
            Self::Operation => Reason::OperationNotPermitted,
            Self::Purpose => Reason::PurposeNotPermitted,
            Self::State { state, .. } => match state {
                State::Proposed { .. } | State::Scheduled { .. } => Reason::AgreementPending,
                State::Suspended { .. } => Reason::AgreementSuspended,
                State::Unmet { .. } => Reason::AttributeMissing,
                State::Expired { .. } => Reason::AgreementExpired,
                State::Superseded { .. } => Reason::AgreementSuperseded,
                State::Revoked { .. } => Reason::AgreementRevoked,
                // None of these denies, or is told.
                State::Active { .. } | State::Grace { .. } | State::Rejected { .. } => {
                    Reason::NotPermitted
                }
            },
        }
    }

    /// Of several agreements the one is told of that is nearest to letting the wish pass.
    fn rank(&self) -> u8 {
        match self {
            Self::NotPermitted => 0,
            Self::Operation => 1,
            Self::Purpose => 2,
            Self::State { state, .. } => match state {
                State::Revoked { .. } => 3,
                State::Superseded { .. } => 4,
                State::Expired { .. } => 5,
                State::Proposed { .. } => 6,
                State::Scheduled { .. } => 7,
                State::Unmet { .. } => 8,
                _ => 9,
            },
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => f.write_str(
                "no agreement lets this consumer use this operation of this service for this \
                 purpose",
            ),
            Self::Operation => f.write_str("the agreement does not name this operation"),
            Self::Purpose => f.write_str("the agreement does not name this purpose"),
            Self::State { agreement, state } => {
                write!(f, "agreement {agreement} is {}", state.words())
            }
        }
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::sample::{FROM, UNTIL, act};
    use crate::agreement::{Deed, Party};
    use crate::directory::tests::{build, sample};
    use crate::id::PurposeId;

    const DESK: &str = "ir/gov/tax/desk";
    const DEBT: &str = "ir/gov/tax/debts/debt.v1";
    const NOW: UnixMs = UnixMs(FROM + 1_000);

    struct Asked(SystemAddress, ServiceAddress, OperationId, PurposeId);

    impl Asked {
        fn new(consumer: &str, service: &str, operation: &str, purpose: &str) -> Self {
            let (consumer, service) = (consumer.parse().unwrap(), service.parse().unwrap());
            Self(consumer, service, operation.parse().unwrap(), purpose.parse().unwrap())
        }

        fn wish(&self) -> Wish<'_> {
            Wish { consumer: &self.0, service: &self.1, operation: &self.2, purpose: &self.3 }
        }
    }

    #[test]
    fn decides() {
        let directory = build(sample()).unwrap();
        let objects = directory.objects();
        let id = objects.agreements.iter().find(|it| it.terms().title == "local");
        let id = id.unwrap().id();
        #[rustfmt::skip]
        let cases = [
            // Consumer            Service                     Operation  Purpose    Reason
            (DESK,                DEBT,                       "get",     "licence", None),
            (DESK,                DEBT,                       "get",     "census",
                Some(Reason::PurposeNotPermitted)),
            (DESK,                DEBT,                       "put",     "licence",
                Some(Reason::OperationNotPermitted)),
            (DESK,                "ir/gov/tax/debts/debt.v2", "get",     "licence",
                Some(Reason::NotPermitted)),
            ("ir/gov/books/desk", DEBT,                       "get",     "licence",
                Some(Reason::NotPermitted)),
            (DESK,                "ir/gov/tax/none/none.v1",  "get",     "licence",
                Some(Reason::NotPermitted)),
        ];
        for (consumer, service, operation, purpose, want) in cases {
            let asked = Asked::new(consumer, service, operation, purpose);
            let wish = asked.wish();
            let found = decide(&directory, &wish, NOW);
            assert_eq!(found.as_ref().err().map(Denied::reason), want, "{wish:?}");
            let confirmed = confirm(&directory, &wish, &id, NOW);
            assert_eq!(confirmed.as_ref().err().map(Denied::reason), want, "{wish:?}");
            let other = AgreementId(crate::exchange::Digest([0xee; 32]));
            assert_eq!(confirm(&directory, &wish, &other, NOW), Err(Denied::NotPermitted));
        }
    }

    #[test]
    fn says_why_to_whoever_has_an_agreement_and_to_nobody_else() {
        let reason = |change: &dyn Fn(&mut Agreement), now: u64| {
            let mut objects = sample();
            let agreement = objects.agreements.iter_mut().find(|it| it.terms().title == "local");
            change(agreement.unwrap());
            let directory = build(objects).unwrap();
            let asked = Asked::new(DESK, DEBT, "get", "licence");
            let denied = decide(&directory, &asked.wish(), UnixMs(now)).unwrap_err();
            let stranger = Asked::new("ir/gov/books/desk", DEBT, "get", "licence");
            let theirs = decide(&directory, &stranger.wish(), UnixMs(now));
            assert_eq!(theirs, Err(Denied::NotPermitted));
            denied.reason()
        };
        let did = |deed, party| {
            move |agreement: &mut Agreement| agreement.acts.push(act(deed, party, FROM))
        };
        let unsigned = |agreement: &mut Agreement| {
            agreement.acts.pop();
        };
        let suspended = did(Deed::Suspend, Party::Provider);
        assert_eq!(reason(&suspended, NOW.0), Reason::AgreementSuspended);
        assert_eq!(reason(&did(Deed::Revoke, Party::Centre), NOW.0), Reason::AgreementRevoked);
        assert_eq!(reason(&did(Deed::Reject, Party::Provider), NOW.0), Reason::NotPermitted);
        assert_eq!(reason(&unsigned, NOW.0), Reason::AgreementPending);
        assert_eq!(reason(&|_| {}, FROM - 1), Reason::AgreementPending);
        assert_eq!(reason(&|_| {}, UNTIL), Reason::AgreementExpired);
    }
}
