//! The scenarios that are rows of a table, on real processes; and the page that lists them.
//!
//! `SCENARIO=peer_truncated cargo test -p e2e --test scenarios` runs those whose name contains the
//! text, and prints their table with `-- --nocapture`.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::cases::{
    DIRECTORY, FORGED, GROUPS, HTTP, MALFORMED, PEER, PERMITTED, PROVIDER, REGISTRATION, SERVICES,
};
use e2e::scenario::{MARKER, page, run};
use e2e::{Bed, rogue};

/// Set to `write`, the page is written anew instead of compared.
const PAGE: &str = "SCENARIOS_PAGE";

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests() {
    run(&MALFORMED, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http() {
    run(&HTTP, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_permitted() {
    run(&PERMITTED, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_in_their_life() {
    run(&SERVICES, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_failures() {
    run(&PROVIDER, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_failures() {
    run(&PEER, rogue::bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_requests() {
    run(&FORGED, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_are_not_to_be_believed() {
    run(&DIRECTORY, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_the_registry() {
    run(&REGISTRATION, Bed::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forbidden_looks_like_what_is_absent() {
    let bed = Bed::start().await;
    let forbidden = bed.ask_of("ir/gov/care/cards/secret.v1", "GET", "/").send().await.json();
    let missing = bed.ask_of("ir/gov/care/cards/nothing.v1", "GET", "/").send().await.json();
    for field in ["type", "title", "status", "detail", "reason", "hop", "mender"] {
        assert_eq!(forbidden[field], missing[field], "{field} tells what exists");
    }
}

#[test]
fn every_name_is_there_once() {
    let mut names = BTreeSet::new();
    for group in &GROUPS {
        let cases = group.cases.iter().map(|case| (case.name, case.done));
        let left_out = group.left_out.iter().map(|left_out| (left_out.name, left_out.why));
        for (name, text) in cases.chain(left_out) {
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(name.bytes().all(word), "{name}");
            assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('|'), "{name}");
            assert!(names.insert(name), "{name} is there twice");
        }
    }
}

#[test]
fn the_page_lists_what_is_run() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md");
    let text = std::fs::read_to_string(&file).expect("docs/scenarios.md is there");
    let (opening, tables) = text.split_once(MARKER).expect("the page has its marker");
    let want = page(&GROUPS);
    if std::env::var(PAGE).is_ok_and(|value| value == "write") {
        std::fs::write(&file, format!("{opening}{MARKER}\n{want}")).expect("it can be written");
        return;
    }
    let remedy = format!("{PAGE}=write cargo test -p e2e --test scenarios the_page");
    let differs = tables.trim().lines().zip(want.trim().lines()).find(|(is, want)| is != want);
    assert_eq!(differs, None, "docs/scenarios.md differs from the code: {remedy}");
    assert_eq!(tables.trim().lines().count(), want.trim().lines().count(), "{remedy}");
}
