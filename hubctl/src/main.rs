//! The operators' tool of the mesh.

use std::process::ExitCode;

fn main() -> ExitCode {
    hubctl::run_command()
}
