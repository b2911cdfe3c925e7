//! How a nation comes up, for whoever waits: one live line in a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Instant;

use crate::ready::{Part, Progress};

/// Columns of a bar.
const BAR_WIDTH: usize = 10;

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
            ("provider programs", self.told.programs, now.programs),
            ("hubs", self.told.hubs, now.hubs),
            ("agents", self.told.agents, now.agents),
        ];
        if self.is_live {
            let line: Vec<_> =
                parts.iter().map(|(name, _, now)| format!("{name} {}", bar(*now))).collect();
            let mut out = stderr().lock();
            // Nobody is there to tell if that fails. The code clears what an earlier line left.
            let _ = write!(out, "\r    {}   {seconds:.1} s\x1b[K", line.join("   "));
            let all_there = parts.iter().all(|(_, _, now)| now.ready == now.all);
            let _ = out.write_all(if all_there { b"\n" } else { b"" });
            let _ = out.flush();
        } else {
            for (name, before, now) in parts {
                // Each part once, when it is whole.
                if now.ready == now.all && before != now {
                    eprintln!("    {name}: all {} after {seconds:.1} s", now.all);
                }
            }
        }
        self.told = now;
    }

    /// Leaves the live line, so that what follows stands below it.
    pub(crate) fn leave(&self) {
        if self.is_live && self.told.agents.ready < self.told.agents.all {
            eprintln!();
        }
    }
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
        assert_eq!(bar(Part { ready: 0, all: 14 }), "·········· 0/14");
        assert_eq!(bar(Part { ready: 7, all: 14 }), "━━━━━····· 7/14");
        assert_eq!(bar(Part { ready: 14, all: 14 }), "━━━━━━━━━━ 14/14");
        assert_eq!(bar(Part::default()), "━━━━━━━━━━ 0/0");
    }
}
