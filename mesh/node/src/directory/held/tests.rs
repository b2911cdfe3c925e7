//! What is kept of a scope, and for whom.

use super::*;

const ENTRY_BYTES: usize = 1024;

fn head(revision: u64) -> Head {
    Head { epoch: 1, revision, hash: Some(Digest([revision as u8; 32])) }
}

fn entry() -> wire::Entry {
    wire::Entry { body: vec![0; ENTRY_BYTES].into(), signature: None }
}

fn laid(revision: u64) -> Laid {
    let body = vec![0; ENTRY_BYTES].into();
    Laid { head: head(revision), message: wire::Snapshot { body, signature: None } }
}

/// A scope that begins with the entry of revision 1.
fn grown(revisions: u64) -> Held {
    let mut held = Held::begin(head(1));
    for revision in 1..=revisions {
        let before = (1 < revision).then(|| Digest([revision as u8 - 1; 32]));
        held.push(before, head(revision), entry());
    }
    held
}

/// What is sent, as letters.
fn told(held: &Held, have: Option<Head>) -> Option<String> {
    let kinds = held.since(have)?;
    let letter = |kind: &Kind| if matches!(kind, Kind::Snapshot(_)) { 'S' } else { 'e' };
    Some(kinds.iter().map(letter).collect())
}

#[test]
fn who_lacks_something_gets_entries_where_they_lead_on_and_a_snapshot_where_not() {
    let mut held = grown(5);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(told(&held, None), text("eeeee"), "from the beginning");
    assert_eq!(told(&held, Some(head(3))), text("ee"));
    assert_eq!(told(&held, Some(head(5))), text(""));
    assert_eq!(told(&held, Some(head(9))), text(""), "it is ahead");
    let other = Head { hash: Some(Digest([99; 32])), ..head(5) };
    assert_eq!(told(&held, Some(other)), text(""), "another truth: nothing leads there");
    let other = Head { revision: 3, ..other };
    assert_eq!(told(&held, Some(other)), None, "that takes a snapshot");

    held.renew(laid(4));
    assert_eq!(told(&held, Some(other)), text("Se"));
    assert_eq!(told(&held, None), text("Se"), "who begins need not take it all");
    held.push(head(5).hash, head(6), entry());
    assert_eq!(told(&held, Some(head(2))), text("eeee"));
    assert!(held.passed(&head(4)) && held.passed(&head(6)) && !held.passed(&other));
}

#[test]
fn entries_before_a_snapshot_go_when_they_are_many_and_none_after_it() {
    let mut held = Held::begin(head(0));
    let mut before = head(0);
    let mut push = |held: &mut Held, count: u64| {
        for _ in 0..count {
            let revision = before.revision + 1;
            let hash = Some(Digest([revision as u8; 32]));
            let after = Head { epoch: 1, revision, hash };
            held.push(before.hash, after, entry());
            before = after;
        }
        before
    };
    let (first, many) = (1, 2 * EARLIER_ENTRIES_MAX as u64);
    push(&mut held, many);
    assert_eq!(held.entries.len() as u64, many, "without a snapshot they are all there is");
    assert!(held.overgrown());
    let at = push(&mut held, first);
    held.renew(Laid { head: at, ..laid(0) });
    assert!(!held.overgrown());
    assert!(held.entries.len() <= EARLIER_ENTRIES_MAX && held.bytes <= EARLIER_BYTES_MAX);
    assert_eq!(held.since(Some(head(2))).unwrap().len(), 1, "a snapshot, nothing after it");
    push(&mut held, many);
    assert_eq!(held.since(Some(at)).unwrap().len() as u64, many, "all since the snapshot");
    assert_eq!(held.entries.len() as u64, many, "and nothing before it");
    assert_eq!(held.bytes, held.later_bytes);
}
