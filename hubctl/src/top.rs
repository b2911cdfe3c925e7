//! `hubctl top`: who is linked, what is in flight, how fast it goes and what fails, sampled again
//! and again.
//!
//! In a terminal it draws in place, on a screen of its own, until `q` or Ctrl-C; elsewhere, and
//! with `--count`, one table follows the other. There is a line for the centre, for each cluster
//! hub, and for those agents at the edge of the centre that have traffic or trouble; `--agents`
//! gives one to each agent. Rates and percentiles are of the time since the node answered before;
//! latencies go from the arrival of a request at the node to the end of its answer, and are within
//! an eighth.
//!
//! ```text
//! LINKS        of the node, both upwards and from below: up, of those that it should have
//! AGENTS       those of them that are agents attached to it
//! AT           the node at fault, which counts the failure as its own; where none does that was
//!              asked, the one that was named last
//! ```
//!
//! With `-o json` one object for each sample and node, on a line of its own. Every name is always
//! there; what is not known is `null`.
//!
//! ```text
//! at_unix_ms           when all were asked
//! node                 name below the mesh domain
//! state                ready, waiting, draining, unreachable
//! waiting_for          what it waits for while its state is waiting
//! error                why it is unreachable, or that it has not answered within the interval
//! links_up             of all its links, as its neighbours know them too
//! links_known
//! not_linked           nodes below it that should have a link and have none that is whole
//! exchanges_in_flight  now
//! resident_bytes       memory of the process now
//! interval_ms          since it answered before; null until it has answered twice. What follows
//!                      is of this time
//! exchanges_opened
//! exchanges_answered
//! exchanges_failed     refused or failed, there or further on
//! p50_us               of those that were answered; null if there was none
//! p95_us
//! p99_us
//! handshakes_refused   of neighbours from below
//! failures             by reason; only those that there were
//!   reason             permanent name
//!   here               the hop at fault was this node
//!   elsewhere          it was another one
//!   elsewhere_last     which one, the last time; null if it never was
//!   mender             who can mend it; null of a reason that this version does not know
//! ```
//!
//! Each node has a connection and a task of its own. One that does not answer in time is shown as
//! such, goes on being asked, and holds up nobody.

use std::io::{self, Write as _};
use std::time::Duration;

use mesh_rt::clock::{Clock as _, SystemClock};
use mesh_rt::exit::CmdError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::client::NodeClient;
use crate::config::Config;
use crate::output::Format;

use draw::{Drawn, Size, Title, draw};
use picture::picture;
use screen::{Happened, Screen};
use watch::Watch;

mod columns;
mod draw;
mod json;
mod picture;
mod sample;
mod screen;
mod watch;

/// What `top` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// From one sample to the next
    #[arg(
        long, value_name = "SECONDS", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=60)
    )]
    interval: u64,
    /// End after so many samples, and draw no screen
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// A line for each agent, not only for hubs
    #[arg(long)]
    agents: bool,
}

/// Watches the nodes of `clients` until somebody ends it.
pub(crate) async fn run(
    config: &Config,
    clients: Vec<NodeClient>,
    options: Options,
    format: Format,
) -> Result<(), CmdError> {
    let top = Top {
        watch: Watch::new(&config.mesh, clients),
        mesh: config.mesh.mesh.to_string(),
        interval: Duration::from_secs(options.interval),
        agents: options.agents,
    };
    let outcome = match (format, options.count) {
        (Format::Table, None) if Screen::is_there() => top.live().await,
        _ => top.told(format, options.count).await,
    };
    match outcome {
        // `hubctl top | head` has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(CmdError::failure),
    }
}

struct Top {
    watch: Watch,
    mesh: String,
    interval: Duration,
    agents: bool,
}

impl Top {
    /// Draws in place until somebody ends it.
    async fn live(mut self) -> io::Result<()> {
        let mut screen = Screen::enter()?;
        let mut ticks = self.ticks();
        loop {
            self.watch.begin(self.interval);
            let at_unix_ms = SystemClock.unix_ms();
            // Draws when the round is over, and while it lasts if the terminal's size changes.
            loop {
                tokio::select! {
                    goes_on = self.watch.goes_on() => if !goes_on { break },
                    happened = screen.happened() => match happened {
                        Happened::Ended => return Ok(()),
                        Happened::Resized => self.show(&screen, at_unix_ms)?,
                    },
                }
            }
            loop {
                self.show(&screen, at_unix_ms)?;
                tokio::select! {
                    _ = ticks.tick() => break,
                    happened = screen.happened() => match happened {
                        Happened::Ended => return Ok(()),
                        Happened::Resized => {}
                    },
                }
            }
        }
    }

    fn show(&self, screen: &Screen, at_unix_ms: u64) -> io::Result<()> {
        let size = screen.size();
        screen.show(&self.drawn(at_unix_ms, size), size)
    }

    /// Tells one sample after the other, `count` of them or for ever.
    async fn told(mut self, format: Format, count: Option<u64>) -> io::Result<()> {
        let mut ticks = self.ticks();
        // Rates need a sample before the first that is told.
        self.watch.round(self.interval).await;
        let mut told = 0;
        while count.is_none_or(|count| told < count) {
            ticks.tick().await;
            let at_unix_ms = SystemClock.unix_ms();
            self.watch.round(self.interval).await;
            let text = match format {
                Format::Table => self.table(at_unix_ms, told == 0),
                Format::Json => json::lines(self.watch.nodes(), at_unix_ms),
            };
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
            told += 1;
        }
        Ok(())
    }

    /// The first comes an interval from now.
    fn ticks(&self) -> Interval {
        let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    fn table(&self, at_unix_ms: u64, is_first: bool) -> String {
        let drawn = self.drawn(at_unix_ms, Size::UNBOUNDED);
        let between = if is_first { "" } else { "\n" };
        let lines = drawn.iter().map(|line| line.text.as_str()).collect::<Vec<_>>();
        format!("{between}{}\n", lines.join("\n"))
    }

    fn drawn(&self, at_unix_ms: u64, size: Size) -> Vec<Drawn> {
        let title = Title { mesh: self.mesh.clone(), at_unix_ms, interval: self.interval };
        draw(&picture(self.watch.nodes(), self.agents), &title, size)
    }
}

#[cfg(test)]
mod tests;
