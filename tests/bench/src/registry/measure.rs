//! What a large registry costs: to apply, to start with, to hold, and to tell of one change.

use std::path::Path;
use std::time::{Duration, Instant};

use hubctl::{Config, NodeClient};
use nation::layout::lay_out;
use nation::memory::memory;
use nation::plan::Plan;
use nation::running::Running;
use serde_json::Value;

use super::Options;
use super::generate::{Files, Size};
use super::report::{Change, Report, Restart};
use super::traffic::Traffic;
use crate::part::Failure;

/// How long a nation may take to come up, and a node to come back.
const READY_MAX: Duration = Duration::from_secs(300);

/// Between two looks at a node that comes back.
const PAUSE: Duration = Duration::from_millis(5);

/// What a change may take to get around. Traffic is counted for so long, and as long before.
const WINDOW: Duration = Duration::from_secs(4);

/// Only what an operator should know: logs must not be what is measured.
const LOG: &str = "format = \"json\"\nfilter = \"warn\"";

/// Brings the nation up in `folder`, applies the registry to it, and measures.
pub(super) fn measure(options: &Options, files: &Files, folder: &Path) -> Result<Report, Failure> {
    let size = options.size();
    let bins = std::env::current_exe()?.parent().unwrap_or(Path::new(".")).to_owned();
    let plan = Plan::load(&files.plan)?;
    let layout = lay_out(&plan, &folder.join("nation"), LOG)?;
    let mut running = Running::start_guarded(layout, &bins)?;
    options.say("waiting for all processes");
    let began = Instant::now();
    running.wait_ready(READY_MAX)?;
    let start_s = began.elapsed().as_secs_f64();

    options.say("applying the registry");
    let applied = apply(&running, &files.registry, &["--no-wait"])?;
    wait_for_revision(&running, applied.revision)?;
    let rest = options.rest();
    std::thread::sleep(rest);

    options.say("telling of single changes");
    let traffic = Traffic::of(&running.layout);
    let mut changes = Vec::new();
    for turn in 1..=options.changes {
        changes.push(change((&running, &traffic), &size, files, turn.into())?);
    }
    options.say("starting nodes again");
    let memory = memory(running.processes());
    let restarts = ["hub.centre".into(), "hub.c00".into(), size.agent(0)];
    let restarts =
        restarts.iter().map(|name| restart(&mut running, name)).collect::<Result<_, _>>();
    let (restarts, processes) = (restarts?, running.processes().count());
    let unruly = running.stop(READY_MAX);
    if !unruly.is_empty() {
        return Err(format!("did not leave in order: {}", unruly.join(", ")).into());
    }
    let apply_s = applied.elapsed.as_secs_f64();
    Ok(Report { size, processes, start_s, apply_s, changes, memory, restarts })
}

/// What an `apply` came to.
struct Applied {
    elapsed: Duration,
    revision: u64,
    told: Value,
}

fn apply(running: &Running, path: &Path, more: &[&str]) -> Result<Applied, Failure> {
    let path = path.display().to_string();
    let began = Instant::now();
    let words = [&["apply", "-o", "json", "-f", path.as_str()], more].concat();
    let printed = running.hubctl(&words)?;
    let elapsed = began.elapsed();
    if !printed.success {
        return Err(format!("apply failed: {}", printed.err.trim()).into());
    }
    let told: Value = serde_json::from_str(&printed.out)?;
    let revision = told["revision"].as_u64().ok_or("apply tells no revision")?;
    Ok(Applied { elapsed, revision, told })
}

/// Waits until every node has `revision`.
fn wait_for_revision(running: &Running, revision: u64) -> Result<(), Failure> {
    let names: Vec<String> =
        running.layout.nodes.iter().map(|node| node.name.to_string()).collect();
    on_a_runtime(async {
        let config = Config::load(&running.layout.hubctl_config)?;
        let began = Instant::now();
        for name in names {
            let client = NodeClient::connect(&config, &name)?;
            loop {
                let status = client.status().await.ok();
                let directory = status.and_then(|status| status.directory);
                if directory.is_some_and(|at| revision <= at.revision) {
                    break;
                }
                if READY_MAX < began.elapsed() {
                    return Err(format!("{name} did not get revision {revision}").into());
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    })
}

/// Changes one service, and waits for all nodes, which `hubctl` asks again and again.
fn change(
    (running, traffic): (&Running, &Traffic<'_>),
    size: &Size,
    files: &Files,
    turn: usize,
) -> Result<Change, Failure> {
    size.write_change(files, turn)?;
    let before = traffic.down_bytes();
    std::thread::sleep(WINDOW);
    let (quiet, began) = (traffic.down_bytes(), Instant::now());
    let applied = apply(running, &files.service, &[])?;
    let took = began.elapsed();
    std::thread::sleep(WINDOW.saturating_sub(took));
    let (after, window) = (traffic.down_bytes(), began.elapsed());
    let reach = &applied.told["reach"];
    let number = |name: &str| reach[name].as_u64().unwrap_or_default();
    let (nodes, in_force) = (number("nodes"), number("in_force"));
    if nodes == 0 || in_force < nodes {
        return Err(format!("a change reached {in_force} of {nodes} nodes").into());
    }
    let idle = before.zip(quiet).map(|(before, quiet)| quiet.saturating_sub(before) as f64);
    let busy = quiet.zip(after).map(|(quiet, after)| after.saturating_sub(quiet) as f64);
    let longer = window.as_secs_f64() / WINDOW.as_secs_f64();
    let down_bytes = busy.zip(idle).map(|(busy, idle)| (busy - idle * longer).max(0.0));
    Ok(Change { nodes, reach_ms: number("after_ms"), down_bytes })
}

/// Kills a node as a crash would, and starts it again.
fn restart(running: &mut Running, name: &str) -> Result<Restart, Failure> {
    running.process(name)?.kill();
    let began = Instant::now();
    running.restart(name)?;
    let config = Config::load(&running.layout.hubctl_config)?;
    on_a_runtime(async {
        let client = NodeClient::connect(&config, name)?;
        while !client.status().await.is_ok_and(|status| status.ready) {
            if READY_MAX < began.elapsed() {
                return Err(format!("{name} did not come back").into());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    })?;
    Ok(Restart { node: name.into(), ready_ms: began.elapsed().as_millis() as u64 })
}

fn on_a_runtime<T>(body: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(body)
}
