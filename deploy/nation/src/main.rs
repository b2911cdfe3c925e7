//! Brings a nation up on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    nation::cli::run_command()
}
