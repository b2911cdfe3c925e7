//! Holds the pages for operators against the reasons that the core knows.

use mesh_core::reason::Reason;
use tidy::tree::Tree;
use tidy::{accept_none, pages};

#[test]
fn every_reason_has_a_page_and_every_page_a_reason() {
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert!(!reasons.is_empty(), "the core knows no reason");
    let tree = Tree::read();
    let files: Vec<_> = tree.below(pages::FOLDER).collect();
    accept_none(&pages::pages(&reasons, &files));
}
