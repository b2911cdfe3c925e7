//! Words that have no place here: names that say nothing, leftovers, and traces of one machine.
//!
//! The patterns are written with a class around one letter, so that this file passes its own rules.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::outline::Outline;
use crate::tree::{TextFile, Tree};
use crate::{Offence, line_at};

/// Something that no text file may say.
struct Ban {
    pattern: Regex,
    wrong: &'static str,
    remedy: &'static str,
}

impl Ban {
    fn new(pattern: &str, wrong: &'static str, remedy: &'static str) -> Self {
        Self { pattern: Regex::new(pattern).expect("the pattern is well formed"), wrong, remedy }
    }
}

static BANS: LazyLock<[Ban; 6]> = LazyLock::new(|| {
    let machine = "the text names a path of one machine";
    let hosts = "https?://([a-z]+[.])*(crates|pypi|pythonhosted|npmjs|debian)[.](io|org)";
    let no_host = "leave the host to the tool's configuration";
    let leftover = "the text holds a leftover of work in progress";
    let finish = "finish it, or take it out";
    [
        Ban::new("/(w[o]rk|f[a]rm|r[o]ot)/", machine, "make it relative, or a setting"),
        Ban::new(hosts, "the text names the host of a package registry", no_host),
        Ban::new(r"\b(todo|unimplemented)![(]", leftover, finish),
        Ban::new(r"\b(FI[X]ME|X{3})\b", leftover, finish),
        Ban::new(r"\bdbg![(]", leftover, finish),
        Ban::new(r"#\[ignor[e]", "a test that never runs proves nothing", "mend it or delete it"),
    ]
});

const DRAWERS: &str = "commons?|helpers?|managers?|misc|utils?";
const NAME_IT: &str = "name it after what is in it";

static DRAWER: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("^({DRAWERS})$")));
static DRAWER_MODULE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"\bmod\s+({DRAWERS})\b")));
static MANAGER_TYPE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(struct|enum|union|trait|type)\s+(\w*Manager)\b"));
static UNWRAP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\.unwrap[(]\)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

/// What no text may say. The lock file is cargo's own, and names its index by cargo's format.
pub fn banned(file: &TextFile) -> Vec<Offence> {
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for (line, text) in file.lines() {
        for ban in BANS.iter().filter(|ban| ban.pattern.is_match(text)) {
            let path = file.path.clone();
            offences.push(Offence { path, line, wrong: ban.wrong.into(), remedy: ban.remedy });
        }
    }
    offences
}

/// No file and no folder is a drawer for whatever fits nowhere else.
pub fn drawers(path: &str) -> Vec<Offence> {
    let parts = path.split('/');
    let stems = parts.map(|part| part.split_once('.').map_or(part, |(stem, _)| stem));
    let drawers = stems.filter(|stem| DRAWER.is_match(stem));
    drawers
        .map(|stem| Offence {
            path: path.into(),
            line: 1,
            wrong: format!("`{stem}` says nothing about what is in it"),
            remedy: NAME_IT,
        })
        .collect()
}

/// No module is a drawer, and no type a manager.
pub fn names(file: &TextFile) -> Vec<Offence> {
    let offend = |start, wrong, remedy| Offence {
        path: file.path.clone(),
        line: line_at(&file.text, start),
        wrong,
        remedy,
    };
    let modules = DRAWER_MODULE.find_iter(&file.text).map(|found| {
        let wrong = format!("`{}` says nothing about what is in it", found.as_str());
        offend(found.start(), wrong, NAME_IT)
    });
    let types = MANAGER_TYPE.find_iter(&file.text).map(|found| {
        let wrong = format!("`{}` does not say what it does", found.as_str());
        offend(found.start(), wrong, "name the type after the thing that it is")
    });
    modules.chain(types).collect()
}

/// Programs and libraries do not panic without a word: an `expect` says why it cannot happen.
pub fn unwraps(file: &TextFile, outline: &Outline) -> Vec<Offence> {
    let code = file.lines().filter(|(line, text)| {
        let is_comment = text.trim_start().starts_with("//");
        !is_comment && !outline.is_test(*line)
    });
    let bare = code.filter(|(_, text)| UNWRAP.is_match(text));
    bare.map(|(line, _)| Offence {
        path: file.path.clone(),
        line,
        wrong: "this panics without saying why it could not".into(),
        remedy: "return the error, or say in an `expect` why there is none",
    })
    .collect()
}

/// The Rust files that ship: not tests, and not the tool that runs them.
pub fn shipped(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    let tests = test_modules(tree);
    tree.rust().filter(move |file| {
        let path = &file.path;
        let is_test = path.split('/').any(|part| part == "tests");
        let of_test_module = tests.iter().any(|module| {
            path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        !is_test && !of_test_module && !path.starts_with("deploy/xtask/")
    })
}

/// Paths, without `.rs`, of modules that are declared `#[cfg(test)] mod name;`.
fn test_modules(tree: &Tree) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for file in tree.rust() {
        // A file that does not parse is reported by every rule that needs it parsed.
        let Ok(outline) = Outline::of(file) else { continue };
        let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let folder = if matches!(name, "lib" | "main" | "mod") { folder } else { stem };
        modules.extend(outline.test_modules.iter().map(|module| format!("{folder}/{module}")));
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn banned_text_is_found() {
        #[rustfmt::skip]
        let cases = [
            // Text                                         Offences
            (concat!("cd /wo", "rk/main"),                  1),
            (concat!("include /ro", "ot/.cargo"),           1),
            (concat!("/fa", "rm/x"),                        1),
            ("the network/links folder",                    0),
            (concat!("see https://cra", "tes.io/x"),        1),
            (concat!("see http://static.cra", "tes.io/x"),  1),
            (concat!("see https://files.pythonho", "sted.org"), 1),
            ("see https://example.org",                     0),
            (concat!("to", "do!()"),                        1),
            (concat!("unimple", "mented!(\"x\")"),          1),
            (concat!("FI", "XME later"),                    1),
            (concat!("XX", "X later"),                      1),
            (concat!("mktemp nation.XX", "XXXX"),            0),
            (concat!("db", "g!(x)"),                        1),
            (concat!("#[igno", "re = \"slow\"]"),           1),
        ];
        for (text, want) in cases {
            assert_eq!(banned(&file("a.md", text)).len(), want, "{text}");
            assert_eq!(banned(&file("Cargo.lock", text)), [], "{text}");
        }
        assert_eq!(banned(&file("a.md", concat!("\n\nFI", "XME")))[0].line, 3);
    }

    #[test]
    fn drawers_are_found() {
        for (path, want) in [
            ("mesh/rt/src/utils.rs", 1),
            ("tests/common/mod.rs", 1),
            ("deploy/misc.yaml", 1),
            ("mesh/rt/src/helpers.rs", 1),
            ("mesh/rt/src/commons_debate.rs", 0),
            ("mesh/rt/src/drain.rs", 0),
        ] {
            assert_eq!(drawers(path).len(), want, "{path}");
        }
    }

    #[test]
    fn names_are_found() {
        for (text, want) in [
            (concat!("mod ", "helpers {}"), 1),
            (concat!("pub mod ", "util;"), 1),
            ("mod utility;", 0),
            (concat!("pub struct ", "LinkManager;"), 1),
            (concat!("pub trait ", "Manager {}"), 1),
            ("pub struct ManagerOffice;", 0),
        ] {
            assert_eq!(names(&file("a.rs", text)).len(), want, "{text}");
        }
    }

    #[test]
    fn unwraps_are_found_outside_tests() {
        #[rustfmt::skip]
        let cases = [
            ("fn a() { b.unwrap(); }",                              1),
            ("fn a() { b\n.unwrap(); }",                            1),
            ("fn a() { b.expect(\"why\"); }",                       0),
            ("fn a() { b.unwrap_or(c); }",                          0),
            ("/// b.unwrap() is fine in an example.\nfn a() {}",    0),
            ("#[cfg(test)]\nmod tests {\nfn a() { b.unwrap(); }\n}", 0),
        ];
        for (text, want) in cases {
            let file = file("a.rs", text);
            let outline = Outline::of(&file).unwrap();
            assert_eq!(unwraps(&file, &outline).len(), want, "{text}");
        }
    }

    #[test]
    fn what_ships_is_told_from_tests() {
        let texts = vec![
            file("mesh/rt/src/lib.rs", "mod tls;\n#[cfg(test)]\nmod cases;"),
            file("mesh/rt/src/cases.rs", ""),
            file("mesh/rt/src/cases/more.rs", ""),
            file("mesh/rt/src/tls.rs", "#[cfg(test)]\nmod old;"),
            file("mesh/rt/src/tls/old.rs", ""),
            file("mesh/rt/src/old.rs", ""),
            file("mesh/rt/tests/drain.rs", ""),
            file("tests/e2e/src/lib.rs", ""),
            file("deploy/xtask/src/main.rs", ""),
            file("deploy/nation/src/lib.rs", ""),
        ];
        let tree = Tree { paths: Vec::new(), texts };
        let found: Vec<_> = shipped(&tree).map(|file| file.path.as_str()).collect();
        let want = [
            "mesh/rt/src/lib.rs",
            "mesh/rt/src/tls.rs",
            "mesh/rt/src/old.rs",
            "deploy/nation/src/lib.rs",
        ];
        assert_eq!(found, want);
    }
}
