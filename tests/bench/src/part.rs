//! The processes that a contender is made of: a caller side, a forwarder, an answering side.
//!
//! Each says one line when it is ready and ends when its standard input does, so that none outlives
//! the benchmark, however that ends.

mod lanes;
mod payload;
mod unary;

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_core::Stream;
use mesh_rt::tls::{self, Accepted, CONNECTIONS_MAX};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, sleep};

use crate::load::{self, Ask, Order};
use crate::pki::{self, Who};

/// Why a benchmark, or a part of it, cannot go on.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What a part says when it is ready: the address where it listens, or this.
pub(crate) const READY: &str = "ready";

/// The first exchange takes handshakes on every hop, which meet as they come up.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(10);
const FIRST_ANSWER_PAUSE: Duration = Duration::from_millis(20);

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[arg(value_enum)]
    pub(crate) role: Role,
    /// The directory with the certificates of all parts
    #[arg(long)]
    pub(crate) pki: PathBuf,
    /// Where the part dials
    #[arg(long)]
    pub(crate) upper: Option<SocketAddr>,
    /// HTTP/2 connections that it opens
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: usize,
    /// Threads that it computes on
    #[arg(long)]
    pub(crate) workers: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Role {
    UnaryAnswer,
    UnaryForward,
    UnaryCall,
    LinkForward,
    LinkAnswer,
    LinkCall,
}

impl Role {
    /// Its word on the command line.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The whole life of a part.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(options.workers).enable_all().build()?;
    let done = runtime.block_on(play(options));
    runtime.shutdown_background();
    done
}

async fn play(options: &Options) -> Result<(), Failure> {
    let Options { pki, connections, .. } = options;
    let upper = || options.upper.ok_or("this part dials, so it needs --upper");
    let lines = standard_input();
    match options.role {
        Role::UnaryAnswer => hold(unary::answer(pki).await?, lines).await,
        Role::UnaryForward => hold(unary::forward(pki, upper()?, *connections).await?, lines).await,
        Role::UnaryCall => call(unary::caller(pki, upper()?, *connections).await?, lines).await,
        Role::LinkForward => hold(lanes::forward(pki).await?, lines).await,
        Role::LinkAnswer => {
            let _uplink = lanes::answer(pki, upper()?).await?;
            hold(READY, lines).await
        }
        Role::LinkCall => call(lanes::caller(pki, upper()?)?, lines).await,
    }
}

/// Says `ready`, and stays until nobody holds the other end of the standard input.
async fn hold(ready: impl ToString, mut lines: Receiver<String>) -> Result<(), Failure> {
    println!("{}", ready.to_string());
    while lines.recv().await.is_some() {}
    Ok(())
}

/// Carries out one order for each line, and answers with a line.
async fn call<A: Ask>(asker: A, mut lines: Receiver<String>) -> Result<(), Failure> {
    let asker = Arc::new(asker);
    first_answer(&*asker).await?;
    println!("{READY}");
    while let Some(line) = lines.recv().await {
        let order: Order = serde_json::from_str(&line)?;
        let seen = load::run(&asker, order).await?;
        println!("{}", serde_json::to_string(&seen)?);
    }
    Ok(())
}

async fn first_answer(asker: &impl Ask) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        match asker.ask().await {
            Ok(()) => return Ok(()),
            Err(failure) if FIRST_ANSWER_MAX <= began.elapsed() => return Err(failure),
            Err(_) => sleep(FIRST_ANSWER_PAUSE).await,
        }
    }
}

/// Lines as they come. A thread reads them: a read of standard input cannot be given up.
fn standard_input() -> Receiver<String> {
    let (sender, lines) = channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

type Connection = Accepted<TcpStream>;

/// Connections that were accepted for `me`, and where they are accepted.
async fn listen(
    pki: &Path,
    me: Who,
) -> Result<(SocketAddr, impl Stream<Item = std::io::Result<Connection>> + use<>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let acceptor = pki::acceptor(pki, me)?;
    let never = std::future::pending();
    Ok((address, tls::serve(listener, acceptor, CONNECTIONS_MAX, never)))
}
