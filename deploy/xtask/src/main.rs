//! `cargo xtask`: what is done with this repository, in one place and the same on every machine.

mod bench;
mod cli;
mod lanes;
mod run;
mod setup;
mod test;
mod up;

use std::process::ExitCode;

fn main() -> ExitCode {
    lanes::enter_root().and_then(|()| cli::run()).unwrap_or_else(|problem| {
        eprintln!("xtask: {problem}");
        ExitCode::FAILURE
    })
}
