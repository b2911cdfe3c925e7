//! The agent beside one information system.

use std::process::ExitCode;

fn main() -> ExitCode {
    mesh_rt::exit::run_daemon(&agent::PROGRAM, agent::run)
}
