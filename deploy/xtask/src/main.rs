//! `cargo xtask`: what is done with this repository, in one place and the same on every machine.

mod lanes;
mod run;
mod setup;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Bring the nation up on this machine, with one worked inquiry, until Ctrl-C
    Up(up::Options),
    /// Install what a fresh machine lacks
    Setup,
}

fn main() -> ExitCode {
    let done = lanes::enter_root().and_then(|()| match Cli::parse().task {
        Task::Test(options) => test::test(&options),
        Task::Up(options) => up::up(&options),
        Task::Setup => setup::setup(),
    });
    done.unwrap_or_else(|problem| {
        eprintln!("xtask: {problem}");
        ExitCode::FAILURE
    })
}
