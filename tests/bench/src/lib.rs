//! Benchmarks that hold the numbers of the design, each against a contender in the same run.
//!
//! A contender is made of real processes: the program starts itself again for each of its parts.
//! All of it stays on loopback, ends by itself, and leaves nothing behind.

mod cli;
mod contender;
mod link;
mod load;
mod part;
mod pki;
mod process;
mod report;
mod store;

pub use cli::run;

/// Generated from `proto/`.
#[allow(clippy::all, missing_debug_implementations, unreachable_pub, unused_qualifications)]
mod wire {
    tonic::include_proto!("mesh.bench.v1");
}
