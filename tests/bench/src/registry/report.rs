//! What a benchmark of the registry came to, as a table and as JSON.

use std::fmt;

use nation::memory::Memory;
use serde::Serialize;

use super::generate::Size;

/// What is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) size: Size,
    pub(crate) processes: usize,
    /// From the first process to all ready, with the small registry.
    pub(crate) start_s: f64,
    /// Of services and agreements, until the registry has them all.
    pub(crate) apply_s: f64,
    pub(crate) changes: Vec<Change>,
    /// With the whole registry, of each program.
    pub(crate) memory: Vec<Memory>,
    pub(crate) restarts: Vec<Restart>,
}

/// One change of one service.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) nodes: u64,
    /// From the registry's answer until every node has it, as `hubctl apply` sees it.
    pub(crate) reach_ms: u64,
    /// On all links together, above what they carry anyway; `null` if nobody counted.
    pub(crate) down_bytes: Option<f64>,
}

/// A node that was killed and started again.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Restart {
    pub(crate) node: String,
    pub(crate) ready_ms: u64,
}

impl Report {
    /// The slowest change must reach all nodes within `reach_ms_max`.
    pub(crate) fn shortfall(&self, reach_ms_max: u64) -> Option<String> {
        let slowest = self.changes.iter().map(|change| change.reach_ms).max()?;
        (reach_ms_max < slowest).then(|| {
            format!("a change took {slowest} ms to reach all nodes, want {reach_ms_max} at most")
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { clusters, agencies, services, agreements, seed } = self.size;
        writeln!(
            f,
            "{clusters} clusters, {agencies} agencies, {services} services, {agreements} \
             agreements (seed {seed}); {} processes",
            self.processes
        )?;
        writeln!(f, "all ready after      {:>9.1} s", self.start_s)?;
        writeln!(f, "registry applied in  {:>9.1} s", self.apply_s)?;
        let reach = self.changes.iter().map(|change| change.reach_ms as f64).collect();
        if let Some(reach_ms) = median(reach) {
            let nodes = self.changes.iter().map(|change| change.nodes).max().unwrap_or_default();
            writeln!(f, "a change reaches {nodes} nodes in {reach_ms:.0} ms")?;
        }
        let bytes = self.changes.iter().filter_map(|change| change.down_bytes).collect();
        if let Some(bytes) = median(bytes) {
            writeln!(f, "a change costs       {:>9.1} KiB on all links", bytes / 1024.0)?;
        }
        for Restart { node, ready_ms } in &self.restarts {
            writeln!(f, "{node} ready again after {ready_ms} ms")?;
        }
        writeln!(f, "\nprogram       processes  median MiB  largest MiB")?;
        for memory in &self.memory {
            let Memory { program, processes, rss_median_kib, rss_largest_kib, .. } = memory;
            let mib = |kib: u64| kib as f64 / 1024.0;
            let (median, largest) = (mib(*rss_median_kib), mib(*rss_largest_kib));
            writeln!(f, "{program:<12}  {processes:>9}  {median:>10.1}  {largest:>11.1}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(reach_ms: &[u64]) -> Report {
        let change = |&reach_ms: &u64| Change { nodes: 215, reach_ms, down_bytes: Some(2048.0) };
        let size = Size { clusters: 14, agencies: 200, services: 1, agreements: 1, seed: 1405 };
        Report {
            size,
            processes: 215,
            start_s: 1.5,
            apply_s: 2.5,
            changes: reach_ms.iter().map(change).collect(),
            memory: Vec::new(),
            restarts: vec![Restart { node: "hub.centre".into(), ready_ms: 80 }],
        }
    }

    #[test]
    fn the_slowest_change_decides() {
        assert_eq!(report(&[100, 900]).shortfall(1_000), None);
        let want = "a change took 1001 ms to reach all nodes, want 1000 at most";
        assert_eq!(report(&[1_001, 90]).shortfall(1_000).as_deref(), Some(want));
        assert_eq!(report(&[]).shortfall(1_000), None);
    }

    #[test]
    fn the_table_has_medians() {
        let text = report(&[100, 900, 200]).to_string();
        for line in ["a change reaches 215 nodes in 200 ms", "2.0 KiB on all links", "80 ms"] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
