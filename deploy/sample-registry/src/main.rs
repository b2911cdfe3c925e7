//! The sample civil register as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    sample_registry::run_command()
}
