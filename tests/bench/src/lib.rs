//! Benchmarks that hold the numbers of the design: the link against a contender in the same run,
//! the registry by itself.
//!
//! All is made of real processes: the link's benchmark starts itself again for each of its parts.
//! All of it stays on loopback, ends by itself, and leaves nothing behind.

mod cli;
mod contender;
mod link;
mod load;
mod part;
mod pki;
mod process;
mod registry;
mod report;
mod store;

pub use cli::run;

/// Generated from `proto/`.
#[allow(clippy::all, missing_debug_implementations, unreachable_pub, unused_qualifications)]
mod wire {
    tonic::include_proto!("mesh.bench.v1");
}
