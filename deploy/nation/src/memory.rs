//! How much memory the programs of a nation hold, against the number that the design sets.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::process::Process;

/// Most resident memory of an idle hub or agent.
pub const IDLE_RSS_KIB_MAX: u64 = 32 * 1024;

/// The programs that the number is for.
const HELD: [&str; 3] = ["hub-central", "hub-cluster", "agent"];

/// All processes of one program, as the kernel counts them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Memory {
    pub program: String,
    pub processes: usize,
    pub rss_median_kib: u64,
    pub rss_largest_kib: u64,
    /// Whose memory the largest is.
    pub largest: String,
    /// The most that any of them ever held.
    pub rss_peak_kib: u64,
    /// `None` where nothing is promised.
    pub rss_kib_max: Option<u64>,
}

impl Memory {
    pub fn is_held(&self) -> bool {
        self.rss_kib_max.is_none_or(|most| self.rss_largest_kib <= most)
    }
}

/// One entry for each program of `processes`, those with a promise first.
pub fn memory<'p>(processes: impl Iterator<Item = &'p Process>) -> Vec<Memory> {
    let mut programs: BTreeMap<String, Vec<(u64, u64, String)>> = BTreeMap::new();
    for process in processes {
        // One that has ended holds nothing.
        if let Some((now, peak)) = process.memory_kib() {
            let name = process.name().to_owned();
            programs.entry(process.program()).or_default().push((now, peak, name));
        }
    }
    let mut all: Vec<Memory> =
        programs.into_iter().map(|(program, sizes)| summed_up(program, sizes)).collect();
    let place = |memory: &Memory| HELD.iter().position(|held| *held == memory.program);
    all.sort_by_key(|memory| place(memory).unwrap_or(HELD.len()));
    all
}

fn summed_up(program: String, mut sizes: Vec<(u64, u64, String)>) -> Memory {
    sizes.sort();
    let median = sizes[sizes.len() / 2].0;
    let peak = sizes.iter().map(|(_, peak, _)| *peak).max().unwrap_or_default();
    let (largest_kib, _, largest) = sizes.last().cloned().unwrap_or_default();
    Memory {
        rss_kib_max: HELD.contains(&program.as_str()).then_some(IDLE_RSS_KIB_MAX),
        program,
        processes: sizes.len(),
        rss_median_kib: median,
        rss_largest_kib: largest_kib,
        largest,
        rss_peak_kib: peak,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_process_decides() {
        let sizes =
            |largest| vec![(largest, 9, "c".into()), (10, 99, "a".into()), (20, 30, "b".into())];
        let held = summed_up("agent".into(), sizes(IDLE_RSS_KIB_MAX));
        assert_eq!((held.processes, held.rss_median_kib, held.rss_peak_kib), (3, 20, 99));
        assert_eq!((held.largest.as_str(), held.is_held()), ("c", true));
        assert!(!summed_up("agent".into(), sizes(IDLE_RSS_KIB_MAX + 1)).is_held());
        assert!(summed_up("sample-registry".into(), sizes(IDLE_RSS_KIB_MAX + 1)).is_held());
    }
}
