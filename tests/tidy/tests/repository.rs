//! Holds the repository against its rules: sizes, words and arrows.

use tidy::outline::Outline;
use tidy::tree::{TextFile, Tree};
use tidy::{Offence, accept_none, arrows, sizes, words};

/// A rule that looks at fewer Rust files than this is not looking at the workspace.
const RUST_FILES_MIN: usize = 15;
const MEMBERS_MIN: usize = 15;

/// Applies `rule` to every Rust file.
fn each_source(rule: impl Fn(&TextFile) -> Vec<Offence>) {
    let tree = Tree::read();
    let sources: Vec<&TextFile> = tree.rust().collect();
    assert!(RUST_FILES_MIN <= sources.len(), "only {} Rust files found", sources.len());
    accept_none(&sources.into_iter().flat_map(rule).collect::<Vec<_>>());
}

/// Applies a `rule` that needs the file parsed, or reports that it does not parse.
fn parsed(file: &TextFile, rule: impl FnOnce(&TextFile, &Outline) -> Vec<Offence>) -> Vec<Offence> {
    match Outline::of(file) {
        Ok(outline) => rule(file, &outline),
        Err(offence) => vec![offence],
    }
}

#[test]
fn arrows_point_down_only() {
    let tree = Tree::read();
    let root = tree.texts.iter().find(|file| file.path == "Cargo.toml");
    let members: Vec<_> =
        tree.texts.iter().filter(|file| file.path.ends_with("/Cargo.toml")).collect();
    assert!(MEMBERS_MIN <= members.len(), "only {} manifests found", members.len());
    accept_none(&arrows::arrows(root.expect("the root has a manifest"), &members));
}

#[test]
fn the_core_touches_no_disk_no_network_and_no_clock() {
    let tree = Tree::read();
    let sources: Vec<_> = tree.below("mesh/core/src/").collect();
    assert!(!sources.is_empty(), "the core has no sources");
    let offences = sources.into_iter().flat_map(|file| parsed(file, arrows::surroundings));
    accept_none(&offences.collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    each_source(sizes::files);
}

#[test]
fn lines_are_narrow() {
    each_source(sizes::lines);
}

#[test]
fn functions_are_short_and_take_few_parameters() {
    each_source(|file| parsed(file, sizes::functions));
}

#[test]
fn every_source_says_first_what_it_is() {
    each_source(sizes::headings);
}

#[test]
fn no_name_is_a_drawer() {
    let paths = Tree::read().paths;
    accept_none(&paths.iter().flat_map(|path| words::drawers(path)).collect::<Vec<_>>());
    each_source(words::names);
}

#[test]
fn no_text_holds_leftovers_or_traces_of_a_machine() {
    let texts = Tree::read().texts;
    accept_none(&texts.iter().flat_map(words::banned).collect::<Vec<_>>());
}

#[test]
fn what_ships_does_not_panic_without_a_word() {
    let tree = Tree::read();
    let shipped: Vec<_> = words::shipped(&tree).collect();
    assert!(!shipped.is_empty(), "nothing ships");
    let offences = shipped.into_iter().flat_map(|file| parsed(file, words::unwraps));
    accept_none(&offences.collect::<Vec<_>>());
}
