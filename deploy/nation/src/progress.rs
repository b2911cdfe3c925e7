//! How a nation comes up, for whoever waits: one live line in a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Instant;

use crate::ready::{Part, Progress};
use crate::voice::say;

/// Columns of a bar: three of them, their names and the time fit into a line of 80.
const BAR_WIDTH: usize = 5;

/// What was told last.
pub(crate) struct Display {
    began: Instant,
    is_live: bool,
    told: Progress,
}

impl Display {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, is_live: stderr().is_terminal(), told: Progress::default() }
    }

    pub(crate) fn tell(&mut self, now: Progress) {
        let seconds = self.began.elapsed().as_secs_f64();
        let parts = [
            ("providers", self.told.programs, now.programs),
            ("hubs", self.told.hubs, now.hubs),
            ("agents", self.told.agents, now.agents),
        ];
        if self.is_live {
            let mut out = stderr().lock();
            // Nobody is there to tell if that fails. The code clears what an earlier line left.
            let _ = write!(out, "\r{}\x1b[K", live(now, seconds));
            let all_there = parts.iter().all(|(_, _, now)| now.ready == now.all);
            let _ = out.write_all(if all_there { b"\n" } else { b"" });
            let _ = out.flush();
        } else {
            for (name, before, now) in parts {
                // Each part once, when it is whole.
                if now.ready == now.all && before != now {
                    say(format_args!("    {name}: all {} after {seconds:.1} s", now.all));
                }
            }
        }
        self.told = now;
    }

    /// Leaves the live line, so that what follows stands below it.
    pub(crate) fn leave(&self) {
        if self.is_live && self.told.agents.ready < self.told.agents.all {
            say("");
        }
    }
}

fn live(now: Progress, seconds: f64) -> String {
    let parts = [("providers", now.programs), ("hubs", now.hubs), ("agents", now.agents)];
    let parts = parts.map(|(name, part)| format!("{name} {}", bar(part)));
    format!("    {}  {seconds:.1} s", parts.join("  "))
}

fn bar(part: Part) -> String {
    let Part { ready, all } = part;
    let full = (ready * BAR_WIDTH).checked_div(all).unwrap_or(BAR_WIDTH);
    format!("{}{} {ready}/{all}", "━".repeat(full), "·".repeat(BAR_WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_when_all_are_there() {
        assert_eq!(bar(Part { ready: 0, all: 14 }), "····· 0/14");
        assert_eq!(bar(Part { ready: 7, all: 14 }), "━━··· 7/14");
        assert_eq!(bar(Part { ready: 14, all: 14 }), "━━━━━ 14/14");
        assert_eq!(bar(Part::default()), "━━━━━ 0/0");
    }

    #[test]
    fn the_live_line_fits_a_terminal_of_80_columns() {
        let part = Part { ready: 100, all: 100 };
        let line = live(Progress { programs: part, hubs: part, agents: part }, 59.9);
        assert!(line.chars().count() < 80, "{line}");
    }
}
