//! `bench registry`: what a registry of the size of the country costs, on real processes.
//!
//! A nation of small size comes up; services and agreements are applied to it; then single changes
//! are told, memory is read, and one node of each kind is killed and started again.

mod generate;
mod measure;
mod report;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use self::generate::Size;
use crate::part::Failure;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Clusters, each with a hub
    #[arg(long, default_value_t = 14)]
    clusters: usize,
    /// Agencies, each with one system and an agent beside it
    #[arg(long, default_value_t = 200)]
    agencies: usize,
    /// Services, spread over the agencies
    #[arg(long, default_value_t = 5_000)]
    services: usize,
    /// Who may use what: pairs of a consumer and a service
    #[arg(long, default_value_t = 50_000)]
    agreements: usize,
    /// Decides what is invented
    #[arg(long, default_value_t = 1405)]
    seed: u64,
    /// Single changes that are told, one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    changes: u16,
    /// Wait so long before memory is read and changes are told
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    rest: u64,
    /// Fail if a change takes longer to reach all nodes
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    hold: u64,
    /// Write the registry's files into this directory, and measure nothing
    #[arg(long, value_name = "DIR")]
    only_generate: Option<PathBuf>,
    /// Print one JSON document and nothing else
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    options.size().check()?;
    if let Some(folder) = &options.only_generate {
        options.size().write(folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::Builder::new().prefix("mesh-bench-").tempdir()?;
    let files = options.size().write(folder.path())?;
    let report = measure::measure(options, &files, folder.path())?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    match report.shortfall(options.hold) {
        None => Ok(ExitCode::SUCCESS),
        Some(shortfall) => Err(shortfall.into()),
    }
}

impl Options {
    fn size(&self) -> Size {
        let Self { clusters, agencies, services, agreements, seed, .. } = *self;
        Size { clusters, agencies, services, agreements, seed }
    }

    fn rest(&self) -> Duration {
        Duration::from_secs(self.rest)
    }

    /// Says on stderr what goes on: it takes minutes.
    fn say(&self, what: &str) {
        if !self.json {
            eprintln!("==> {what}");
        }
    }
}
