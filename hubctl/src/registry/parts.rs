//! Changes in parts that one change set takes each, and after each of which the objects of the
//! registry fit together: so a sequence never sticks half way for want of what comes later.

use std::collections::VecDeque;

use mesh_core::change_set::CHANGE_SET_BYTES_MAX;
use mesh_core::directory::change::{self, ByKey, CHANGES_MAX, Change};
use mesh_core::directory::{Directory, DirectoryError};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::write_change;
use prost::Message as _;

/// Bytes of the changes of one part: room is left for what stands around them, and for the many
/// agencies that they may be told to.
const PART_BYTES_MAX: usize = CHANGE_SET_BYTES_MAX - 64 * 1024;

/// What stands around each change in a change set: the digest of what was there, and tags.
const CHANGE_BYTES_OVERHEAD: usize = 64;

/// Changes that need each other and are too many for one change set.
#[derive(Debug, thiserror::Error)]
#[error(
    "no part of these changes can be made first: {0}; apply in two steps, the first without the \
     objects that name each other"
)]
pub(crate) struct Knot(DirectoryError);

/// The parts of `changes`, which as a whole make sound objects of `have`.
pub(crate) fn parts(
    mesh: &MeshDomain,
    have: &ByKey,
    changes: Vec<Change>,
) -> Result<Vec<Vec<Change>>, Knot> {
    let mut rest: VecDeque<Change> = changes.into();
    let mut now = have.clone();
    let mut parts = Vec::new();
    while let Some(part) = next(&mut rest) {
        if parts.is_empty() && rest.is_empty() {
            // All of them at once, which was judged before.
            return Ok(vec![part]);
        }
        let (part, after) = sound(mesh, &now, part, &mut rest)?;
        now = after;
        parts.push(part);
    }
    Ok(parts)
}

/// The next changes in their order, as many as one part takes.
fn next(rest: &mut VecDeque<Change>) -> Option<Vec<Change>> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    while let Some(change) = rest.front() {
        bytes += bytes_of(change);
        // One that is too large by itself is sent all the same: the centre says so.
        if !part.is_empty() && (part.len() == CHANGES_MAX || PART_BYTES_MAX < bytes) {
            break;
        }
        part.extend(rest.pop_front());
    }
    (!part.is_empty()).then_some(part)
}

/// The part that begins like `part`, is sound, and is small enough; and the objects after it. What
/// it needs comes out of `rest`, and what is too much goes back there.
fn sound(
    mesh: &MeshDomain,
    now: &ByKey,
    mut part: Vec<Change>,
    rest: &mut VecDeque<Change>,
) -> Result<(Vec<Change>, ByKey), Knot> {
    if let Ok(closed) = close(mesh, now, part.clone(), rest) {
        return Ok(closed);
    }
    // What hangs together stands further back: first what comes before it, then that alone.
    let makes_sound = |count: &usize| {
        let after = change::apply(now, &part[..*count]);
        after.is_ok_and(|after| misfit(mesh, &after).is_none())
    };
    let count = (1..part.len()).take_while(makes_sound).last();
    put_back(&mut part, count.unwrap_or(1), rest);
    close(mesh, now, part, rest)
}

/// `part` with all that it needs of `rest`, if that is not too much; else `rest` is as it was.
fn close(
    mesh: &MeshDomain,
    now: &ByKey,
    mut part: Vec<Change>,
    rest: &mut VecDeque<Change>,
) -> Result<(Vec<Change>, ByKey), Knot> {
    let before = rest.clone();
    loop {
        let after = change::apply(now, &part).unwrap_or_else(|_| now.clone());
        let Some(wrong) = misfit(mesh, &after) else { return Ok((part, after)) };
        let needed = rest.iter().position(|change| is_of(change, &wrong));
        part.extend(needed.and_then(|at| rest.remove(at)));
        if needed.is_none() || is_full(&part) {
            *rest = before;
            return Err(Knot(wrong));
        }
    }
}

/// Leaves `count` changes in `part`, and puts the others before `rest`.
fn put_back(part: &mut Vec<Change>, count: usize, rest: &mut VecDeque<Change>) {
    for change in part.split_off(count).into_iter().rev() {
        rest.push_front(change);
    }
}

fn misfit(mesh: &MeshDomain, objects: &ByKey) -> Option<DirectoryError> {
    let objects = objects.values().cloned().collect();
    Directory::build(mesh.clone(), DirectoryPosition::default(), objects).err()
}

/// Is `change` of the object that does not fit?
fn is_of(change: &Change, wrong: &DirectoryError) -> bool {
    let (DirectoryError::Twice { kind, name }
    | DirectoryError::Missing { kind, name, .. }
    | DirectoryError::Unfit { kind, name, .. }) = wrong;
    let key = change.key();
    key.kind().name() == *kind && key.name() == *name
}

fn is_full(part: &[Change]) -> bool {
    CHANGES_MAX < part.len() || PART_BYTES_MAX < part.iter().map(bytes_of).sum()
}

fn bytes_of(change: &Change) -> usize {
    write_change(change).encoded_len() + CHANGE_BYTES_OVERHEAD
}

#[cfg(test)]
mod tests {
    use mesh_core::agreement::terms::{Draft, Quota};
    use mesh_core::agreement::{Agreement, AgreementId, Terms};
    use mesh_core::directory::Objects;
    use mesh_core::directory::change::{Object, diff};
    use mesh_core::exchange::Digest;

    use super::*;

    fn mesh() -> MeshDomain {
        MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
    }

    /// A service with one operation that every system may use.
    fn registry(systems: usize, operation: &str) -> ByKey {
        use std::fmt::Write as _;

        let mut text = String::from(
            "[[agencies]]\naddress = \"ir/gov/tax\"\nname_fa = \"\"\nname_en = \"\"\n",
        );
        for number in 0..systems {
            let _ = write!(text, "[[systems]]\naddress = \"ir/gov/tax/s{number}\"\n");
        }
        let _ = write!(
            text,
            "[[services]]\naddress = \"ir/gov/tax/s0/debts.v1\"\noperations = [\n  \
             {{ id = \"{operation}\", kind = \"inquiry\", method = \"GET\", path = \"/\" }}\n]\n"
        );
        let mut objects: Objects = toml::from_str(&text).unwrap();
        objects.agreements = (1..systems).map(|number| agreement(number, operation)).collect();
        objects.into_by_key()
    }

    /// Of another operation it is the same agreement here, which no real one is.
    fn agreement(number: usize, operation: &str) -> Agreement {
        let consumer = format!("ir/gov/tax/s{number}").parse().unwrap();
        let draft = Draft {
            title: "a test".into(),
            operations: [operation.parse().unwrap()].into(),
            purposes: [("care".parse().unwrap(), "act 7".into())].into(),
            granted_fields: ["".parse().unwrap()].into(),
            quota: Quota { per_second: 1, burst: 1, per_day: 1 },
            valid_from_unix_ms: 1,
            valid_until_unix_ms: 2,
            ..Draft::between(consumer, "ir/gov/tax/s0/debts.v1".parse().unwrap())
        };
        let id = AgreementId(Digest([number as u8; 32]));
        Agreement::proposed(id, operation.as_bytes(), Terms::new(draft).unwrap())
    }

    /// Each part is made, and leaves sound objects; together they make `want`.
    fn check(have: &ByKey, want: &ByKey) -> usize {
        let changes = diff(have, want, |_| true);
        let parts = parts(&mesh(), have, changes.clone()).unwrap();
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), changes.len());
        let mut now = have.clone();
        for part in &parts {
            assert!((1..=CHANGES_MAX).contains(&part.len()));
            now = change::apply(&now, part).unwrap();
            assert_eq!(misfit(&mesh(), &now), None);
        }
        assert_eq!(&now, want);
        parts.len()
    }

    #[test]
    fn what_is_too_much_for_one_is_made_in_parts() {
        let (none, all) = (ByKey::new(), registry(100, "get"));
        assert_eq!(check(&none, &all), 3);
        assert_eq!(check(&all, &none), 3);
        assert_eq!(check(&none, &registry(10, "get")), 1);
        assert_eq!(parts(&mesh(), &all, Vec::new()).unwrap().len(), 0);
    }

    #[test]
    fn what_must_change_together_comes_into_one_part() {
        // The service's operation gets another name, and all that may use it with it.
        let before = registry(60, "get");
        let mut want = registry(60, "fetch");
        // Enough that stands between in the order of keys.
        for number in 0..40 {
            let agency = format!(
                "[[agencies]]\naddress = \"ir/gov/new{number}\"\nname_fa = \"\"\nname_en = \"\"\n"
            );
            want.extend(toml::from_str::<Objects>(&agency).unwrap().into_by_key());
        }
        assert_eq!(check(&before, &want), 2);
    }

    #[test]
    fn a_knot_that_is_too_large_is_told() {
        let (before, want) = (registry(100, "get"), registry(100, "fetch"));
        let changes = diff(&before, &want, |_| true);
        let knot = parts(&mesh(), &before, changes).unwrap_err().to_string();
        assert!(knot.contains("apply in two steps"), "{knot}");
    }

    #[test]
    fn parts_are_bounded_in_bytes() {
        let agency = |number: usize| {
            let name = "x".repeat(7000);
            let text = format!(
                "[[agencies]]\naddress = \"ir/gov/a{number}\"\nname_fa = \"\"\n\
                 name_en = \"{name}\"\n"
            );
            toml::from_str::<Objects>(&text).unwrap()
        };
        let all: Vec<Object> = (0..60).map(agency).flat_map(Vec::<Object>::from).collect();
        let changes: Vec<Change> = all.into_iter().map(Change::Put).collect();
        let parts = parts(&mesh(), &ByKey::new(), changes).unwrap();
        let bytes = parts.iter().map(|part| part.iter().map(bytes_of).sum::<usize>());
        assert!(bytes.max() <= Some(PART_BYTES_MAX) && 1 < parts.len());
    }
}
