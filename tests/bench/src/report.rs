//! What a benchmark of two ways to forward came to, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::contender::{Carried, Kind, Spent};

/// One turn of one contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) round: usize,
    pub(crate) kind: Kind,
    pub(crate) callers: usize,
    pub(crate) carried: Carried,
}

/// All turns of one contender at one number of callers: the median of each figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    contender: String,
    #[serde(skip)]
    kind: Kind,
    callers: usize,
    exchanges_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// Of all processes together.
    processor_us_per_exchange: f64,
    /// Of the forwarder among them.
    forwarder_us_per_exchange: f64,
    /// Of the machine: what nobody used, and what programs used that are no part of this.
    idle_percent: f64,
    others_percent: f64,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Each at the number of callers where it carries most.
    at_best: Ratio,
    /// At the last number of callers: what must hold.
    held: Ratio,
    hold: f64,
}

/// The link against the unary contender that carries most.
///
/// A shared machine may be twice as fast in one minute as in the next, and it is always the turns
/// of one round that are compared, since they are next to each other.
#[derive(Debug, Serialize)]
struct Ratio {
    link_callers: usize,
    unary: String,
    unary_callers: usize,
    /// How many times as much the link carries: in each round, and the median of these.
    rounds: Vec<f64>,
    throughput: f64,
    /// How many times as much processor time the other takes for an exchange.
    processor: f64,
}

impl Report {
    pub(crate) fn of(runs: &[Run], hold: f64) -> Option<Self> {
        let mut rows: Vec<Row> = Vec::new();
        for run in runs {
            if !rows.iter().any(|row| row.is_of(run)) {
                rows.push(Row::of(run.kind, run.callers, runs));
            }
        }
        rows.sort_by_key(|row| row.callers);
        let callers = runs.last()?.callers;
        let at_best = Ratio::of(runs, &rows, |_| true)?;
        let held = Ratio::of(runs, &rows, |row| row.callers == callers)?;
        Some(Self { rows, at_best, held, hold })
    }

    /// What to tell when the link does not carry what it must.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let Self { held: Ratio { link_callers, throughput, .. }, hold, .. } = self;
        let holds = hold <= throughput;
        // A ratio that is no number, since nothing was carried, holds nothing.
        if holds {
            return None;
        }
        Some(format!(
            "at {link_callers} callers the link carries {throughput:.2} times what unary \
             forwarding does, want at least {hold}"
        ))
    }
}

impl Ratio {
    /// Of the best rows among those that `counts` lets in.
    fn of(runs: &[Run], rows: &[Row], counts: impl Fn(&Row) -> bool) -> Option<Self> {
        let best = |is_link: bool| {
            let rows = rows.iter().filter(|row| counts(row) && (row.kind == Kind::Link) == is_link);
            rows.max_by(|a, b| a.exchanges_per_s.total_cmp(&b.exchanges_per_s))
        };
        let (link, unary) = (best(true)?, best(false)?);
        let of_rounds = |figure: fn(&Carried) -> f64| -> Vec<f64> {
            let figures = |row: &Row| {
                let runs: Vec<&Run> = runs.iter().filter(|run| row.is_of(run)).collect();
                runs.into_iter().map(|run| (run.round, figure(&run.carried))).collect::<Vec<_>>()
            };
            let unary = figures(unary);
            let same_round = |round| unary.iter().find(|(other, _)| *other == round);
            let pairs = figures(link).into_iter().filter_map(|(round, link)| {
                let (_, unary) = same_round(round)?;
                Some(link / unary)
            });
            pairs.collect()
        };
        let rounds = of_rounds(exchanges_per_s);
        let processor = of_rounds(|carried| 1.0 / per_exchange_us(carried, carried.spent.all));
        Some(Self {
            link_callers: link.callers,
            unary: unary.contender.clone(),
            unary_callers: unary.callers,
            throughput: median(rounds.clone()),
            processor: median(processor),
            rounds,
        })
    }
}

impl Row {
    fn of(kind: Kind, callers: usize, runs: &[Run]) -> Self {
        let is_alike = |run: &&Run| run.kind == kind && run.callers == callers;
        let of_all = |figure: fn(&Carried) -> f64| {
            median(runs.iter().filter(is_alike).map(|run| figure(&run.carried)).collect())
        };
        Self {
            contender: kind.to_string(),
            kind,
            callers,
            exchanges_per_s: of_all(exchanges_per_s),
            p50_us: of_all(|c| c.seen.p50_us as f64),
            p99_us: of_all(|c| c.seen.p99_us as f64),
            processor_us_per_exchange: of_all(|c| per_exchange_us(c, c.spent.all)),
            forwarder_us_per_exchange: of_all(|c| per_exchange_us(c, c.spent.forwarder)),
            idle_percent: of_all(|c| percent(&c.spent, c.spent.idle)),
            others_percent: of_all(|c| percent(&c.spent, c.spent.busy.saturating_sub(c.spent.all))),
        }
    }

    fn is_of(&self, run: &Run) -> bool {
        self.kind == run.kind && self.callers == run.callers
    }
}

fn exchanges_per_s(carried: &Carried) -> f64 {
    carried.seen.exchanges as f64 * 1e6 / carried.seen.elapsed_us as f64
}

fn per_exchange_us(carried: &Carried, computed: Duration) -> f64 {
    computed.as_secs_f64() * 1e6 / carried.seen.exchanges as f64
}

fn percent(spent: &Spent, part: Duration) -> f64 {
    100.0 * part.as_secs_f64() / (spent.busy + spent.idle).as_secs_f64()
}

/// The middle one; of an even number the lower of the two in the middle.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "contender  callers  exchanges/s   p50 ms   p99 ms  all cpu us  hop cpu us  idle %  \
             others %"
        )?;
        for row in &self.rows {
            let Row { contender, callers, exchanges_per_s, .. } = row;
            write!(f, "{contender:<9}  {callers:>7}  {exchanges_per_s:>11.0}")?;
            write!(f, "  {:>7.2}  {:>7.2}", row.p50_us / 1e3, row.p99_us / 1e3)?;
            let (all, hop) = (row.processor_us_per_exchange, row.forwarder_us_per_exchange);
            write!(f, "  {all:>10.1}  {hop:>10.1}")?;
            writeln!(f, "  {:>6.0}  {:>8.0}", row.idle_percent, row.others_percent)?;
        }
        let Self { held, at_best, hold, .. } = self;
        writeln!(f)?;
        writeln!(f, "at {} callers, {held}; want at least {hold}", held.link_callers)?;
        writeln!(f, "each at its best, {at_best}")
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unary, unary_callers, rounds, throughput, processor, .. } = self;
        write!(f, "link / {unary} at {unary_callers} callers: {throughput:.2} (")?;
        for (index, round) in rounds.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{round:.2}")?;
        }
        write!(f, "), by processor time {processor:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Seen;

    const UNARY: Kind = Kind::Unary { connections: 1 };

    fn run(round: usize, kind: Kind, callers: usize, exchanges: u64) -> Run {
        let seen = Seen { exchanges, elapsed_us: 1_000_000, p50_us: 1500, p99_us: 9000 };
        let second = Duration::from_secs(1);
        let spent = Spent { all: second, forwarder: second / 2, busy: 3 * second, idle: second };
        Run { round, kind, callers, carried: Carried { seen, spent } }
    }

    #[test]
    fn turns_of_one_round_are_compared() {
        let wide = Kind::Unary { connections: 4 };
        let runs = [
            run(0, UNARY, 8, 2000),
            run(0, Kind::Link, 256, 2500),
            run(0, UNARY, 256, 900),
            run(0, wide, 256, 1000),
            // The machine is slower now, for all.
            run(1, UNARY, 8, 1000),
            run(1, Kind::Link, 256, 1200),
            run(1, UNARY, 256, 300),
            run(1, wide, 256, 400),
            run(2, UNARY, 8, 2000),
            run(2, Kind::Link, 256, 2600),
            run(2, UNARY, 256, 1300),
            run(2, wide, 256, 1000),
        ];
        let report = Report::of(&runs, 2.5).unwrap();
        assert_eq!(report.held.rounds, [2.5, 3.0, 2.6]);
        assert_eq!((report.held.throughput, report.at_best.throughput), (2.6, 1.25));
        assert_eq!(report.shortfall(), None);
        let want = "\
contender  callers  exchanges/s   p50 ms   p99 ms  all cpu us  hop cpu us  idle %  others %
unary x1         8         2000     1.50     9.00       500.0       250.0      25        50
link           256         2500     1.50     9.00       400.0       200.0      25        50
unary x1       256          900     1.50     9.00      1111.1       555.6      25        50
unary x4       256         1000     1.50     9.00      1000.0       500.0      25        50

at 256 callers, link / unary x4 at 256 callers: 2.60 (2.50, 3.00, 2.60), by processor time 2.60; \
want at least 2.5
each at its best, link / unary x1 at 8 callers: 1.25 (1.25, 1.20, 1.30), by processor time 1.25
";
        assert_eq!(report.to_string(), want);
    }

    #[test]
    fn a_shortfall_is_told() {
        let runs = [run(0, Kind::Link, 8, 2900), run(0, UNARY, 8, 1000)];
        let want = "at 8 callers the link carries 2.90 times what unary forwarding does, want at \
                    least 3";
        assert_eq!(Report::of(&runs, 3.0).unwrap().shortfall().as_deref(), Some(want));
        let nothing = [run(0, Kind::Link, 8, 0), run(0, UNARY, 8, 0)];
        assert!(Report::of(&nothing, 3.0).unwrap().shortfall().is_some());
        assert!(Report::of(&[], 3.0).is_none());
    }
}
