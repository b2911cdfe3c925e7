//! The command line: arguments in, one line out, exit 2 for a wrong call and 1 for a failure.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use mesh_core::id::ClusterId;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::kind::Kind;
use crate::pool::{READERS_MAX, WRITERS_MAX};
use crate::population::{PERSONS_MAX, first_national_id};
use crate::server::{Bound, Config, Drained, GRACE};
use crate::{PERSONS_DEFAULT, SEED_DEFAULT};

/// Serves one register of the sample nation, whose persons and companies are all invented.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Which register to serve
    #[arg(
        long,
        value_name = "KIND",
        required_unless_present = "print_first",
        value_parser = PossibleValuesParser::new(Kind::NAMES),
    )]
    register: Option<String>,
    /// The cluster that publishes the service cards; for `--register cards` alone
    #[arg(long, value_name = "CLUSTER")]
    publisher: Option<ClusterId>,
    /// Loopback address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    listen: SocketAddr,
    /// SQLite file of the register; created and filled if it is empty
    #[arg(long, value_name = "FILE", required_unless_present = "print_first")]
    database: Option<PathBuf>,
    /// Decides who the persons are
    #[arg(long, default_value_t = SEED_DEFAULT)]
    seed: u64,
    /// How many persons there are
    #[arg(
        long,
        default_value_t = PERSONS_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(PERSONS_MAX)),
    )]
    persons: u32,
    /// Print the national ID of person number 0 and exit
    #[arg(long)]
    print_first: bool,
}

/// Threads beside the one that speaks HTTP: one for each query that may run at once.
const THREADS_MAX: usize = READERS_MAX + WRITERS_MAX;

/// Runs the program with the arguments of this process.
pub fn run_command() -> ExitCode {
    let order = match Args::try_parse().and_then(Order::new) {
        Ok(order) => order,
        Err(error) => return answer_usage(&error),
    };
    match run(order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&sentence(&*error));
            ExitCode::FAILURE
        }
    }
}

/// What the arguments ask for.
enum Order {
    PrintFirst { seed: u64 },
    Serve(Config),
}

impl Order {
    fn new(args: Args) -> Result<Self, clap::Error> {
        let Args { register, publisher, listen, database, seed, persons, print_first } = args;
        // The parser asks for both unless the first person is to be printed.
        let (Some(name), Some(database), false) = (register, database, print_first) else {
            return Ok(Self::PrintFirst { seed });
        };
        let kind = Kind::new(&name, publisher)
            .map_err(|error| Args::command().error(ErrorKind::ArgumentConflict, error))?;
        Ok(Self::Serve(Config { listen, database, kind, seed, persons }))
    }
}

fn run(order: Order) -> Result<(), Box<dyn Error>> {
    match order {
        Order::PrintFirst { seed } => Ok(say(&first_national_id(seed))?),
        Order::Serve(config) => {
            // One thread for HTTP and a few for SQLite: many registers share one machine.
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.max_blocking_threads(THREADS_MAX).enable_all().build()?;
            runtime.block_on(serve(config))
        }
    }
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    // From here on a signal waits for us. Whoever reads our line may send one at once.
    let (terminate, interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let bound = Bound::build(config).await?;
    say(&format!("listening on http://{}", bound.address()))?;
    let drained = bound.run(asked_to_stop(terminate, interrupt), GRACE).await;
    if let Drained::BrokeOff { connections } = drained {
        complain(&format!("broke off {connections} connections after {} s", GRACE.as_secs()));
    }
    Ok(())
}

async fn asked_to_stop(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Writes one line to stdout. Unlike `println!` it does not panic if nobody reads.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Writes one line to stderr, and does not panic either.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr =
        text.parse().map_err(|_| "want an address and a port, such as 127.0.0.1:0")?;
    if !address.ip().is_loopback() {
        return Err("callers are not asked who they are, so it must be a loopback address");
    }
    Ok(address)
}

/// Help and version go to stdout as the parser lays them out; a mistake becomes one sentence.
fn answer_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return error.print().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let sentence = words.join(" ");
    complain(sentence.strip_prefix("error: ").unwrap_or(&sentence));
    ExitCode::from(2)
}

/// An error and its causes, from what failed to why.
fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
