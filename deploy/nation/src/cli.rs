//! The launcher's command line: bring a nation up, show it at work, keep it up until Ctrl-C.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

use crate::layout::lay_out;
use crate::memory::{Memory, memory};
use crate::next::next_steps;
use crate::plan::Plan;
use crate::progress::Display;
use crate::running::Running;
use crate::show;
use crate::stay::{Stop, stay_up};
use crate::tell::{Told, tell};

/// How long the nation may take to come up.
const READY_MAX: Duration = Duration::from_secs(60);

/// For each process to leave.
const STOP_MAX: Duration = Duration::from_secs(10);

/// What each daemon logs: how every exchange ended, and what an operator should know.
const LOG: &str = "format = \"json\"\nfilter = \"info,exchange=debug\"";

/// Bring a whole nation up on this machine.
#[derive(Debug, Parser)]
#[command(name = "nation", bin_name = "cargo xtask up", version)]
struct Options {
    /// What the nation is made of
    #[arg(long, value_name = "FILE", default_value = "deploy/nation/sample/nation.toml")]
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

/// Runs the launcher.
pub fn run_command() -> ExitCode {
    let options = Options::parse();
    match up(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nation: {}", mesh_rt::exit::sentence(&*error));
            ExitCode::FAILURE
        }
    }
}

fn up(options: &Options) -> Result<(), Box<dyn Error>> {
    // Keys, certificates and directories count too: what is promised is a nation from its files.
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = Plan::load(&options.plan)?;
    let bins = match &options.bins {
        Some(bins) => bins.clone(),
        None => std::env::current_exe()?.parent().unwrap_or(Path::new(".")).to_owned(),
    };
    let scratch = Scratch::new(options.keep.as_deref())?;
    eprintln!("==> {}", made_of(&plan));
    eprintln!("    files: {}", scratch.0.display());
    // Listens from here on, so that Ctrl-C while the nation comes up ends it in order too.
    let mut stop = runtime.block_on(async { Stop::listen() })?;
    let layout = lay_out(&plan, &scratch.0, LOG)?;
    let mut running = Running::start(layout, &bins)?;
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
            return Err(error);
        }
    };
    if shown.is_some() && !options.once {
        eprintln!("\nThe nation is up. Ctrl-C ends it.");
        runtime.block_on(stay_up(&mut running, &mut stop))?;
    }
    eprintln!("\n==> ending");
    let unruly = running.stop(STOP_MAX);
    if !unruly.is_empty() {
        return Err(format!("did not leave in order: {}", unruly.join(", ")).into());
    }
    match shown {
        Some(shown) if options.once => Ok(shown.judge()?),
        _ => Ok(()),
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
) -> Result<Shown, Box<dyn Error>> {
    let mut display = Display::new(began);
    let ready = running.until_ready(READY_MAX, |now| display.tell(now)).await;
    display.leave();
    ready?;
    let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let processes = running.processes().count();
    if options.json {
        let nodes = running.layout.nodes.len();
        println!(
            "{}",
            json!({"event": "start", "ready_ms": ready_ms, "nodes": nodes, "processes": processes})
        );
    } else {
        println!("\n==> {processes} processes, ready after {ready_ms} ms");
    }
    let told = tell(&plan.story, &running.layout, options.json).await;
    let memory = memory(running.processes());
    if options.json {
        println!("{}", json!({"event": "memory", "programs": memory}));
    } else {
        print!("{}", show::memory(&memory));
    }
    if !options.once {
        eprint!("{}", next_steps(running, &told, plan.story.remedy.as_deref()));
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
        "mesh {}: {} clusters, {} agencies, {} systems ({} with an agent), {} services, \
         {} permissions",
        plan.mesh.mesh,
        objects.clusters.len(),
        objects.agencies.len(),
        objects.systems.len(),
        plan.agents.len(),
        objects.services.len(),
        objects.permissions.len()
    )
}

/// Where the nation's files are; removed at the end unless they are to be kept.
struct Scratch(PathBuf, bool);

impl Scratch {
    fn new(keep: Option<&Path>) -> Result<Self, String> {
        let dir = match keep {
            Some(dir) => dir.to_owned(),
            None => std::env::temp_dir().join(format!("nation-{}", std::process::id())),
        };
        let unused = |why: std::io::Error| format!("{} cannot be used: {why}", dir.display());
        std::fs::create_dir_all(&dir).map_err(unused)?;
        if dir.read_dir().map_err(unused)?.next().is_some() {
            return Err(format!("{} is not empty, choose another directory", dir.display()));
        }
        Ok(Self(dir.canonicalize().map_err(unused)?, keep.is_some()))
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
