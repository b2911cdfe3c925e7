//! `bench link`: how much one hop carries on a link, against one gRPC call for each exchange.

use std::process::ExitCode;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::contender::{Contender, Kind};
use crate::load::Order;
use crate::part::Failure;
use crate::pki;
use crate::report::{Report, Run};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Callers at once; the last of these is what `--hold` speaks of
    #[arg(long, value_delimiter = ',', default_value = "8,64,256", value_name = "NUMBERS")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    callers: Vec<usize>,
    /// Times that every contender has its turn at every number of callers
    #[arg(long, default_value = "5")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// How long a turn is
    #[arg(long, default_value = "2")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Connections of the unary contender; its best counts
    #[arg(long, value_delimiter = ',', default_value = "1,2,4", value_name = "NUMBERS")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    connections: Vec<usize>,
    /// Threads of each process [default: one for each processor]
    #[arg(long)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    workers: Option<usize>,
    /// Fail unless the link carries so many times as much
    #[arg(long, default_value_t = 3.0, value_name = "TIMES")]
    hold: f64,
    /// Print one JSON document and nothing else
    #[arg(long)]
    json: bool,
}

/// A turn before the first round, which does not count: handshakes, first allocations.
const WARM_UP_MS: u64 = 500;

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let report = Report::of(&measure(options)?, options.hold).ok_or("nothing was measured")?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    match report.shortfall() {
        None => Ok(ExitCode::SUCCESS),
        Some(shortfall) => Err(shortfall.into()),
    }
}

/// Gives every contender its turn at every number of callers, over and over, so that what else the
/// machine does meanwhile disturbs them alike.
fn measure(options: &Options) -> Result<Vec<Run>, Failure> {
    let pki = tempfile::Builder::new().prefix("mesh-bench-").tempdir()?;
    pki::issue_all(pki.path())?;
    let workers = match options.workers {
        Some(workers) => workers,
        None => std::thread::available_parallelism()?.get(),
    };
    let unary = options.connections.iter().map(|&connections| Kind::Unary { connections });
    let mut contenders = std::iter::once(Kind::Link)
        .chain(unary)
        .map(|kind| Contender::start(kind, pki.path(), workers))
        .collect::<Result<Vec<_>, _>>()?;
    // They have read what they need, so that nothing is left if somebody ends this by force.
    pki.close()?;
    let most = options.callers.iter().copied().max().unwrap_or(1);
    for contender in &mut contenders {
        contender.carry(Order { callers: most, during_ms: WARM_UP_MS })?;
    }
    let mut runs = Vec::new();
    for round in 0..options.rounds {
        for &callers in &options.callers {
            for contender in &mut contenders {
                let order = Order { callers, during_ms: 1000 * options.seconds };
                let carried = contender.carry(order)?;
                runs.push(Run { round, kind: contender.kind, callers, carried });
            }
        }
    }
    Ok(runs)
}
