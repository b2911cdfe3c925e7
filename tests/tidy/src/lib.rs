//! The rules that the repository keeps about itself, each a function from text to offences.
//!
//! The functions are pure, so that each is tested here against a text that breaks it: a rule that
//! was never seen to bite may not bite at all. `tests/` applies them to the repository.

pub mod arrows;
pub mod outline;
pub mod pages;
pub mod sizes;
pub mod tree;
pub mod words;

use std::fmt;

/// One place that breaks a rule, and the way out of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offence {
    pub path: String,
    /// Counted from 1, as editors do.
    pub line: usize,
    pub wrong: String,
    pub remedy: &'static str,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, wrong, remedy } = self;
        write!(f, "{path}:{line}: {wrong}; {remedy}")
    }
}

/// Fails the test that calls it if there is any offence, and names them all at once: mending one
/// at a time, with a build between, would take an afternoon.
///
/// # Panics
///
/// If `offences` is not empty.
#[track_caller]
pub fn accept_none(offences: &[Offence]) {
    let lines: Vec<String> = offences.iter().map(Offence::to_string).collect();
    assert!(lines.is_empty(), "offences: {}\n{}\n", lines.len(), lines.join("\n"));
}

/// The line, counted from 1, on which the byte at `offset` stands.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}
