//! What every thin `main` calls: the process from its arguments to its exit code.
//!
//! Exit codes: 0 the program did what it was asked; 1 it failed; 2 its arguments or its
//! configuration must be changed first.

use std::error::Error;
use std::ffi::OsString;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use serde::de::DeserializeOwned;

use crate::config::{self, Check, ConfigError};

const EXIT_FAILURE: u8 = 1;
const EXIT_USAGE: u8 = 2;

/// How long blocking calls may hold up the end of the process.
const BLOCKING_MAX: Duration = Duration::from_secs(1);

/// The name and version that a program shows.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    pub name: &'static str,
    pub version: &'static str,
}

/// What every daemon takes on its command line.
#[derive(Clone, Debug, Parser)]
#[command(about = None, long_about = None)]
pub struct DaemonArgs {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Check the configuration and the files that it names, then exit
    #[arg(long)]
    pub check_config: bool,
}

/// Why a program ends without having done what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CmdError {
    /// The operator must change arguments or configuration first: exit code 2.
    #[error(transparent)]
    Usage(Box<dyn Error + Send + Sync>),
    /// It did not work out: exit code 1.
    #[error(transparent)]
    Failure(Box<dyn Error + Send + Sync>),
}

/// The half of a daemon's start that only reads, for `--check-config`.
pub trait Rehearse: Check {
    /// Loads all that a start would load, and binds no port. An error names the file to look at.
    fn rehearse(&self) -> Result<(), CmdError>;
}

/// Runs a daemon: reads its arguments and its configuration, then hands it over to `run`.
pub fn run_daemon<C, F>(program: &Program, run: impl FnOnce(C) -> F) -> ExitCode
where
    C: DeserializeOwned + Rehearse,
    F: Future<Output = Result<(), CmdError>>,
{
    run_words(program, std::env::args_os(), run)
}

/// Runs `body` on a runtime of its own, and tells on one line of stderr why it failed.
pub fn run_main(name: &str, body: impl Future<Output = Result<(), CmdError>>) -> ExitCode {
    match on_a_runtime(name, body) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "{name}: {}", sentence(&error));
            error.exit_code()
        }
    }
}

/// An error and its causes on one line, each said once.
pub fn sentence(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some foreign errors say their cause themselves.
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn run_words<C, F>(
    program: &Program,
    words: impl IntoIterator<Item = OsString>,
    run: impl FnOnce(C) -> F,
) -> ExitCode
where
    C: DeserializeOwned + Rehearse,
    F: Future<Output = Result<(), CmdError>>,
{
    let args = match DaemonArgs::parse_from_words(program, words) {
        Ok(args) => args,
        Err(shown) => {
            // Also the way of `--help` and `--version`. There is nobody to tell if that fails.
            let _ = shown.print();
            return ExitCode::from(u8::try_from(shown.exit_code()).unwrap_or(EXIT_USAGE));
        }
    };
    run_main(program.name, async move {
        let mut config: C = config::load(&args.config)?;
        if !args.check_config {
            return run(config).await;
        }
        config::check_files(&args.config, &mut config)?;
        config.rehearse()?;
        writeln!(std::io::stdout(), "{}: ok", args.config.display()).map_err(CmdError::failure)
    })
}

fn on_a_runtime(
    name: &str,
    body: impl Future<Output = Result<(), CmdError>>,
) -> Result<(), CmdError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name(name)
        .build()
        .map_err(CmdError::failure)?;
    let outcome = runtime.block_on(body);
    runtime.shutdown_timeout(BLOCKING_MAX);
    outcome
}

impl DaemonArgs {
    fn parse_from_words(
        program: &Program,
        words: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let command = Self::command().name(program.name).version(program.version);
        let command = command.bin_name(program.name);
        Self::from_arg_matches(&command.try_get_matches_from(words)?)
    }
}

impl CmdError {
    pub fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Usage(error.into())
    }

    pub fn failure(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failure(error.into())
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(EXIT_USAGE),
            Self::Failure(_) => ExitCode::from(EXIT_FAILURE),
        }
    }
}

impl From<ConfigError> for CmdError {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsFiles;
    use crate::tls::Trust;

    #[derive(Debug, thiserror::Error)]
    #[error("the link to {to} is down")]
    struct Down {
        to: &'static str,
        source: std::io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no exchange\ncan pass: {0}")]
    struct Repeats(#[source] Down);

    fn down() -> Down {
        Down { to: "hub.centre", source: std::io::Error::other("connection refused\r\n") }
    }

    #[test]
    fn an_error_is_one_line_that_says_each_cause_once() {
        let line = sentence(&CmdError::failure(down()));
        assert_eq!(line, "the link to hub.centre is down: connection refused");
        let line = sentence(&Repeats(down()));
        let want = "no exchange can pass: the link to hub.centre is down: connection refused";
        assert_eq!(line, want);
    }

    #[test]
    fn the_exit_code_says_whose_turn_it_is() {
        let code = |outcome: Result<(), CmdError>| run_main("test", async { outcome });
        assert_eq!(code(Ok(())), ExitCode::SUCCESS);
        assert_eq!(code(Err(CmdError::failure(down()))), ExitCode::from(1));
        let config = ConfigError::Field {
            file: "hub.toml".into(),
            field: "admin.listen",
            message: "is taken".into(),
        };
        assert_eq!(code(Err(config.into())), ExitCode::from(2));
    }

    #[test]
    fn the_process_ends_though_a_blocking_call_does_not() {
        let code = run_main("test", async {
            tokio::spawn(async {}).await.map_err(CmdError::failure)?;
            tokio::task::spawn_blocking(std::thread::park);
            Ok(())
        });
        assert_eq!(code, ExitCode::SUCCESS);
    }

    const PROGRAM: Program = Program { name: "hub-test", version: "1.2.3" };

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        tls: TlsFiles,
    }

    impl Check for Sample {
        fn check(&self) -> Result<(), (&'static str, String)> {
            Ok(())
        }

        fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
            self.tls.files().into()
        }
    }

    impl Rehearse for Sample {
        fn rehearse(&self) -> Result<(), CmdError> {
            Trust::load(&self.tls.trust_file).map(drop).map_err(CmdError::usage)
        }
    }

    #[test]
    fn a_daemon_runs_with_its_configuration_or_checks_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        let files = ["chain_file", "key_file", "trust_file"].map(|field| format!("{field} = 'f'"));
        let text = format!("[tls]\n{}", files.join("\n"));
        std::fs::write(&file, &text).unwrap();
        // Answers the exit code, and whether the daemon ran.
        let run = |words: &[&str]| {
            let mut ran = false;
            let first = ["hub-test", "--config", file.to_str().unwrap()];
            let words = first.iter().chain(words);
            let code = run_words(&PROGRAM, words.map(OsString::from), |sample: Sample| {
                ran = sample.tls.key_file == folder.path().join("f");
                async { Err(CmdError::failure("the node fell over")) }
            });
            (code, ran)
        };
        assert_eq!(run(&[]), (ExitCode::from(1), true));
        assert_eq!(run(&["--check-config"]), (ExitCode::from(2), false), "no file f");
        std::fs::write(folder.path().join("f"), "").unwrap();
        assert_eq!(run(&["--check-config"]), (ExitCode::from(2), false), "an empty file f");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("f"), authority).unwrap();
        assert_eq!(run(&["--check-config"]), (ExitCode::SUCCESS, false));
        assert_eq!(run(&["--no-such"]), (ExitCode::from(2), false));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(run(&[]), (ExitCode::from(2), false));
    }

    #[test]
    fn reads_the_arguments_of_a_daemon() {
        let parse = |words: &[&str]| {
            let words = std::iter::once(&"/usr/bin/any").chain(words);
            DaemonArgs::parse_from_words(&PROGRAM, words.map(OsString::from))
        };
        let args = parse(&["--config", "hub.toml"]).unwrap();
        assert_eq!((args.config, args.check_config), ("hub.toml".into(), false));
        assert!(parse(&["--config", "hub.toml", "--check-config"]).unwrap().check_config);

        let version = parse(&["--version"]).unwrap_err();
        assert_eq!((version.to_string().as_str(), version.exit_code()), ("hub-test 1.2.3\n", 0));
        let missing = parse(&[]).unwrap_err();
        assert_eq!(missing.exit_code(), 2);
        assert!(missing.to_string().contains("Usage: hub-test --config <FILE>"), "{missing}");
    }
}
