//! The national hub.

use std::process::ExitCode;

fn main() -> ExitCode {
    mesh_rt::exit::run_daemon(&hub_central::PROGRAM, hub_central::run)
}
