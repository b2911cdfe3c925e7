//! `cargo xtask bench`: builds a benchmark in the release profile and runs it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[arg(value_enum, default_value_t = Which::Link)]
    which: Which,
    /// What the benchmark itself is told, such as `-- --json`
    #[arg(last = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// One hop on a link against one hop of gRPC calls
    Link,
    /// A nation's registry in its embedded store and on etcd
    Store,
    /// A registry of the size of the country, on real processes
    Registry,
}

/// The programs that the registry's benchmark starts.
const PROGRAMS: [&str; 5] = ["hub-central", "hub-cluster", "agent", "hubctl", "nation"];

/// Ends as the benchmark does: with success if the numbers hold.
pub(crate) fn bench(options: &Options) -> Result<ExitCode, String> {
    let run = |mut command: Command| {
        command.status().map_err(|error| format!("cannot run cargo: {error}"))
    };
    if matches!(options.which, Which::Registry) && !run(programs())?.success() {
        return Err("the programs could not be built".into());
    }
    let status = run(command(options))?;
    // One that was ended by a signal has no code, and has measured nothing.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn programs() -> Command {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--locked", "--bins"]);
    command.args(PROGRAMS.iter().flat_map(|program| ["--package", *program]));
    command
}

fn command(options: &Options) -> Command {
    let which = match options.which {
        Which::Link => "link",
        Which::Store => "store",
        Which::Registry => "registry",
    };
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--locked", "--package", "bench", "--", which]);
    command.args(&options.options);
    command
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn what_follows_two_dashes_goes_to_the_benchmark() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["bench"], &["link"]),
            (&["bench", "link"], &["link"]),
            (&["bench", "store"], &["store"]),
            (&["bench", "registry", "--", "--json"], &["registry", "--json"]),
            (&["bench", "--", "--json", "--rounds", "1"], &["link", "--json", "--rounds", "1"]),
        ];
        for (words, want) in cases {
            let command = command(&Cli::parse_from(words).options);
            let words: Vec<_> =
                command.get_args().skip_while(|word| *word != "--").skip(1).collect();
            assert_eq!(words, want);
        }
    }
}
