//! The tasks, as they are spelled on the command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{bench, setup, test, up};

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Work on this repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything, the cheap lanes first
    Test(test::Options),
    /// Bring the sample nation up on this machine, shown at work, until Ctrl-C
    Up(up::Options),
    /// Hold the numbers of the design, in the release profile
    Bench(bench::Options),
    /// Install what a fresh machine lacks
    Setup,
}

/// Does what the command line asks.
pub(crate) fn run() -> Result<ExitCode, String> {
    match Cli::parse().task {
        Task::Test(options) => test::test(&options),
        Task::Up(options) => up::up(&options),
        Task::Bench(options) => bench::bench(&options),
        Task::Setup => setup::setup(),
    }
}
