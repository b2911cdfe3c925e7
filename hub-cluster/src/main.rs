//! The hub of one cluster.

use std::process::ExitCode;

fn main() -> ExitCode {
    mesh_rt::exit::run_daemon(&hub_cluster::PROGRAM, hub_cluster::run)
}
