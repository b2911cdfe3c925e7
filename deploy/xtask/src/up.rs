//! `cargo xtask up`: builds the programs and brings the nation up with them.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// What the launcher is told; see `cargo xtask up -- --help`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn up(options: &Options) -> Result<ExitCode, String> {
    eprintln!("==> building the programs");
    let status = Command::new("cargo")
        .args(["build", "--workspace", "--bins", "--locked"])
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err("the programs could not be built".into());
    }
    // Becomes the launcher, so that Ctrl-C reaches one process that knows what to end.
    let error = Command::new("target/debug/nation").args(&options.args).exec();
    Err(format!("target/debug/nation cannot be run: {error}"))
}
