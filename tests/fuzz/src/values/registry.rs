//! What changes a directory: entries of a feed, and what operators ask of the registry.

use std::collections::BTreeSet;

use mesh_core::change_set::{Body, Part, Written};
use mesh_core::directory::change::{CHANGES_MAX, Change, Object, ObjectKind};
use mesh_core::directory::history::{Entry, Head};
use mesh_core::limits::DETAIL_BYTES_MAX;
use mesh_proto::registry::{PAGE_OBJECTS_MAX, Page};

use super::directory::objects;
use super::names::{digest, text};
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
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        previous: dice.maybe(digest),
        changes: changes(dice),
        committed_at_unix_ms: dice.within(0..=u64::MAX),
    }
}

pub fn check_entry(entry: &Entry) -> Result<(), String> {
    bounded(&entry.changes)
}

pub fn follow(dice: &mut Dice) -> Option<Head> {
    dice.maybe(|dice| Head {
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        hash: dice.maybe(digest),
    })
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
