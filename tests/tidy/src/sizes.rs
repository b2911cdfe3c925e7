//! Sizes that a reader can hold in the head, and the sentence that begins every file.

use crate::Offence;
use crate::outline::Outline;
use crate::tree::TextFile;

const FILE_LINES_MAX: usize = 500;
const MAIN_LINES_MAX: usize = 40;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;
const PARAMETERS_MAX: usize = 5;

/// Files: 500 lines, and 40 for a `main.rs`, which has nothing to do but to call the library.
pub fn files(file: &TextFile) -> Vec<Offence> {
    let is_main = file.path.ends_with("/main.rs");
    let (max, remedy) = if is_main {
        (MAIN_LINES_MAX, "move the work into modules that a test can call")
    } else {
        (FILE_LINES_MAX, "split it by noun into modules")
    };
    let lines = file.text.lines().count();
    if lines <= max {
        return Vec::new();
    }
    vec![Offence {
        path: file.path.clone(),
        line: max + 1,
        wrong: format!("the file has {lines} lines, want {max} at most"),
        remedy,
    }]
}

/// Lines: 100 columns, counted in characters.
pub fn lines(file: &TextFile) -> Vec<Offence> {
    let widths = file.lines().map(|(line, text)| (line, text.chars().count()));
    let wide = widths.filter(|(_, columns)| LINE_COLUMNS_MAX < *columns);
    wide.map(|(line, columns)| Offence {
        path: file.path.clone(),
        line,
        wrong: format!("the line has {columns} columns, want {LINE_COLUMNS_MAX} at most"),
        remedy: "break it, or give a part of it a name",
    })
    .collect()
}

/// Functions: 70 lines from the signature to the closing brace, and 5 parameters besides `self`.
pub fn functions(file: &TextFile, outline: &Outline) -> Vec<Offence> {
    let mut offences = Vec::new();
    for function in &outline.functions {
        let mut offend = |what: String, remedy| {
            let path = file.path.clone();
            let wrong = format!("`{}` has {what} at most", function.name);
            offences.push(Offence { path, line: function.line, wrong, remedy });
        };
        let (lines, parameters) = (function.lines, function.parameters);
        if FUNCTION_LINES_MAX < lines {
            let what = format!("{lines} lines, want {FUNCTION_LINES_MAX}");
            offend(what, "give one of its steps a name and move it out");
        }
        if PARAMETERS_MAX < parameters {
            let what = format!("{parameters} parameters, want {PARAMETERS_MAX}");
            offend(what, "those that belong together are a struct");
        }
    }
    offences
}

/// Every Rust file says first, in a sentence, what it is.
pub fn headings(file: &TextFile) -> Vec<Offence> {
    let first = file.text.lines().next().unwrap_or_default();
    let says_something = first.strip_prefix("//! ").is_some_and(|text| !text.trim().is_empty());
    if says_something {
        return Vec::new();
    }
    vec![Offence {
        path: file.path.clone(),
        line: 1,
        wrong: "the file does not begin with a `//!` sentence".into(),
        remedy: "say on the first line what the file is for",
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: String) -> TextFile {
        TextFile { path: path.into(), text }
    }

    #[test]
    fn a_file_has_a_length() {
        for (path, lines, offences) in
            [("a/lib.rs", 500, 0), ("a/lib.rs", 501, 1), ("a/main.rs", 40, 0), ("a/main.rs", 41, 1)]
        {
            let found = files(&file(path, "\n".repeat(lines)));
            assert_eq!(found.len(), offences, "{path} with {lines} lines");
        }
    }

    #[test]
    fn a_line_has_a_width_in_characters() {
        assert_eq!(lines(&file("a.rs", "→".repeat(100))), []);
        let found = lines(&file("a.rs", format!("\n{}", "→".repeat(101))));
        assert_eq!(found[0].line, 2);
        assert_eq!(found[0].wrong, "the line has 101 columns, want 100 at most");
    }

    #[test]
    fn a_function_has_a_length_and_a_number_of_parameters() {
        #[rustfmt::skip]
        let cases = [
            // Text                                                         Offences
            (format!("fn a() {{{}}}", "\n".repeat(69)),                     0),
            (format!("fn a() {{{}}}", "\n".repeat(70)),                     1),
            ("fn a(b: u8, c: u8, d: u8, e: u8, f: u8) {}".into(),           0),
            ("fn a(b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}".into(),    1),
            ("impl A { fn a(&self, b: B, c: B, d: B, e: B, f: B) {} }".into(), 0),
        ];
        for (text, want) in cases {
            let file = file("a.rs", text);
            let outline = Outline::of(&file).unwrap();
            assert_eq!(functions(&file, &outline).len(), want, "{}", file.text);
        }
    }

    #[test]
    fn a_file_begins_with_a_sentence() {
        for (text, offences) in
            [("//! What it is.\n", 0), ("//!\n", 1), ("// A note.\n", 1), ("fn a() {}\n", 1)]
        {
            assert_eq!(headings(&file("build.rs", text.into())).len(), offences, "{text:?}");
        }
    }
}
