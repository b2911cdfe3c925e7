//! One page for each reason that a refusal can carry, in one form, and no page for anything else.

use crate::Offence;
use crate::tree::TextFile;

/// Where the pages are. An index may stand beside them.
pub const FOLDER: &str = "docs/errors/";
const INDEX: &str = "docs/errors/README.md";

/// What an operator looks for, in this order, below a first line that names the reason.
const SECTIONS: [&str; 4] =
    ["## What it means", "## Who can mend it", "## What to check", "## Retry"];

/// Compares the reasons with the files below [`FOLDER`].
pub fn pages(reasons: &[&str], files: &[&TextFile]) -> Vec<Offence> {
    let missing = reasons.iter().filter(|reason| {
        let path = path_of(reason);
        !files.iter().any(|file| file.path == path)
    });
    let missing = missing.map(|reason| Offence {
        path: path_of(reason),
        line: 1,
        wrong: format!("the reason {reason} has no page"),
        remedy: "write one: an operator who meets the reason has nothing else to read",
    });
    let pages = files.iter().filter(|file| file.path != INDEX);
    missing.chain(pages.flat_map(|file| page(reasons, file))).collect()
}

fn page(reasons: &[&str], file: &TextFile) -> Vec<Offence> {
    let offence = |line, wrong, remedy| Offence { path: file.path.clone(), line, wrong, remedy };
    let Some(reason) = reasons.iter().find(|reason| path_of(reason) == file.path) else {
        let wrong = "the page belongs to no reason".to_owned();
        return vec![offence(1, wrong, "delete it, or name it after a reason")];
    };
    let mut offences = Vec::new();
    let title = format!("# {reason}");
    if file.text.lines().next() != Some(&title) {
        offences.push(offence(1, format!("the page does not begin with `{title}`"), "say so"));
    }
    let mut after = 1;
    for section in SECTIONS {
        match file.lines().find(|(line, text)| after < *line && *text == section) {
            Some((line, _)) => after = line,
            None => {
                let wrong = format!("the page has no `{section}` below this line");
                offences.push(offence(after, wrong, "add it; the order is the same on all pages"));
            }
        }
    }
    offences
}

fn path_of(reason: &str) -> String {
    format!("{FOLDER}{reason}.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(reason: &str) -> String {
        format!("# {reason}\n\n{}\n", SECTIONS.join("\n\nText.\n\n"))
    }

    #[test]
    fn pages_and_reasons_agree() {
        let swapped = whole("A").replace("means", "x").replace("Retry", "What it means");
        #[rustfmt::skip]
        let cases = [
            // Why                      Reasons         File            Text              Offences
            ("a whole page",            vec!["A"],      "A.md",         whole("A"),          0),
            ("an index is no page",     vec![],         "README.md",    "Hello.".to_owned(), 0),
            ("a reason without page",   vec!["A", "B"], "A.md",         whole("A"),          1),
            ("a page without reason",   vec![],         "A.md",         whole("A"),          1),
            ("another one's title",     vec!["A"],      "A.md",         whole("B"),          1),
            ("no sections",             vec!["A"],      "A.md",         "# A\n".to_owned(),  4),
            ("sections out of order",   vec!["A"],      "A.md",         swapped,             3),
        ];
        for (why, reasons, name, text, want) in cases {
            let file = TextFile { path: format!("{FOLDER}{name}"), text };
            let found = pages(&reasons, &[&file]);
            assert_eq!(found.len(), want, "{why}: {found:?}");
        }
    }
}
