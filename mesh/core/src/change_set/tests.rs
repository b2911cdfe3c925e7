//! Change sets against the rules of approval, case by case.

use super::*;

const RULES: &str = r#"
[[rules]]
kinds = ["link-key"]
actions = ["remove"]
approvals = 0

[[rules]]
kinds = ["cluster", "agency"]
approvals = 2

[[rules]]
approvals = 1
"#;

fn rules() -> Rules {
    toml::from_str(RULES).unwrap()
}

fn remove(key: &str) -> Written {
    Written { change: Change::Remove(key.parse().unwrap()), was: Some(Digest([1; 32])) }
}

fn set(changes: Vec<Written>) -> ChangeSet {
    let body = Body {
        base: (1, 7),
        changes,
        author: "sara".parse().unwrap(),
        reason: String::new(),
        written_at_unix_ms: 1_795_000_000_000,
        part: None,
    };
    let sha256 = Digest([0xab; 32]);
    ChangeSet {
        id: ChangeSetId::new(body.written_at_unix_ms, &sha256),
        sha256,
        needs: rules().needed(&body),
        body,
        decisions: Vec::new(),
        state: State::Proposed,
    }
}

fn by(operator: &str, verdict: Verdict) -> Decision {
    let operator = operator.parse().unwrap();
    Decision { operator, verdict, reason: String::new(), decided_at_unix_ms: 1 }
}

#[test]
fn ids_are_read_as_they_are_written_and_are_in_the_order_of_time() {
    let id = ChangeSetId::new(1_795_000_000_000, &Digest([0xab; 32]));
    assert_eq!(id.to_string(), "01a1ee565e00-abababababababababab");
    assert_eq!(id.to_string().parse(), Ok(id));
    let later = ChangeSetId::new(1_795_000_000_001, &Digest([0; 32]));
    assert!(id < later && id.to_string() < later.to_string());
    assert!(ChangeSetId::first_at(1_795_000_000_000) <= id);
    let wrong = ["", "01a1ee565e00", "01a1ee565e00-ab", "01A1EE565E00-abababababababababab"];
    for text in wrong.into_iter().chain(["01a1ee565e00-abababababababababaé"]) {
        assert_eq!(text.parse::<ChangeSetId>(), Err(ParseChangeSetIdError), "{text}");
    }
}

#[test]
fn the_first_rule_that_matches_holds_and_the_change_that_needs_most_decides() {
    let key = format!("link-key/hub.health.mesh.ir/{}", "00".repeat(32));
    let needed = |keys: &[&str]| {
        let changes = keys.iter().map(|key| remove(key)).collect();
        rules().needed(&set(changes).body)
    };
    assert_eq!(needed(&[&key]), 0);
    assert_eq!(needed(&["cluster/health"]), 2);
    assert_eq!(needed(&["system/ir/gov/care/cards"]), 1);
    assert_eq!(needed(&[&key, "system/ir/gov/care/cards", "cluster/health"]), 2);
    assert_eq!(rules().of(ObjectKind::LinkKey, Action::Add), 1);
    assert_eq!(Rules::default().of(ObjectKind::Cluster, Action::Remove), 0);
}

#[test]
fn rules_are_read_whole_or_not_at_all() {
    let wrong = |text: &str| toml::from_str::<Rules>(text).unwrap_err().to_string();
    #[rustfmt::skip]
    let cases = [
        ("kinds = [\"house\"]\napprovals = 1", "rule 1 names kind \"house\", want one of cluster,"),
        ("kinds = []\napprovals = 1",          "rule 1 has an empty list"),
        ("actions = []\napprovals = 1",        "rule 1 has an empty list"),
        ("actions = [\"burn\"]\napprovals = 1", "unknown variant"),
        ("approvals = 6",                      "rule 1 asks for 6 approvals, limit 5"),
        ("kinds = [\"cluster\"]",              "missing field `approvals`"),
        ("approval = 1",                       "unknown field `approval`"),
    ];
    for (rule, want) in cases {
        let said = wrong(&format!("[[rules]]\n{rule}\n"));
        assert!(said.contains(want), "{said:?} does not say {want:?}");
    }
    assert!(wrong(&"[[rules]]\napprovals = 1\n".repeat(101)).contains("101 rules, limit 100"));
}

#[test]
fn decides_by_one_operator_each_and_never_by_the_author() {
    use Verdict::{Approve, Reject, Withdraw};
    type Case =
        (&'static str, &'static [(&'static str, Verdict)], Result<&'static str, NotDecided>);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("an approval is not enough",  &[("omid", Approve)],                     Ok("proposed")),
        ("two do not commit it here",  &[("omid", Approve), ("nima", Approve)],  Ok("proposed")),
        ("one rejection refuses it",   &[("omid", Approve), ("nima", Reject)],   Ok("refused")),
        ("its author withdraws it",    &[("omid", Approve), ("sara", Withdraw)], Ok("withdrawn")),
        ("its author cannot approve",  &[("sara", Approve)],      Err(NotDecided::ByItsAuthor)),
        ("nor reject",                 &[("sara", Reject)],       Err(NotDecided::ByItsAuthor)),
        ("nobody else withdraws it",   &[("omid", Withdraw)],     Err(NotDecided::NotItsAuthor)),
        ("nobody decides twice",       &[("omid", Approve), ("omid", Approve)],
                                                                  Err(NotDecided::Twice)),
        ("nor thinks better of it",    &[("omid", Approve), ("omid", Reject)],
                                                                  Err(NotDecided::Twice)),
        ("what is closed stays so",    &[("omid", Reject), ("nima", Approve)],
                                                        Err(NotDecided::Closed("refused"))),
    ];
    for (why, decisions, want) in cases {
        let mut set = set(vec![remove("cluster/health")]);
        let mut all = decisions.iter().map(|(who, verdict)| set.decide(by(who, *verdict)));
        let last = all.find(Result::is_err).unwrap_or(Ok(()));
        assert_eq!(last.map(|()| set.state.name()), *want, "{why}");
    }
}

#[test]
fn approvals_add_up_to_what_the_rules_want() {
    let mut set = set(vec![remove("cluster/health")]);
    for (who, lacks) in [("omid", 1), ("nima", 0)] {
        set.decide(by(who, Verdict::Approve)).unwrap();
        assert_eq!(set.lacks(&rules()), lacks);
        assert_eq!(set.lacks(&Rules::default()), lacks, "the rules of its day hold too");
    }
    set.needs = 0;
    set.decisions.clear();
    assert_eq!(set.lacks(&rules()), 2, "and so do those of today");
}

#[test]
fn it_is_overtaken_where_an_object_is_no_longer_what_its_author_saw() {
    let set = set(vec![remove("cluster/health"), remove("cluster/justice")]);
    let justice: Key = "cluster/justice".parse().unwrap();
    assert_eq!(set.body.overtaken(|_| Some(Digest([1; 32]))), []);
    let changed = |key: &Key| (*key != justice).then_some(Digest([1; 32]));
    assert_eq!(set.body.overtaken(changed), ["cluster/justice".parse().unwrap()]);
}

#[test]
fn decisions_are_bounded() {
    let mut set = set(vec![remove("cluster/health")]);
    for number in 0..DECISIONS_MAX {
        set.decide(by(&format!("operator-{number}"), Verdict::Approve)).unwrap();
    }
    assert_eq!(set.decide(by("omid", Verdict::Approve)), Err(NotDecided::TooMany));
}
