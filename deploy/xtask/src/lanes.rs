//! The lanes of `cargo xtask test`, in order: what is quick to fail comes first.

use std::path::Path;

/// One thing that is checked, by commands that run one after the other.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    /// What is known when the lane has passed.
    pub(crate) why: &'static str,
    pub(crate) counts: Counts,
    /// Run from the root of the repository. Words are parted by spaces; none needs a quote.
    pub(crate) commands: &'static [&'static str],
    pub(crate) env: &'static [(&'static str, &'static str)],
}

/// What a lane adds to the numbers at the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counts {
    /// The lane is one check.
    Itself,
    /// The lane runs tests, and each is one. No test at all is a failure.
    Tests,
}

/// What `--long` tells every lane. Tests that can go on for longer read the first; the second is
/// how many inputs each fuzz target makes.
pub(crate) const LONG_ENV: &[(&str, &str)] = &[("MESH_LONG", "1"), ("MESH_FUZZ_ROUNDS", "1000000")];

pub(crate) const LANES: &[Lane] = &[
    Lane {
        name: "setup",
        why: "the tools that the other lanes call are here",
        counts: Counts::Itself,
        commands: &["cargo xtask setup"],
        env: &[],
    },
    Lane {
        name: "fmt",
        why: "no diff is about layout",
        counts: Counts::Itself,
        commands: &["cargo fmt --all --check"],
        env: &[],
    },
    Lane {
        name: "deny",
        why: "every dependency has a licence and a source that we accept, and none is banned",
        counts: Counts::Itself,
        commands: &["target/tools/bin/cargo-deny --locked check licenses bans sources"],
        env: &[],
    },
    Lane {
        name: "clippy",
        why: "the compiler and clippy have nothing to say",
        counts: Counts::Itself,
        commands: &["cargo clippy --workspace --all-targets --locked -- -D warnings"],
        env: &[],
    },
    Lane {
        name: "tidy",
        why: "arrows, sizes, names and error pages are as we agreed",
        counts: Counts::Tests,
        commands: &["cargo test -p tidy --locked --no-fail-fast"],
        env: &[],
    },
    Lane {
        name: "docs",
        why: "the documentation builds, and its links lead somewhere",
        counts: Counts::Itself,
        commands: &["cargo doc --workspace --no-deps --locked"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Lane {
        name: "unit",
        why: "each crate does by itself what it says",
        counts: Counts::Tests,
        commands: &["cargo test --workspace --exclude tidy --exclude e2e --exclude fuzz --locked \
                     --no-fail-fast"],
        env: &[],
    },
    Lane {
        name: "scenarios",
        why: "the real programs carry exchanges between agencies, also when parts of them fail",
        counts: Counts::Tests,
        commands: &[
            "cargo build --workspace --bins --locked",
            "cargo test -p e2e --locked --no-fail-fast -- --test-threads=2 --show-output",
        ],
        env: &[],
    },
    Lane {
        name: "fuzz",
        why: "no input from the wire makes a decoder panic or accept what it would not write",
        counts: Counts::Tests,
        commands: &["cargo test -p fuzz --locked --no-fail-fast"],
        env: &[],
    },
];

/// Goes to the root of the repository, from where all paths here are meant.
pub(crate) fn enter_root() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::set_current_dir(&root).map_err(|error| {
        format!(
            "cannot enter {}: {error}; was the repository moved after the build?",
            root.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_can_be_told_apart_and_run() {
        for (index, lane) in LANES.iter().enumerate() {
            let same = LANES.iter().filter(|other| other.name == lane.name).count();
            assert_eq!(same, 1, "lane {index} shares the name {}", lane.name);
            assert!(!lane.commands.is_empty(), "lane {} does nothing", lane.name);
        }
    }

    #[test]
    fn a_lane_that_calls_libtest_counts_its_tests() {
        for lane in LANES {
            let tests = lane.commands.iter().any(|command| command.starts_with("cargo test "));
            let want = if tests { Counts::Tests } else { Counts::Itself };
            assert_eq!(lane.counts, want, "lane {}", lane.name);
        }
    }
}
