//! What each party may do in which state: every change of an agreement is one step of this rule.

use super::state::{Around, SIGNERS, SUSPENDERS, State};
use super::{ACTS_MAX, Act, Agreement, Deed, Party};
use crate::directory::Attribute;
use crate::time::UnixMs;

/// An officer's clock may be ahead of the registry's by so much.
pub const CLOCK_AHEAD_MS_MAX: u64 = 5 * 60 * 1_000;

/// Why an act does not count, in words for its officer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("the {party} cannot {deed} an agreement")]
    NotTheirs { party: Party, deed: Deed },
    #[error("the {party} has signed already")]
    SignedAlready { party: Party },
    #[error("the {party} has suspended it already")]
    SuspendedAlready { party: Party },
    #[error("the {party} has not suspended it; each lifts only its own suspension")]
    NotSuspendedBy { party: Party },
    #[error("nobody can {deed} it: it is {}", state.words())]
    WrongState { deed: Deed, state: Box<State> },
    #[error("it cannot be superseded: it is {}", state.words())]
    CannotSupersede { state: Box<State> },
    #[error("it is between another consumer and service than the agreement that it supersedes")]
    OtherPair,
    #[error("the agreement that it supersedes is not there")]
    NoPredecessor,
    #[error("to {deed} wants a reason")]
    NoReason { deed: Deed },
    #[error(
        "the act is dated {}, which is not after what the {party} did before",
        UnixMs(*at_unix_ms)
    )]
    OutOfOrder { party: Party, at_unix_ms: u64 },
    #[error("the act is dated {}, which is in the future", UnixMs(*at_unix_ms))]
    Early { at_unix_ms: u64 },
    #[error("acts that were there are missing, changed or in another order")]
    History,
    #[error("it is in force or may come into force; it is ended by revoking or rejecting it")]
    NotOver,
}

impl Agreement {
    /// This, and what a party did to it; or why it cannot. The signature is for others to check.
    pub fn step(&self, act: &Act, around: &Around<'_>) -> Result<Self, Refused> {
        let Act { deed, party, at_unix_ms, .. } = *act;
        if around.now_unix_ms.saturating_add(CLOCK_AHEAD_MS_MAX) < at_unix_ms {
            return Err(Refused::Early { at_unix_ms });
        }
        // So that an old suspension cannot be played again once it was lifted.
        let before = self.acts.iter().filter(|earlier| earlier.party == party);
        if before.map(|earlier| earlier.at_unix_ms).max().is_some_and(|last| at_unix_ms <= last) {
            return Err(Refused::OutOfOrder { party, at_unix_ms });
        }
        let wants_reason = matches!(deed, Deed::Reject | Deed::Suspend | Deed::Revoke);
        if wants_reason && act.reason.is_empty() {
            return Err(Refused::NoReason { deed });
        }
        self.allows(deed, party, self.state(around))?;
        let mut after = self.clone();
        if deed == Deed::Suspend {
            // The registry's history keeps what came before.
            let earlier = [Deed::Suspend, Deed::Resume];
            after.acts.retain(|old| old.party != party || !earlier.contains(&old.deed));
        }
        after.acts.push(act.clone());
        debug_assert!(after.acts.len() <= ACTS_MAX);
        Ok(after)
    }

    /// The table of states and deeds.
    fn allows(&self, deed: Deed, party: Party, state: State) -> Result<(), Refused> {
        use State::{Active, Grace, Proposed, Scheduled, Suspended, Unmet};
        let theirs = match deed {
            Deed::Sign | Deed::Reject => SIGNERS.contains(&party),
            Deed::Suspend | Deed::Resume => SUSPENDERS.contains(&party),
            Deed::Revoke => true,
        };
        if !theirs {
            return Err(Refused::NotTheirs { party, deed });
        }
        match (deed, &state) {
            (Deed::Sign, _) if self.act(party, Deed::Sign).is_some() => {
                Err(Refused::SignedAlready { party })
            }
            (Deed::Sign | Deed::Reject, Proposed { .. }) => Ok(()),
            (Deed::Suspend, Suspended { by }) if by.contains(&party) => {
                Err(Refused::SuspendedAlready { party })
            }
            (Deed::Resume, Suspended { by }) if by.contains(&party) => Ok(()),
            (Deed::Resume, Scheduled { .. } | Active { .. } | Unmet { .. } | Grace { .. })
            | (Deed::Resume, Suspended { .. }) => Err(Refused::NotSuspendedBy { party }),
            (
                Deed::Suspend | Deed::Revoke,
                Scheduled { .. } | Active { .. } | Suspended { .. } | Unmet { .. } | Grace { .. },
            ) => Ok(()),
            _ => Err(Refused::WrongState { deed, state: Box::new(state) }),
        }
    }

    /// May `successor` be proposed in the place of this one?
    pub fn may_cede(&self, successor: &Self, around: &Around<'_>) -> Result<(), Refused> {
        let (old, new) = (self.terms(), successor.terms());
        if (&old.consumer, &old.service) != (&new.consumer, &new.service) {
            return Err(Refused::OtherPair);
        }
        match self.state(around) {
            State::Scheduled { .. }
            | State::Active { .. }
            | State::Suspended { .. }
            | State::Unmet { .. } => Ok(()),
            state => Err(Refused::CannotSupersede { state: Box::new(state) }),
        }
    }
}

/// Judges that the registry puts `new` in the place of `old`, which has the same id: it must be
/// made of `old` by steps. Gives the acts that are new, whose signatures are to be checked.
pub fn follow<'n>(
    old: Option<&Agreement>,
    new: &'n Agreement,
    around: &Around<'_>,
) -> Result<Vec<&'n Act>, Refused> {
    let mut now = match old {
        Some(old) => old.clone(),
        None => {
            enter(new, around)?;
            Agreement { written: new.written.clone(), acts: Vec::new() }
        }
    };
    let added: Vec<&Act> = new.acts.iter().filter(|act| !now.acts.contains(act)).collect();
    for act in &added {
        now = now.step(act, around)?;
    }
    if now == *new { Ok(added) } else { Err(Refused::History) }
}

/// Judges a proposal that the registry has not seen before.
fn enter(new: &Agreement, around: &Around<'_>) -> Result<(), Refused> {
    let Some(supersedes) = new.terms().supersedes else { return Ok(()) };
    let old = around.beside.iter().find(|other| other.id() == supersedes.agreement);
    old.ok_or(Refused::NoPredecessor)?.may_cede(new, around)
}

/// Judges that the registry forgets `old`.
pub fn forget(old: &Agreement, around: &Around<'_>) -> Result<(), Refused> {
    if old.state(around).is_over() { Ok(()) } else { Err(Refused::NotOver) }
}

impl Attribute {
    /// What a system with it is, such as `base database`.
    pub fn words(self) -> &'static str {
        match self {
            Self::BaseDatabase => "base database",
            Self::Portal => "portal",
            Self::Counter => "counter",
        }
    }
}

#[cfg(test)]
mod tests;
