//! The launcher's command line: bring a nation up, show it at work, keep it up until Ctrl-C.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::layout::lay_out;
use crate::plan::Plan;
use crate::running::Running;
use crate::show;

/// From the first process to the last one that is ready.
const READY_MAX: Duration = Duration::from_secs(15);

/// For each process to leave.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Bring a whole nation up on this machine.
#[derive(Debug, Parser)]
#[command(name = "nation", bin_name = "cargo xtask up", version)]
struct Options {
    /// What the nation is made of
    #[arg(long, value_name = "FILE", default_value = "deploy/nation/plans/two-clusters.toml")]
    plan: PathBuf,
    /// Keep PKI, configurations and logs in this directory, which must be empty or not there yet
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print one JSON object per inquiry instead of text
    #[arg(long)]
    json: bool,
    /// Show the nation at work once, then end
    #[arg(long)]
    once: bool,
    /// Where the programs are; by default beside this one
    #[arg(long, value_name = "DIR")]
    bins: Option<PathBuf>,
}

/// Runs the launcher.
pub fn run_command() -> ExitCode {
    let options = Options::parse();
    match up(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut line = error.to_string();
            let mut next = error.source();
            while let Some(cause) = next {
                line = format!("{line}: {cause}");
                next = cause.source();
            }
            eprintln!("nation: {line}");
            ExitCode::FAILURE
        }
    }
}

fn up(options: &Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let say = |line: &str| eprintln!("{line}");
    let plan = Plan::load(&options.plan)?;
    let bins = match &options.bins {
        Some(bins) => bins.clone(),
        None => std::env::current_exe()?.parent().unwrap_or(Path::new(".")).to_owned(),
    };
    let scratch = Scratch::new(options.keep.as_deref())?;
    say(&format!("==> keys, certificates, directory, configurations: {}", scratch.0.display()));
    let layout = lay_out(&plan, &scratch.0, "format = \"json\"\nfilter = \"info,exchange=debug\"")?;
    let began = Instant::now();
    // Listens from here on, so that Ctrl-C while the nation comes up ends it in order too.
    let stop = runtime.block_on(async { Stop::listen() })?;
    let mut running = Running::start(layout, &bins)?;
    for process in running.processes() {
        say(&format!("    started {} (process {})", process.name(), process.id()));
    }
    running.wait_ready(READY_MAX)?;
    say(&format!("==> ready after {} ms", began.elapsed().as_millis()));

    for inquiry in show::worked() {
        let shown = runtime.block_on(show::ask(&running.layout, &inquiry))?;
        if options.json {
            println!("{}", show::json(&inquiry, &shown));
        } else {
            print!("{}", show::text(&inquiry, &shown));
        }
    }
    for process in running.processes() {
        if let Some((now, peak)) = process.memory_kib() {
            say(&format!("    {:>7} KiB now, {peak:>7} at most: {}", now, process.name()));
        }
    }
    if !options.once {
        let hubctl = bins.join("hubctl");
        eprint!("{}", show::next_steps(&running.layout, &hubctl.display().to_string()));
        say("\nThe nation is up. Ctrl-C ends it.");
        runtime.block_on(stop.asked());
        say("==> ending");
    }
    let unruly = running.stop(STOP_MAX);
    if unruly.is_empty() {
        Ok(())
    } else {
        Err(format!("did not leave in order: {unruly:?}").into())
    }
}

/// SIGINT or SIGTERM, from the moment it listens.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn asked(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Where the nation's files are; removed at the end unless they are to be kept.
struct Scratch(PathBuf, bool);

impl Scratch {
    fn new(keep: Option<&Path>) -> std::io::Result<Self> {
        let dir = match keep {
            Some(dir) => dir.to_owned(),
            None => std::env::temp_dir().join(format!("nation-{}", std::process::id())),
        };
        std::fs::create_dir_all(&dir)?;
        if dir.read_dir()?.next().is_some() {
            let message = format!("{} is not empty, choose another directory", dir.display());
            return Err(std::io::Error::other(message));
        }
        Ok(Self(dir.canonicalize()?, keep.is_some()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.1 {
            // Nothing depends on it; the system clears its temporary directory too.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
