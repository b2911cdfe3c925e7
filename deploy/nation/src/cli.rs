//! The launcher's command line: bring a nation up, show it at work, keep it up until Ctrl-C.

use std::io::{self, ErrorKind, Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mesh_rt::exit::{CmdError, sentence};
use serde_json::json;

use crate::guard::{GUARD, GUARD_KEPT, stand_guard};
use crate::layout::lay_out;
use crate::memory::{Memory, memory};
use crate::next::next_steps;
use crate::plan::Plan;
use crate::progress::Display;
use crate::remains::clear_up_all;
use crate::running::{RunError, Running};
use crate::scratch::Scratch;
use crate::show;
use crate::stay::{Stop, stay_up};
use crate::tell::{Told, tell};
use crate::voice::say;

/// How long the nation may take to come up.
const READY_MAX: Duration = Duration::from_secs(60);

/// For each process to leave.
const STOP_MAX: Duration = Duration::from_secs(10);

/// What each daemon logs: how every exchange ended, and what an operator should know.
const LOG: &str = "format = \"json\"\nfilter = \"info,exchange=debug\"";

/// The sample nation, from the root of the repository.
const PLAN: &str = "deploy/nation/sample/nation.toml";

/// Bring a whole nation up on this machine.
#[derive(Debug, Parser)]
#[command(name = "nation", bin_name = "cargo xtask up", version, after_help = EXIT_CODES)]
struct Options {
    /// What the nation is made of
    #[arg(long, value_name = "FILE", default_value = PLAN)]
    plan: PathBuf,
    /// Keep PKI, configurations and logs in this directory, which must be empty or not there yet
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print JSON instead of text: one object for the start, one for each step, one at the end
    #[arg(long)]
    json: bool,
    /// Show the nation at work once, then end; fails unless all went as it should
    #[arg(long)]
    once: bool,
    /// Where the programs are; by default beside this one
    #[arg(long, value_name = "DIR")]
    bins: Option<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes: 0 the nation did as asked and left in order; 1 it did not; \
                          2 change the arguments or the plan first";

/// No plan was named, and the sample is not where it is looked for.
#[derive(Debug, thiserror::Error)]
#[error("{PLAN}: is not here; run this in the root of the repository, or name a plan with --plan")]
struct NoPlan;

/// Runs the launcher.
pub fn run_command() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if let (Some(word), Some(folder)) = (words.next(), words.next())
        && (word == GUARD || word == GUARD_KEPT)
    {
        stand_guard(Path::new(&folder), word == GUARD_KEPT);
        return ExitCode::SUCCESS;
    }
    match up(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("nation: {}", sentence(&error)));
            error.exit_code()
        }
    }
}

fn up(options: &Options) -> Result<(), CmdError> {
    // Keys, certificates and directories count too: what is promised is a nation from its files.
    let began = Instant::now();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(CmdError::failure)?;
    let plan = plan(&options.plan)?;
    let bins = match &options.bins {
        Some(bins) => bins.clone(),
        None => beside_this_program().map_err(CmdError::failure)?,
    };
    tell_of_remains();
    let (scratch, ledger) = Scratch::new(options.keep.as_deref()).map_err(CmdError::usage)?;
    say(format_args!("==> {}\n    files: {}", made_of(&plan), scratch.dir().display()));
    // Listens from here on, so that Ctrl-C while the nation comes up ends it in order too.
    let mut stop = runtime.block_on(async { Stop::listen() }).map_err(CmdError::failure)?;
    let layout = lay_out(&plan, scratch.dir(), LOG).map_err(CmdError::failure)?;
    let mut running = Running::start_noting(layout, &bins, Some(ledger)).map_err(unstarted)?;
    let shown = runtime.block_on(async {
        tokio::select! {
            shown = present(&mut running, &plan, options, began) => shown.map(Some),
            () = stop.asked() => Ok(None),
        }
    });
    let shown = match shown {
        Ok(shown) => shown,
        Err(error) => {
            running.stop(STOP_MAX);
            return error.or_enough();
        }
    };
    if shown.is_some() && !options.once {
        say("\nThe nation is up. Ctrl-C ends it.");
        let stayed = runtime.block_on(stay_up(&mut running, &plan, &mut stop));
        stayed.map_err(CmdError::failure)?;
    }
    say("\n==> ending");
    let unruly = running.stop(STOP_MAX);
    if !unruly.is_empty() {
        return Err(CmdError::failure(format!("did not leave in order: {}", unruly.join(", "))));
    }
    match shown {
        Some(shown) if options.once => shown.judge().map_err(CmdError::failure),
        _ => Ok(()),
    }
}

fn plan(file: &Path) -> Result<Plan, CmdError> {
    if file == Path::new(PLAN) && !file.exists() {
        return Err(CmdError::usage(NoPlan));
    }
    Plan::load(file).map_err(CmdError::usage)
}

fn beside_this_program() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.parent().unwrap_or(Path::new(".")).to_owned())
}

/// Clears up what launchers left that were killed together with their guards.
fn tell_of_remains() {
    for cleared in clear_up_all(&std::env::temp_dir()) {
        let (folder, processes) = (cleared.folder.display(), cleared.processes);
        say(format_args!("    {folder}: removed, its launcher was killed"));
        if 0 < processes {
            say(format_args!("    ended {processes} of its processes"));
        }
    }
}

/// Programs that are missing are for whoever calls to mend.
fn unstarted(error: RunError) -> CmdError {
    match error {
        RunError::Missing { .. } | RunError::NoBins { .. } => CmdError::usage(error),
        other => CmdError::failure(other),
    }
}

/// Why a nation was not shown to the end.
#[derive(Debug, thiserror::Error)]
enum Unshown {
    #[error("what is told cannot be written")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Unshown {
    /// Whoever read has gone, as in `nation --json | head -1`: that was enough.
    fn or_enough(self) -> Result<(), CmdError> {
        match self {
            Self::Write(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => Err(CmdError::failure(other)),
        }
    }
}

/// What was shown, to be judged at the end.
struct Shown {
    told: Told,
    memory: Vec<Memory>,
}

/// Waits for the nation, shows it at work, and says what to try.
async fn present(
    running: &mut Running,
    plan: &Plan,
    options: &Options,
    began: Instant,
) -> Result<Shown, Unshown> {
    let mut display = Display::new(began);
    let ready = running.until_ready(READY_MAX, |now| display.tell(now)).await;
    display.leave();
    ready?;
    let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let processes = running.processes().count();
    let start = if options.json {
        let nodes = running.layout.nodes.len();
        let event = json!({
            "event": "start", "ready_ms": ready_ms, "nodes": nodes, "processes": processes,
        });
        format!("{event}\n")
    } else {
        format!("\n==> {processes} processes, ready after {ready_ms} ms\n")
    };
    let mut out = stdout();
    out.write_all(start.as_bytes())?;
    let told = tell(&plan.story, &running.layout, options.json, &mut out).await?;
    let memory = memory(running.processes());
    let text = if options.json {
        format!("{}\n", json!({"event": "memory", "programs": memory}))
    } else {
        show::memory(&memory)
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    if !options.once {
        say(next_steps(running, &told, plan.story.remedy.as_deref()).trim_end());
    }
    Ok(Shown { told, memory })
}

impl Shown {
    fn judge(&self) -> Result<(), String> {
        if !self.told.wrong.is_empty() {
            let wrong = self.told.wrong.join("; ");
            return Err(format!("the nation did not do what its story says: {wrong}"));
        }
        match self.memory.iter().find(|memory| !memory.is_held()) {
            None => Ok(()),
            Some(Memory { largest, rss_largest_kib, .. }) => {
                Err(format!("{largest} holds {rss_largest_kib} KiB at rest, more than is promised"))
            }
        }
    }
}

fn made_of(plan: &Plan) -> String {
    let objects = &plan.objects;
    format!(
        "mesh {}: {} clusters, {} agencies, {} systems ({} with an agent),\n    \
         {} services, {} agreements",
        plan.mesh.mesh,
        objects.clusters.len(),
        objects.agencies.len(),
        objects.systems.len(),
        plan.agents.len(),
        objects.services.len(),
        objects.agreements.len()
    )
}
