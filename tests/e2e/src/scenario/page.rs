//! The scenarios as `docs/scenarios.md` shows them.

use std::fmt::Write as _;

use super::Group;

/// Below this line the page is written by its test.
pub const MARKER: &str = "<!-- The tables below are checked against the scenarios' code. -->";

/// All groups, as Markdown.
pub fn page(groups: &[Group]) -> String {
    groups.iter().map(section).collect()
}

fn section(group: &Group) -> String {
    let mut text = format!("\n## {}\n\n", group.title);
    text.push_str("| name | what is done | HTTP | reason | hop | service asked |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for case in group.cases {
        let (status, reason, hop) = case.want.columns();
        let reason = match reason.as_str() {
            "" | "none" => reason,
            name => format!("[{name}](errors/{name}.md)"),
        };
        let (name, done, asks) = (case.name, case.done, case.want.asks());
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {done} | {status} | {reason} | {hop} | {asks} |");
    }
    if !group.left_out.is_empty() {
        text.push_str("\nLeft out:\n\n| name | why |\n| --- | --- |\n");
        for left_out in group.left_out {
            let _ = writeln!(text, "| `{}` | {} |", left_out.name, left_out.why);
        }
    }
    text
}
