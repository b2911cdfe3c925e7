//! Which field stands at a place of a configuration's text, and on which line a field stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of the byte `at`, from 1 on.
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|&&byte| byte == b'\n').count() + 1
}

/// The innermost field whose value covers `wanted`, as `listen.mesh`; of a key that no program
/// knows, its table. `None` at the top, and in text that is no TOML.
pub(super) fn field_at(text: &str, wanted: &Range<usize>) -> Option<String> {
    // The place of the whole file can be empty, and then any field would seem to cover it.
    if wanted.is_empty() {
        return None;
    }
    let root = DeTable::parse(text).ok()?;
    let names = in_table(root.get_ref(), wanted)?;
    (!names.is_empty()).then(|| names.join("."))
}

/// The line on which `field` stands. Where there are several, such as `nodes.name`, the one with
/// whose value `message` begins, and `None` if there is none such: a wrong line misleads.
pub(super) fn line_of(text: &str, field: &str, message: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let names: Vec<_> = field.split('.').collect();
    let mut spans = Vec::new();
    collect(root.get_ref(), &names, &mut spans);
    let span = match &spans[..] {
        [only] => only,
        // The last, since of two that are the same the second is one too many.
        several => several.iter().rev().find(|span| {
            let value = text.get(Range::clone(span)).unwrap_or_default().trim_matches('"');
            message.strip_prefix(value).is_some_and(|rest| rest.starts_with(' '))
        })?,
    };
    Some(line(text, span.start))
}

fn in_table<'t>(table: &'t DeTable<'_>, wanted: &Range<usize>) -> Option<Vec<&'t str>> {
    table.iter().find_map(|(key, value)| {
        if covers(&key.span(), wanted) {
            return Some(Vec::new());
        }
        let mut names = in_value(value, wanted)?;
        names.insert(0, key.get_ref());
        Some(names)
    })
}

/// What is below `value` first: the place of a table is its header alone.
fn in_value<'t>(value: &'t Spanned<DeValue<'_>>, wanted: &Range<usize>) -> Option<Vec<&'t str>> {
    let below = match value.get_ref() {
        DeValue::Table(table) => in_table(table, wanted),
        DeValue::Array(items) => items.iter().find_map(|item| in_value(item, wanted)),
        _ => None,
    };
    below.or_else(|| covers(&value.span(), wanted).then(Vec::new))
}

fn covers(span: &Range<usize>, wanted: &Range<usize>) -> bool {
    span.start <= wanted.start && wanted.end <= span.end
}

/// Adds the places of all values that `names` leads to.
fn collect(table: &DeTable<'_>, names: &[&str], spans: &mut Vec<Range<usize>>) {
    let [name, below @ ..] = names else { return };
    let Some((_, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { return };
    match value.get_ref() {
        _ if below.is_empty() => spans.push(value.span()),
        DeValue::Table(table) => collect(table, below, spans),
        DeValue::Array(items) => {
            let tables = items.iter().filter_map(|item| item.get_ref().as_table());
            tables.for_each(|table| collect(table, below, spans));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"cluster = "health"
limits = { exchanges_max = 1 }
[listen]
mesh = "127.0.0.1:1"
[[nodes]]
name = "one"
port = 7
[[nodes]]
name = "two"
port = 70
"#;

    #[test]
    fn a_place_is_that_of_the_innermost_field() {
        #[rustfmt::skip]
        let cases: &[(&str, Option<&str>)] = &[
            // What stands at the place, and the field.
            ("\"health\"",       Some("cluster")),
            ("cluster",          None),
            ("1 }",              Some("limits")),
            ("1",                Some("limits.exchanges_max")),
            ("[listen]",         Some("listen")),
            ("mesh",             Some("listen")),
            ("\"127.0.0.1:1\"",  Some("listen.mesh")),
            ("\"two\"",          Some("nodes.name")),
            ("70",               Some("nodes.port")),
            ("",                 None),
        ];
        for (what, want) in cases {
            let start = TEXT.find(what).unwrap();
            let field = field_at(TEXT, &(start..start + what.len()));
            assert_eq!(field.as_deref(), *want, "{what}");
        }
        assert_eq!(field_at(TEXT, &(0..TEXT.len())), None);
        assert_eq!(field_at("[listen", &(1..7)), None);
    }

    #[test]
    fn a_field_has_a_line_where_it_is_known_which_one_it_is() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<usize>)] = &[
            // Field, message, and its line.
            ("cluster",              "is unknown",       Some(1)),
            ("limits.exchanges_max", "1 is too few",     Some(2)),
            ("listen.mesh",          "is taken",         Some(4)),
            ("listen.admin",         "is taken",         None),
            ("cluster.mesh",         "is taken",         None),
            ("nodes.name",           "one is no node",   Some(6)),
            ("nodes.name",           "two is no node",   Some(9)),
            ("nodes.name",           "three is no node", None),
            ("nodes.port",           "7 is taken",       Some(7)),
            ("nodes.port",           "70 is taken",      Some(10)),
        ];
        for (field, message, want) in cases {
            assert_eq!(line_of(TEXT, field, message), *want, "{field}: {message}");
        }
        let twice = TEXT.replace("two", "one");
        assert_eq!(line_of(&twice, "nodes.name", "one is there twice"), Some(9));
    }
}
