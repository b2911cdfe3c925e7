//! Which crate may know which: arrows point down only, and the core knows neither disk nor clock.

use std::sync::LazyLock;

use regex::Regex;
use toml::de::{DeTable, DeValue};

use crate::outline::Outline;
use crate::tree::TextFile;
use crate::{Offence, line_at};

/// Every crate and its height. A crate may use those that stand lower, never its own height: so
/// the programs cannot name each other, and the libraries below them stay apart.
const RANKS: &[(&str, u8)] = &[
    ("mesh-core", 0),
    ("mesh-proto", 1),
    ("etcd-cluster", 1),
    ("mesh-link", 2),
    ("mesh-rt", 2),
    ("mesh-ledger", 2),
    ("mesh-store", 2),
    ("mesh-describe", 2),
    ("mesh-certs", 2),
    ("mesh-node", 3),
    ("mesh-registry", 3),
    ("hub-central", 4),
    ("hub-cluster", 4),
    ("agent", 4),
    ("hubctl", 4),
    ("nation", 5),
    ("sample-registry", 4),
    ("xtask", 6),
    ("bench", 7),
    ("e2e", 7),
    ("fuzz", 7),
    ("tidy", 7),
];

/// Crates that bring a runtime, a wire, cryptography or a dice. With what builds on them, such as
/// `tokio-util`, they stay out of `mesh-core`.
const BANNED_IN_CORE: &[&str] = &["tokio", "tonic", "rustls", "rand"];

static SURROUNDINGS: LazyLock<Regex> = LazyLock::new(|| {
    let alone = r"\bstd::((fs|net|env)|time::(SystemTime|Instant))\b";
    let in_a_list = r"\bstd::(time::)?\{[^;]*\b(fs|net|env|SystemTime|Instant)\b";
    Regex::new(&format!("{alone}|{in_a_list}")).expect("the pattern is well formed")
});

/// Checks the manifests of all members against the ranks, and each against the root's list.
///
/// # Panics
///
/// If a manifest is not TOML, which cargo would have said before.
pub fn arrows(root: &TextFile, manifests: &[&TextFile]) -> Vec<Offence> {
    let workspace = Workspace::parse(root);
    manifests.iter().flat_map(|file| workspace.offences_of(file)).collect()
}

/// The core is functions of values and a time: it neither reads a clock nor touches a system.
pub fn surroundings(file: &TextFile, outline: &Outline) -> Vec<Offence> {
    let mut offences = Vec::new();
    for found in SURROUNDINGS.find_iter(&file.text) {
        let line = line_at(&file.text, found.start());
        if outline.is_test(line) {
            continue;
        }
        offences.push(Offence {
            path: file.path.clone(),
            line,
            wrong: format!("the core mentions `{}`", found.as_str()),
            remedy: "take the value, the time or the address as an argument",
        });
    }
    offences
}

/// What the root manifest says.
struct Workspace {
    members: Vec<String>,
    /// Dependencies that go by another name than their package.
    renamed: Vec<(String, String)>,
}

/// One line of a `dependencies` table.
struct Dependency {
    package: String,
    /// Test code may use its neighbours of the same height.
    only_for_tests: bool,
    line: usize,
}

impl Workspace {
    fn parse(root: &TextFile) -> Self {
        let document = parse(root);
        let workspace = table(&document, "workspace").expect("the root has a workspace");
        let members = workspace.get("members").and_then(|list| list.get_ref().as_array());
        let members = members.expect("the workspace lists its members").iter();
        let members = members.filter_map(|name| name.get_ref().as_str().map(str::to_owned));
        let declared = table(workspace, "dependencies").expect("the workspace has dependencies");
        let renamed = declared.iter().filter_map(|(key, value)| {
            let package = value.get_ref().as_table()?.get("package")?.get_ref().as_str()?;
            Some((key.get_ref().to_string(), package.to_owned()))
        });
        Self { members: members.collect(), renamed: renamed.collect() }
    }

    fn offences_of(&self, manifest: &TextFile) -> Vec<Offence> {
        let document = parse(manifest);
        let package = table(&document, "package").and_then(|package| package.get("name"));
        let package = package.expect("a manifest names its package");
        let name = package.get_ref().as_str().expect("a name is text");
        let offence =
            |line, wrong, remedy| Offence { path: manifest.path.clone(), line, wrong, remedy };

        let mut offences = Vec::new();
        let name_line = line_at(&manifest.text, package.span().start);
        let folder = manifest.path.trim_end_matches("/Cargo.toml");
        if !self.members.iter().any(|member| member == folder) {
            let wrong = format!("crate `{name}` is not a member of the workspace");
            offences.push(offence(name_line, wrong, "add its folder to the root manifest"));
        }
        let Some(rank) = rank_of(name) else {
            let wrong = format!("crate `{name}` has no place in the layout");
            offences.push(offence(name_line, wrong, "give it a rank in tests/tidy/src/arrows.rs"));
            return offences;
        };
        for dependency in self.dependencies(&document, &manifest.text) {
            let Dependency { package, only_for_tests, line } = dependency;
            let too_high = rank_of(&package)
                .is_some_and(|other| if only_for_tests { rank < other } else { rank <= other });
            if too_high {
                let wrong = format!("`{name}` depends on `{package}`, which is not below it");
                offences.push(offence(line, wrong, "move what both need further down"));
            }
            if name == "mesh-core" && !only_for_tests && is_banned_in_core(&package) {
                let wrong = format!("the core may not depend on `{package}`");
                offences.push(offence(line, wrong, "take what it would give as an argument"));
            }
        }
        offences
    }

    /// All dependencies of a manifest, those for one target among them.
    fn dependencies(&self, document: &DeTable<'_>, text: &str) -> Vec<Dependency> {
        let targets = table(document, "target").into_iter().flat_map(|targets| targets.values());
        let targets = targets.filter_map(|target| target.get_ref().as_table());
        let mut found = Vec::new();
        for holder in std::iter::once(document).chain(targets) {
            for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
                for (key, value) in table(holder, kind).into_iter().flat_map(DeTable::iter) {
                    found.push(Dependency {
                        package: self.package_of(key.get_ref(), value.get_ref()),
                        only_for_tests: kind == "dev-dependencies",
                        line: line_at(text, key.span().start),
                    });
                }
            }
        }
        found
    }

    fn package_of(&self, key: &str, value: &DeValue<'_>) -> String {
        let here = value.as_table().and_then(|table| table.get("package"));
        if let Some(name) = here.and_then(|name| name.get_ref().as_str()) {
            return name.to_owned();
        }
        let above = self.renamed.iter().find(|(renamed, _)| renamed == key);
        above.map_or(key, |(_, package)| package).to_owned()
    }
}

fn parse(file: &TextFile) -> DeTable<'_> {
    match DeTable::parse(&file.text) {
        Ok(document) => document.into_inner(),
        Err(error) => panic!("{}: {error}", file.path),
    }
}

fn table<'a, 'i>(holder: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    holder.get(key)?.get_ref().as_table()
}

fn rank_of(name: &str) -> Option<u8> {
    RANKS.iter().find(|(ranked, _)| *ranked == name).map(|(_, rank)| *rank)
}

fn is_banned_in_core(package: &str) -> bool {
    BANNED_IN_CORE.iter().any(|banned| {
        let rest = package.strip_prefix(banned);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = r#"
[workspace]
members = ["a"]
[workspace.dependencies]
mesh-rt = { path = "mesh/rt" }
runtime = { package = "mesh-rt", path = "mesh/rt" }
"#;

    const PLAIN: &str = "dependencies";
    const BUILD: &str = "build-dependencies";
    const TESTS: &str = "dev-dependencies";
    const UNIX: &str = "target.'cfg(unix)'.dependencies";

    fn check(name: &str, section: &str, line: &str) -> Vec<Offence> {
        let root = TextFile { path: "Cargo.toml".into(), text: ROOT.into() };
        let text = format!("[package]\nname = \"{name}\"\n[{section}]\n{line}\n");
        let manifest = TextFile { path: "a/Cargo.toml".into(), text };
        arrows(&root, &[&manifest])
    }

    #[test]
    fn arrows_point_down_only() {
        #[rustfmt::skip]
        let cases = [
            // Why                        Crate          Section  Line                Offences
            ("down",                      "hub-cluster", PLAIN, "mesh-rt.workspace = true",     0),
            ("across, libraries",         "mesh-link",   PLAIN, "mesh-rt.workspace = true",     1),
            ("across, programs",          "hub-cluster", PLAIN, "hub-central.workspace = true", 1),
            ("up",                        "mesh-proto",  PLAIN, "mesh-rt = '1'",                1),
            ("up, to build",              "mesh-proto",  BUILD, "mesh-rt = '1'",                1),
            ("up, for tests",             "mesh-proto",  TESTS, "mesh-rt = '1'",                1),
            ("across, for tests",         "mesh-link",   TESTS, "mesh-rt = '1'",                0),
            ("up, on one target",         "mesh-proto",  UNIX,  "mesh-rt = '1'",                1),
            ("up, renamed here",          "mesh-proto",  PLAIN, "x = { package = 'mesh-rt' }",  1),
            ("up, renamed in the root",   "mesh-proto",  PLAIN, "runtime.workspace = true",     1),
            ("the launcher by its tool",  "xtask",       PLAIN, "nation.workspace = true",      0),
            ("nobody knows the launcher", "agent",       PLAIN, "nation.workspace = true",      1),
            ("not ours",                  "mesh-rt",     PLAIN, "tokio.workspace = true",       0),
            ("no runtime in the core",    "mesh-core",   PLAIN, "tokio-util = '0.7'",           1),
            ("no dice in the core",       "mesh-core",   PLAIN, "rand_core = '0.9'",            1),
            ("a word that begins alike",  "mesh-core",   PLAIN, "randomness = '1'",             0),
            ("the core's tests are free", "mesh-core",   TESTS, "tokio = '1'",                  0),
            ("a crate without a rank",    "mesh-new",    PLAIN, "",                             1),
        ];
        for (why, name, section, line, want) in cases {
            let found = check(name, section, line);
            assert_eq!(found.len(), want, "{why}: {found:?}");
        }
    }

    #[test]
    fn an_offence_names_the_line() {
        let found = check("agent", PLAIN, "bytes = '1'\nhubctl = '1'");
        assert_eq!((found[0].path.as_str(), found[0].line), ("a/Cargo.toml", 5));
    }

    #[test]
    fn a_crate_outside_the_workspace_is_found() {
        let root = TextFile { path: "Cargo.toml".into(), text: ROOT.into() };
        let text = "[package]\nname = \"agent\"".to_owned();
        let manifest = TextFile { path: "b/Cargo.toml".into(), text };
        assert_eq!(arrows(&root, &[&manifest]).len(), 1);
    }

    #[test]
    fn the_core_has_no_surroundings() {
        #[rustfmt::skip]
        let cases = [
            ("use std::fs;",                            1),
            ("use std::net::SocketAddr;",               1),
            ("fn a() { std::env::var(b); }",            1),
            ("use std::time::Instant;",                 1),
            ("use std::time::{\n    Duration,\n    SystemTime,\n};", 1),
            ("use std::{fmt, fs};",                     1),
            ("use std::time::Duration;",                0),
            ("use std::fmt;\nstruct Instant;",          0),
            ("use std::{fmt, str};\nstruct Instant;",   0),
            ("#[cfg(test)]\nmod tests {\nuse std::env;\n}", 0),
        ];
        for (text, want) in cases {
            let file = TextFile { path: "a.rs".into(), text: text.into() };
            let outline = Outline::of(&file).unwrap();
            assert_eq!(surroundings(&file, &outline).len(), want, "{text}");
        }
    }
}
