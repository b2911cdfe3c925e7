//! The benchmarks of the mesh.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench::run()
}
