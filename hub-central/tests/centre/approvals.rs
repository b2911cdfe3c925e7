//! Change sets that other operators must approve first.

use mesh_core::change_set::{Body, Part, State, Verdict};
use mesh_core::reason::Reason;

use crate::files::{Files, Running};
use crate::operator::{Operator, add, body, rename};

const RULES: &str = "[[rules]]\nkinds = [\"cluster\"]\nactions = [\"add\"]\napprovals = 1\n";

/// A centre whose rules want one approval for a new cluster.
async fn centre(files: &Files) -> Running<'_> {
    std::fs::write(files.path().join("rules.toml"), RULES).unwrap();
    let from = "file = \"registry.redb\"";
    let to = "file = \"registry.redb\", rules_file = \"rules.toml\"";
    Running::with(files, files.config(from, to)).await
}

#[tokio::test]
async fn the_last_approval_makes_the_change() {
    let files = Files::new();
    let running = centre(&files).await;
    let (mut sara, mut nima) = (Operator::sara(&running).await, Operator::nima(&running).await);
    let set = sara.submit(vec![add("a")]).await.unwrap();
    assert_eq!((&set.state, set.needs), (&State::Proposed, 1));
    assert_eq!(nima.list(true).await, [(set.id.to_string(), 1)]);

    let own = sara.decide(&set, Verdict::Approve).await.unwrap_err();
    assert_eq!(own.reason, Reason::ApprovalRefused, "{own}");
    let mut other = set.clone();
    other.sha256.0[31] ^= 1;
    let unread = nima.decide(&other, Verdict::Approve).await.unwrap_err();
    assert_eq!(unread.reason, Reason::ChangeSetClosed, "{unread}");
    let made = nima.decide(&set, Verdict::Approve).await.unwrap();
    assert!(matches!(made.state, State::Committed { revision: 2, .. }), "{made:?}");
    let again = nima.decide(&set, Verdict::Approve).await.unwrap_err();
    assert_eq!(again.reason, Reason::ChangeSetClosed, "{again}");
    assert!(nima.list(true).await.is_empty());
    // Another name for it needs no approval by these rules.
    assert!(matches!(
        sara.submit(vec![rename("a", "A")]).await.unwrap().state,
        State::Committed { .. }
    ));
    running.stop().await;
}

#[tokio::test]
async fn what_is_rejected_withdrawn_or_overtaken_stays_so_over_a_restart() {
    let files = Files::new();
    let running = centre(&files).await;
    let (mut sara, mut nima) = (Operator::sara(&running).await, Operator::nima(&running).await);
    let rejected = sara.submit(vec![add("a")]).await.unwrap();
    let withdrawn = sara.submit(vec![add("b")]).await.unwrap();
    let first = sara.submit(vec![add("c"), add("d")]).await.unwrap();
    let second = sara.submit(vec![add("d"), add("e")]).await.unwrap();
    nima.decide(&rejected, Verdict::Reject).await.unwrap();
    let others = nima.decide(&withdrawn, Verdict::Withdraw).await.unwrap_err();
    assert_eq!(others.reason, Reason::ApprovalRefused);
    sara.decide(&withdrawn, Verdict::Withdraw).await.unwrap();
    nima.decide(&first, Verdict::Approve).await.unwrap();
    let late = nima.decide(&second, Verdict::Approve).await.unwrap_err();
    assert_eq!(late.reason, Reason::RegistryConflict, "{late}");
    running.stop().await;

    let running = centre(&files).await;
    let mut sara = Operator::sara(&running).await;
    let states = [(rejected, "refused"), (withdrawn, "withdrawn"), (second, "overtaken")];
    for (set, want) in states.into_iter().chain([(first, "committed")]) {
        let found = sara.change_set(&set.id.to_string()).await.unwrap();
        assert_eq!(found.state.name(), want);
        assert!(found.decisions.len() <= 1, "{found:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn parts_are_made_in_their_order() {
    let files = Files::new();
    let running = centre(&files).await;
    let (mut sara, mut nima) = (Operator::sara(&running).await, Operator::nima(&running).await);
    let part = |number, follows| Some(Part { number, of: 2, follows });
    let first = Body { part: part(1, None), ..body("sara", vec![add("a")]) };
    let first = sara.submit_body(&first, false).await.unwrap();
    let second = Body { part: part(2, Some(first.id)), ..body("sara", vec![add("b")]) };
    let second = sara.submit_body(&second, false).await.unwrap();
    let early = nima.decide(&second, Verdict::Approve).await.unwrap_err();
    assert_eq!(early.reason, Reason::RegistryRefused);
    assert!(early.detail.contains(&first.id.to_string()), "{early}");
    for set in [&first, &second] {
        let made = nima.decide(set, Verdict::Approve).await.unwrap();
        assert!(matches!(made.state, State::Committed { .. }));
    }
    running.stop().await;
}
