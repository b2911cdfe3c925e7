//! Changes as people and programs see them: which object, and which of its fields.

use std::fmt::Write as _;

use mesh_core::directory::change::{ByKey, Change, Key, Object};
use serde::Serialize;
use serde_json::{Map, Value};

use super::json::value;
use crate::output::printable;

/// One change, beside what was there before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Shown {
    /// Such as `service/ir/gov/tax/debts/debt.v1`.
    pub(crate) key: String,
    pub(crate) action: Action,
    /// Of a changed object those that differ, of a new one all.
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Add,
    Change,
    Remove,
}

/// One field; `null` where it is not there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Field {
    name: String,
    from: Value,
    to: Value,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Counts {
    pub(crate) add: usize,
    pub(crate) change: usize,
    pub(crate) remove: usize,
}

/// `changes` of `have`, in their order.
pub(crate) fn shown(have: &ByKey, changes: &[Change]) -> Vec<Shown> {
    changes.iter().map(|change| one(have, change)).collect()
}

fn one(have: &ByKey, change: &Change) -> Shown {
    let key = change.key();
    let before = have.get(&key).map(fields_of).unwrap_or_default();
    let (action, after) = match change {
        Change::Remove(_) => {
            return Shown { key: key.to_string(), action: Action::Remove, fields: Vec::new() };
        }
        Change::Put(object) if have.contains_key(&key) => (Action::Change, fields_of(object)),
        Change::Put(object) => (Action::Add, fields_of(object)),
    };
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let fields = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let fields = fields.map(|name| {
        let value = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
        Field { name: name.clone(), from: value(&before), to: value(&after) }
    });
    Shown { key: key.to_string(), action, fields: fields.collect() }
}

/// The fields of an object as its source has them, without those of its own name.
fn fields_of(object: &Object) -> Map<String, Value> {
    let Value::Object(mut fields) = value(object) else { return Map::new() };
    for own in own_names(&object.key()) {
        fields.remove(*own);
    }
    fields
}

fn own_names(key: &Key) -> &'static [&'static str] {
    match key {
        Key::Cluster(_) | Key::Agreement(_) => &["id"],
        Key::Agency(_) | Key::System(_) | Key::Service(_) => &["address"],
        Key::LinkKey(..) => &["node", "spki_sha256"],
        Key::DirectoryKey(_) => &["public_key"],
    }
}

pub(crate) fn counts(all: &[Shown]) -> Counts {
    let count = |action| all.iter().filter(|shown| shown.action == action).count();
    Counts { add: count(Action::Add), change: count(Action::Change), remove: count(Action::Remove) }
}

/// As a diff: `+` for what is new, `~` for what changes, `-` for what goes.
pub(crate) fn text(all: &[Shown]) -> String {
    let mut text = String::new();
    for Shown { key, action, fields } in all {
        let sign = match action {
            Action::Add => '+',
            Action::Change => '~',
            Action::Remove => '-',
        };
        let _ = writeln!(text, "{sign} {}", printable(key));
        for field in fields {
            field_text(&mut text, *action, field);
        }
    }
    text
}

fn field_text(text: &mut String, action: Action, Field { name, from, to }: &Field) {
    // What a new object leaves empty says nothing.
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let _ = match (from, to) {
        (_, to) if action == Action::Add && is_empty(to) => Ok(()),
        (_, Value::Array(to)) if action == Action::Add => each(text, "    ", name, '+', to.iter()),
        (Value::Array(from), Value::Array(to)) => {
            let gone = from.iter().filter(|item| !to.contains(item));
            let came = to.iter().filter(|item| !from.contains(item));
            each(text, "    ", name, '-', gone).and_then(|()| each(text, "    ", name, '+', came))
        }
        (_, to) if action == Action::Add => writeln!(text, "    {name}: {}", plain(to)),
        (from, to) => writeln!(text, "    {name}: {} → {}", plain(from), plain(to)),
    };
}

fn each<'v>(
    text: &mut String,
    margin: &str,
    name: &str,
    sign: char,
    items: impl Iterator<Item = &'v Value>,
) -> std::fmt::Result {
    for item in items {
        writeln!(text, "{margin}{name}: {sign} {}", plain(item))?;
    }
    Ok(())
}

/// A value on one line: text without quotes, an object as its values.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::Objects;
    use mesh_core::directory::change::diff;

    use super::*;

    fn objects(text: &str) -> ByKey {
        toml::from_str::<Objects>(text).unwrap().into_by_key()
    }

    const BEFORE: &str = r#"
[[clusters]]
id = "health"
name_fa = "سلامت"
name_en = "Health"
hub = true
[[systems]]
address = "ir/gov/care/cards"
cluster = "health"
[[services]]
address = "ir/gov/care/cards/cards.v1"
timeout_ms = 5000
operations = [
  { id = "get", kind = "inquiry", method = "GET", path = "/{id}" },
  { id = "list", kind = "inquiry", method = "GET", path = "/" },
]
[[agencies]]
address = "ir/gov/old"
name_fa = "پیشین"
name_en = "Old"
"#;

    const AFTER: &str = r#"
[[clusters]]
id = "health"
name_fa = "سلامت"
name_en = "Health"
hub = true
[[systems]]
address = "ir/gov/care/cards"
attributes = ["base_database"]
[[services]]
address = "ir/gov/care/cards/cards.v1"
timeout_ms = 3000
operations = [
  { id = "get", kind = "inquiry", method = "GET", path = "/{id}" },
  { id = "put", kind = "submission", method = "PUT", path = "/{id}" },
]
[[agencies]]
address = "ir/gov/new"
name_fa = "نو"
name_en = "New"
"#;

    #[test]
    fn a_diff_names_the_fields() {
        let (have, want) = (objects(BEFORE), objects(AFTER));
        let all = shown(&have, &diff(&have, &want, |_| true));
        let expected = "\
+ agency/ir/gov/new
    name_en: New
    name_fa: نو
~ system/ir/gov/care/cards
    attributes: + base_database
    cluster: health → none
~ service/ir/gov/care/cards/cards.v1
    operations: - id list, kind inquiry, method GET, path /
    operations: + id put, kind submission, method PUT, path /{id}
    timeout_ms: 5000 → 3000
- agency/ir/gov/old
";
        assert_eq!(text(&all), expected);
        assert_eq!(counts(&all), Counts { add: 1, change: 2, remove: 1 });
    }
}
