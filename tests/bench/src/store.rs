//! `bench store`: what a nation's registry costs in each of its stores, beside each other in one
//! run: loading it, reading all of it at start, and one change that others hear of.

mod contender;
mod nation;

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use mesh_store::{KeyPrefix, Store, StoreRevision, read_all};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::part::Failure;
use contender::{Contender, Embedding, OnEtcd};
use nation::Nation;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 200)]
    agencies: usize,
    #[arg(long, default_value_t = 5_000)]
    services: usize,
    #[arg(long, default_value_t = 50_000)]
    agreements: usize,
    /// Single changes that are timed
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    changes: u32,
    /// Print one JSON document and nothing else
    #[arg(long)]
    json: bool,
}

/// What one store took.
#[derive(Debug, Serialize)]
struct Row {
    store: &'static str,
    load_s: f64,
    load_commits: usize,
    /// To open it, and to read all objects page by page.
    open_ms: f64,
    read_s: f64,
    /// From the call to the answer.
    commit_p50_ms: f64,
    commit_p99_ms: f64,
    /// From the call to a watcher.
    heard_p50_ms: f64,
    heard_p99_ms: f64,
    compact_s: f64,
    on_disk_mib: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    objects: usize,
    objects_mib: f64,
    rows: Vec<Row>,
    /// What was not measured, and why.
    missing: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let nation = Nation {
        agencies: options.agencies,
        services: options.services,
        agreements: options.agreements,
    };
    let runtime = Runtime::new()?;
    let mut missing = Vec::new();
    let mut rows = vec![runtime.block_on(measure(&mut Embedding::new()?, &nation, options))?];
    match OnEtcd::start() {
        Some(mut etcd) => rows.push(runtime.block_on(measure(&mut etcd, &nation, options))?),
        None => missing.push("etcd: it is not on this machine (`cargo xtask setup`)".into()),
    }
    let objects_mib = mib(nation.bytes());
    let report = Report { objects: nation.objects(), objects_mib, rows, missing };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(
    contender: &mut impl Contender,
    nation: &Nation,
    options: &Options,
) -> Result<Row, Failure> {
    let (store, _) = contender.open().await?;
    let began = Instant::now();
    let (load_commits, newest) = nation.load(&*store).await?;
    let load_s = began.elapsed().as_secs_f64();

    let (mut commits, mut heard) = time_changes(&store, nation, newest, options.changes).await?;

    drop(store);
    let (store, opened) = contender.open().await?;
    let began = Instant::now();
    let (at, items) = read_all(&*store, "mesh/object/".parse()?).await?;
    let read_s = began.elapsed().as_secs_f64();
    if items.len() != nation.objects() {
        return Err(format!("{} of {} objects are there", items.len(), nation.objects()).into());
    }
    drop(items);
    let on_disk_mib = mib(contender.bytes_on_disk().await?);
    let began = Instant::now();
    store.compact(at).await?;
    let compact_s = began.elapsed().as_secs_f64();
    Ok(Row {
        store: contender.name(),
        load_s,
        load_commits,
        open_ms: ms(opened),
        read_s,
        commit_p50_ms: ms(quantile(&mut commits, 50)),
        commit_p99_ms: ms(quantile(&mut commits, 99)),
        heard_p50_ms: ms(quantile(&mut heard, 50)),
        heard_p99_ms: ms(quantile(&mut heard, 99)),
        compact_s,
        on_disk_mib,
    })
}

/// One change after the other: how long until it is answered, and until a watcher has it.
async fn time_changes(
    store: &Arc<dyn Store>,
    nation: &Nation,
    mut newest: StoreRevision,
    changes: u32,
) -> Result<(Vec<Duration>, Vec<Duration>), Failure> {
    let mut watch = store.watch(&KeyPrefix::all(), newest).await?;
    let (mut commits, mut heard) = (Vec::new(), Vec::new());
    for change in 0..changes {
        let commit = nation.change(change as usize, newest);
        let began = Instant::now();
        let (answered, changed) = tokio::join!(
            async {
                let answer = store.commit(commit).await;
                (answer, began.elapsed())
            },
            watch.next()
        );
        heard.push(began.elapsed());
        let (answer, elapsed) = answered;
        newest = answer?;
        commits.push(elapsed);
        if changed?.revision != newest {
            return Err("the watcher heard of another commit".into());
        }
    }
    Ok((commits, heard))
}

fn quantile(spans: &mut [Duration], percent: usize) -> Duration {
    spans.sort_unstable();
    spans[(spans.len() - 1) * percent / 100]
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} objects, {:.0} MiB", self.objects, self.objects_mib)?;
        writeln!(
            f,
            "store     load s  commits  open ms  read s  commit p50/p99 ms  heard p50/p99 ms  \
             compact s  disk MiB"
        )?;
        for row in &self.rows {
            write!(f, "{:<8}  {:>6.2}  {:>7}", row.store, row.load_s, row.load_commits)?;
            write!(f, "  {:>7.1}  {:>6.2}", row.open_ms, row.read_s)?;
            write!(f, "  {:>8.2} /{:>7.2}", row.commit_p50_ms, row.commit_p99_ms)?;
            write!(f, "  {:>7.2} /{:>7.2}", row.heard_p50_ms, row.heard_p99_ms)?;
            writeln!(f, "  {:>9.2}  {:>8.0}", row.compact_s, row.on_disk_mib)?;
        }
        self.missing.iter().try_for_each(|missing| writeln!(f, "not measured: {missing}"))
    }
}
