//! What feeds carry, and what operators ask of the registry.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::change_set::{Body, Part, Written};
use mesh_core::directory::Ed25519Key;
use mesh_core::directory::change::{CHANGES_MAX, Change, Object, ObjectKind};
use mesh_core::directory::history::{Entry, Head, Heartbeat, SCOPE_CHANGES_MAX};
use mesh_core::directory::scope::Scope;
use mesh_core::limits::DETAIL_BYTES_MAX;
use mesh_proto::directory::{ScopeSnapshot, Signature};
use mesh_proto::registry::{PAGE_OBJECTS_MAX, Page};

use super::directory::objects;
use super::names::{agency, digest, label, mesh, parsed, text};
use crate::Dice;

/// Puts and removals; most of them would fit together.
fn changes(dice: &mut Dice) -> Vec<Change> {
    let objects: Vec<Object> = objects(dice).into();
    let change = |object: Object| {
        if dice.one_in(3) { Change::Remove(object.key()) } else { Change::Put(object) }
    };
    objects.into_iter().map(change).take(CHANGES_MAX).collect()
}

pub fn entry(dice: &mut Dice) -> Entry {
    Entry {
        scope: scope(dice),
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        previous: dice.maybe(digest),
        changes: changes(dice),
        committed_at_unix_ms: dice.within(0..=u64::MAX),
    }
}

pub fn check_entry(entry: &Entry) -> Result<(), String> {
    let changes = entry.changes.len();
    if changes <= SCOPE_CHANGES_MAX { Ok(()) } else { Err(format!("{changes} changes")) }
}

fn scope(dice: &mut Dice) -> Scope {
    match dice.below(3) {
        0 => Scope::Nation,
        1 => Scope::Cluster(parsed(&label(dice))),
        _ => Scope::Agency(agency(dice, "ir")),
    }
}

fn head(dice: &mut Dice) -> Head {
    Head {
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        hash: Some(digest(dice)),
    }
}

/// Heads of some scopes.
pub fn heads(dice: &mut Dice) -> BTreeMap<Scope, Head> {
    (0..dice.below(5)).map(|_| (scope(dice), head(dice))).collect()
}

pub fn heartbeat(dice: &mut Dice) -> Heartbeat {
    Heartbeat {
        sent_at_unix_ms: dice.within(0..=u64::MAX),
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        heads: heads(dice),
    }
}

pub fn signature(dice: &mut Dice) -> Signature {
    let key = Ed25519Key::new(digest(dice).0);
    let (first, second) = (digest(dice).0, digest(dice).0);
    let bytes = std::array::from_fn(|at| if at < 32 { first[at] } else { second[at - 32] });
    Signature { key, bytes }
}

pub fn scope_snapshot(dice: &mut Dice) -> ScopeSnapshot {
    ScopeSnapshot {
        mesh: mesh(),
        scope: scope(dice),
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        entry_hash: dice.maybe(digest),
        objects: objects(dice).into(),
    }
}

pub fn page(dice: &mut Dice) -> Page {
    let kind = *dice.pick(&ObjectKind::ALL);
    let after = objects(dice).into_by_key().into_keys().next_back();
    let of = dice.maybe(|dice| (dice.within(1..=u64::MAX), dice.within(0..=u64::MAX)));
    let limit = dice.within(1..=PAGE_OBJECTS_MAX as u64) as usize;
    Page { prefix: format!("{}/", kind.name()), after, limit, of }
}

pub fn body(dice: &mut Dice) -> Body {
    let remove = Change::Remove("cluster/health".parse().expect("a key"));
    let mut changes: Vec<Change> = std::iter::once(remove).chain(changes(dice)).collect();
    let mut keys = BTreeSet::new();
    changes.retain(|change| keys.insert(change.key()));
    changes.truncate(CHANGES_MAX);
    let changes = changes.into_iter();
    Body {
        base: (dice.within(0..=u64::MAX), dice.within(0..=u64::MAX)),
        changes: changes.map(|change| Written { change, was: dice.maybe(digest) }).collect(),
        author: "sara".parse().expect("a label"),
        reason: text(dice, 60).chars().filter(|found| !found.is_control()).collect(),
        written_at_unix_ms: dice.within(0..=u64::MAX),
        part: dice.maybe(|_| Part { number: 1, of: 3, follows: None }),
    }
}

pub fn check_body(body: &Body) -> Result<(), String> {
    if body.changes.is_empty() || DETAIL_BYTES_MAX < body.reason.len() {
        return Err("it has no change, or too long a reason".into());
    }
    let changes: Vec<Change> = body.changes.iter().map(|written| written.change.clone()).collect();
    bounded(&changes)
}

fn bounded(changes: &[Change]) -> Result<(), String> {
    if changes.len() <= CHANGES_MAX { Ok(()) } else { Err(format!("{} changes", changes.len())) }
}
