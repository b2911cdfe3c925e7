//! Every message in every state, and what the registry takes for a step.

use std::collections::BTreeSet;

use super::super::sample::{FROM, UNTIL, act, draft, proposed, signed};
use super::super::terms::{Draft, Supersedes};
use super::*;

const CONSUMER: &str = "ir/gov/tax/desk";
const SERVICE: &str = "ir/gov/care/cards/card.v1";
const GRACE_MS: u64 = 50_000_000;

/// An agreement in a state, with what surrounds it.
struct Case {
    agreement: Agreement,
    beside: Vec<Agreement>,
    now_unix_ms: u64,
}

impl Case {
    fn around(&self) -> Around<'_> {
        static NONE: BTreeSet<Attribute> = BTreeSet::new();
        let beside = self.beside.iter().collect();
        Around { beside, attributes: &NONE, now_unix_ms: self.now_unix_ms }
    }

    fn done(mut self, deed: Deed, party: Party) -> Self {
        self.agreement.acts.push(act(deed, party, FROM + 1_000));
        self
    }
}

fn successor() -> Agreement {
    let supersedes = Supersedes { agreement: proposed(1, plain()).id(), grace_ms: GRACE_MS };
    signed(2, Draft { supersedes: Some(supersedes), ..plain() })
}

fn plain() -> Draft {
    draft(CONSUMER, SERVICE)
}

/// An agreement in the state of this name.
fn in_state(name: &str) -> Case {
    let active =
        || Case { agreement: signed(1, plain()), beside: Vec::new(), now_unix_ms: FROM + 10_000 };
    match name {
        "proposed" => {
            let mut case = active();
            case.agreement.acts.pop();
            case
        }
        "scheduled" => Case { now_unix_ms: FROM - 1, ..active() },
        "active" => active(),
        "suspended" => active().done(Deed::Suspend, Party::Provider),
        "unmet" => {
            let draft = Draft { attributes: [Attribute::Portal].into(), ..plain() };
            Case { agreement: signed(1, draft), ..active() }
        }
        "grace" => Case { beside: vec![successor()], ..active() },
        "superseded" => {
            Case { beside: vec![successor()], now_unix_ms: FROM + GRACE_MS, ..active() }
        }
        "expired" => Case { now_unix_ms: UNTIL, ..active() },
        "revoked" => active().done(Deed::Revoke, Party::Consumer),
        "rejected" => in_state("proposed").done(Deed::Reject, Party::Provider),
        other => panic!("no state {other}"),
    }
}

/// What comes of `message`: the first four letters of the state after, or a word of the refusal.
fn outcome(case: &Case, message: &str) -> &'static str {
    let now = case.now_unix_ms;
    let (around, agreement) = (case.around(), &case.agreement);
    let after = match message.split_once(' ') {
        Some((deed, party)) => {
            let deed = Deed::ALL.into_iter().find(|known| known.name() == deed).unwrap();
            let party = Party::ALL.into_iter().find(|known| known.name() == party).unwrap();
            agreement.step(&act(deed, party, now.max(FROM + 2_000)), &around)
        }
        None if message == "supersede" => {
            agreement.may_cede(&successor(), &around).map(|()| agreement.clone())
        }
        // Time is a message too.
        None => {
            let later = Around { now_unix_ms: UNTIL, ..around };
            return &agreement.state(&later).name()[..4];
        }
    };
    match after {
        Ok(after) => &after.state(&around).name()[..4],
        Err(Refused::NotTheirs { .. }) => "who?",
        Err(Refused::SignedAlready { .. } | Refused::SuspendedAlready { .. }) => "done",
        Err(Refused::NotSuspendedBy { .. }) => "none",
        Err(Refused::WrongState { .. } | Refused::CannotSupersede { .. }) => "no",
        Err(other) => panic!("{other}"),
    }
}

/// Above each column the state before, at each row's begin the message.
const TABLE: &str = "
                      prop sche acti susp unme grac supe expi revo reje
sign consumer         done done done done done done done done done done
sign secretariat      acti done done done done done done done done no
sign centre           who? who? who? who? who? who? who? who? who? who?
reject consumer       reje no   no   no   no   no   no   no   no   no
reject provider       reje no   no   no   no   no   no   no   no   no
reject secretariat    reje no   no   no   no   no   no   no   no   no
reject centre         who? who? who? who? who? who? who? who? who? who?
suspend consumer      no   susp susp susp susp susp no   no   no   no
suspend provider      no   susp susp done susp susp no   no   no   no
suspend secretariat   who? who? who? who? who? who? who? who? who? who?
suspend centre        no   susp susp susp susp susp no   no   no   no
resume consumer       no   none none none none none no   no   no   no
resume provider       no   none none acti none none no   no   no   no
resume secretariat    who? who? who? who? who? who? who? who? who? who?
resume centre         no   none none none none none no   no   no   no
revoke consumer       no   revo revo revo revo revo no   no   no   no
revoke provider       no   revo revo revo revo revo no   no   no   no
revoke secretariat    no   revo revo revo revo revo no   no   no   no
revoke centre         no   revo revo revo revo revo no   no   no   no
supersede             no   sche acti susp unme no   no   no   no   no
expire                expi expi expi expi expi expi expi expi revo reje
";

#[test]
fn each_message_in_each_state() {
    let states = [
        "proposed",
        "scheduled",
        "active",
        "suspended",
        "unmet",
        "grace",
        "superseded",
        "expired",
        "revoked",
        "rejected",
    ];
    let (mut seen, parties) = (BTreeSet::new(), Party::ALL.map(Party::name));
    for row in TABLE.lines().skip(2) {
        let (message, cells) = row.split_at(20);
        let message = message.trim();
        seen.insert(message);
        let cells: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), states.len(), "{message}");
        for (state, want) in states.into_iter().zip(cells) {
            let case = in_state(state);
            assert_eq!(case.agreement.state(&case.around()).name(), state);
            assert_eq!(outcome(&case, message), want, "{message} in {state}");
        }
    }
    let all = Deed::ALL.into_iter().flat_map(|deed| parties.map(|party| format!("{deed} {party}")));
    let left: Vec<String> = all.filter(|message| !seen.contains(message.as_str())).collect();
    assert_eq!(left, ["sign provider"], "which is as the secretariat's, and in the fixtures");
}

#[test]
fn each_lifts_its_own_suspension_and_nobody_elses() {
    let case = in_state("suspended").done(Deed::Suspend, Party::Centre);
    let now = FROM + 5_000;
    let lift = |agreement: &Agreement, party, at| {
        agreement.step(&act(Deed::Resume, party, at), &case.around())
    };
    let state = |agreement: &Agreement| agreement.state(&case.around());
    assert_eq!(
        state(&case.agreement).words(),
        "suspended by the provider and the centre; only who suspends can resume"
    );
    let half = lift(&case.agreement, Party::Provider, now).unwrap();
    assert_eq!(state(&half), State::Suspended { by: vec![Party::Centre] });
    assert!(lift(&half, Party::Consumer, now).is_err());
    let whole = lift(&half, Party::Centre, now).unwrap();
    assert!(state(&whole).permits());
    // An old suspension that was lifted cannot be played again, a new one counts.
    let old = case.agreement.act(Party::Provider, Deed::Suspend).unwrap();
    let again = whole.step(old, &case.around());
    assert!(matches!(again, Err(Refused::OutOfOrder { .. })), "{again:?}");
    let anew = whole.step(&act(Deed::Suspend, Party::Provider, now + 1), &case.around()).unwrap();
    assert_eq!(anew.suspended_by(), [Party::Provider]);
    assert_eq!(anew.acts.len(), whole.acts.len() - 1, "of a party's suspensions the last is kept");
}

#[test]
fn a_successor_takes_over_when_it_is_in_force_and_grace_runs_from_then() {
    let old = signed(1, plain());
    let state = |successor: &Agreement, now_unix_ms| {
        let beside = vec![successor];
        old.state(&Around { beside, attributes: &[].into(), now_unix_ms })
    };
    let next = successor();
    assert_eq!(state(&next, FROM - 1).name(), "scheduled");
    let until_unix_ms = FROM + GRACE_MS;
    assert_eq!(state(&next, FROM), State::Grace { successor: next.id(), until_unix_ms });
    assert_eq!(state(&next, until_unix_ms - 1).name(), "grace");
    assert_eq!(state(&next, until_unix_ms).name(), "superseded");

    let mut unsigned = next.clone();
    unsigned.acts.pop();
    assert_eq!(state(&unsigned, until_unix_ms).name(), "active", "nobody's place is taken");
    let mut late = next.clone();
    late.acts[2].at_unix_ms = FROM + 7;
    assert_eq!(state(&late, FROM + 6).name(), "active");
    assert_eq!(state(&late, FROM + GRACE_MS).name(), "grace", "grace runs from the last signature");

    let mut withdrawn = next.clone();
    withdrawn.acts.push(act(Deed::Revoke, Party::Provider, FROM - 1));
    assert_eq!(state(&withdrawn, FROM).name(), "active", "it never began");
    let mut revoked = next;
    revoked.acts.push(act(Deed::Revoke, Party::Provider, FROM + 1));
    assert_eq!(state(&revoked, FROM + 2).name(), "grace", "what it replaced does not come back");
}

#[test]
fn the_registry_takes_steps_and_nothing_else() {
    let case = in_state("active");
    let around = case.around();
    let whole = &case.agreement;
    let unsigned = proposed(1, plain());
    assert_eq!(follow(None, whole, &around).unwrap().len(), 3, "signed beforehand");
    assert_eq!(follow(None, &unsigned, &around).unwrap().len(), 0);
    assert_eq!(follow(Some(&unsigned), whole, &around).unwrap().len(), 3);
    assert_eq!(follow(Some(whole), whole, &around), Ok(Vec::new()));
    assert_eq!(
        follow(Some(whole), &unsigned, &around),
        Err(Refused::History),
        "a signature is gone"
    );
    let mut moved = whole.clone();
    moved.acts.swap(0, 1);
    assert_eq!(follow(Some(whole), &moved, &around), Err(Refused::History));
    let mut other = whole.clone();
    other.acts[0].signature = [1; 64];
    let again = Err(Refused::OutOfOrder { party: Party::Consumer, at_unix_ms: FROM - 3_600_000 });
    assert_eq!(follow(Some(whole), &other, &around), again);

    let next = successor();
    assert_eq!(follow(None, &next, &around), Err(Refused::NoPredecessor));
    let around = Around { beside: vec![whole], ..around };
    assert_eq!(follow(None, &next, &around).unwrap().len(), 3);
    let elsewhere = Draft { service: "ir/gov/care/cards/card.v2".parse().unwrap(), ..plain() };
    let elsewhere = signed(3, Draft { supersedes: next.terms().supersedes, ..elsewhere });
    assert_eq!(follow(None, &elsewhere, &around), Err(Refused::OtherPair));
}

#[test]
fn what_may_come_into_force_is_not_forgotten() {
    for state in ["proposed", "scheduled", "active", "suspended", "unmet", "grace"] {
        let case = in_state(state);
        assert_eq!(forget(&case.agreement, &case.around()), Err(Refused::NotOver), "{state}");
    }
    for state in ["superseded", "expired", "revoked", "rejected"] {
        let case = in_state(state);
        assert_eq!(forget(&case.agreement, &case.around()), Ok(()), "{state}");
    }
}

#[test]
fn an_act_has_a_time_that_can_be_and_says_why() {
    let case = in_state("active");
    let mut suspend = act(Deed::Suspend, Party::Centre, case.now_unix_ms + CLOCK_AHEAD_MS_MAX + 1);
    let early = Refused::Early { at_unix_ms: suspend.at_unix_ms };
    assert_eq!(case.agreement.step(&suspend, &case.around()), Err(early));
    suspend.at_unix_ms -= 1;
    suspend.reason = "".into();
    let silent = case.agreement.step(&suspend, &case.around());
    assert_eq!(silent, Err(Refused::NoReason { deed: Deed::Suspend }));
}

#[test]
fn what_is_missing_is_said_in_words() {
    let cases = [
        ("proposed", "proposed: the signature of the secretariat is missing"),
        ("scheduled", "signed by all; begins at 1970-01-24T03:33:20Z"),
        ("active", "active until 1970-02-04T17:20:00Z"),
        ("unmet", "the consumer is no portal, as the terms want it"),
        ("expired", "expired at 1970-02-04T17:20:00Z"),
        ("revoked", "revoked by the consumer at 1970-01-24T03:33:21Z; a new agreement is needed"),
        ("rejected", "rejected by the provider at 1970-01-24T03:33:21Z"),
    ];
    for (state, want) in cases {
        let case = in_state(state);
        assert_eq!(case.agreement.state(&case.around()).words(), want);
    }
}
