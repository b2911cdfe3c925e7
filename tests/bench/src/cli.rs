//! The command line: which benchmark runs, and the parts that a benchmark starts as processes.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mesh_rt::exit::sentence;

use crate::{link, part, registry, store};

#[derive(Parser)]
#[command(name = "bench", about = "Hold the numbers of the design")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// One hop on a link against one hop of gRPC calls, both over mutual TLS
    Link(link::Options),
    /// A nation's registry in each of its stores
    Store(store::Options),
    /// A registry of the size of the country: apply, restart, memory, and what one change costs
    Registry(registry::Options),
    /// One process of a contender; benchmarks start these themselves
    #[command(hide = true)]
    Part(part::Options),
}

/// Runs what the command line says. Exit codes: 0 the numbers hold; 1 they do not, or could not be
/// measured; 2 the command line is wrong.
pub fn run() -> ExitCode {
    let done = match Cli::parse().bench {
        Bench::Link(options) => link::run(&options),
        Bench::Store(options) => store::run(&options),
        Bench::Registry(options) => registry::run(&options),
        Bench::Part(options) => part::run(&options).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("bench: {}", sentence(&*error));
        ExitCode::FAILURE
    })
}
