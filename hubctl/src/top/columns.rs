//! The columns of the table of nodes: which of them there is room for, and what stands in them.

use std::time::Duration;

use super::draw::cut;
use super::picture::Line;
use super::sample::Pace;

/// Characters of a name that are kept before a column of numbers goes.
const NAME_CHARACTERS_MIN: usize = 24;

/// Between two columns.
const GAP: &str = "  ";

/// One column of numbers.
#[derive(Clone, Copy)]
struct Column {
    header: &'static str,
    /// Those with a lower one go first when there is no room.
    rank: u8,
    cell: fn(&Line<'_>) -> String,
}

/// The columns that fit.
pub(super) struct Columns {
    name_characters: usize,
    columns: Vec<Column>,
}

const STATE_CHARACTERS: usize = 9;

#[rustfmt::skip]
const COLUMNS: [Column; 10] = [
    Column { header: "LINKS",      rank: 7, cell: |line| line.links.text() },
    Column { header: "AGENTS",     rank: 3, cell: |line| line.agents.text() },
    Column { header: "IN FLIGHT",  rank: 8, cell: in_flight },
    Column { header: "OPENED/S",   rank: 0, cell: |line| paced(line, |pace| pace.opened) },
    Column { header: "ANSWERED/S", rank: 9, cell: |line| paced(line, |pace| pace.answered) },
    Column { header: "FAILED/S",   rank: 10, cell: |line| paced(line, |pace| pace.failed) },
    Column { header: "P50 MS",     rank: 4, cell: |line| percentile(line, 50) },
    Column { header: "P95 MS",     rank: 2, cell: |line| percentile(line, 95) },
    Column { header: "P99 MS",     rank: 5, cell: |line| percentile(line, 99) },
    Column { header: "MEM MIB",    rank: 1, cell: memory },
];

impl Columns {
    /// Those that fit into `characters` beside names of up to `longest`.
    pub(super) fn fitting(longest: usize, characters: usize) -> Self {
        let mut columns = COLUMNS.to_vec();
        let name_min = longest.min(NAME_CHARACTERS_MIN);
        loop {
            let numbers = columns.iter().map(|column| GAP.len() + column.header.len());
            let taken = GAP.len() + STATE_CHARACTERS + numbers.sum::<usize>();
            let room = characters.saturating_sub(taken);
            let next = columns.iter().map(|column| column.rank).min();
            match next {
                Some(lowest) if room < name_min => columns.retain(|column| column.rank != lowest),
                _ => return Self { name_characters: longest.min(room.max(name_min)), columns },
            }
        }
    }

    pub(super) fn header(&self) -> String {
        self.text("NODE", "STATE", |column| column.header.into())
    }

    pub(super) fn line(&self, line: &Line<'_>) -> String {
        let name = cut(&line.name, self.name_characters);
        self.text(&name, line.state, |column| (column.cell)(line))
    }

    fn text(&self, name: &str, state: &str, cell: impl Fn(&Column) -> String) -> String {
        let names = self.name_characters;
        let mut text = format!("{name:names$}{GAP}{state:STATE_CHARACTERS$}");
        for column in &self.columns {
            let width = column.header.len();
            text.push_str(&format!("{GAP}{:>width$}", cell(column)));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// A rate: with a digit after the point where that says something.
pub(super) fn rate(per_second: f64) -> String {
    let digits = usize::from(0.0 < per_second && per_second < 9.95);
    format!("{per_second:.digits$}")
}

fn in_flight(line: &Line<'_>) -> String {
    line.said.map_or(String::new(), |sample| sample.totals.in_flight.to_string())
}

fn paced(line: &Line<'_>, count: fn(&Pace) -> u64) -> String {
    line.pace.map_or(String::new(), |pace| rate(pace.per_second(count(pace))))
}

fn percentile(line: &Line<'_>, percent: u8) -> String {
    let took = line.pace.and_then(|pace| pace.percentile(percent));
    took.map_or(String::new(), milliseconds)
}

/// Three digits, as exact as the buckets are.
fn milliseconds(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1000.0;
    let digits = if ms < 9.995 { 2 } else { usize::from(ms < 99.95) };
    format!("{ms:.digits$}")
}

fn memory(line: &Line<'_>) -> String {
    let resident = line.said.and_then(|sample| sample.resident_bytes);
    resident.map_or(String::new(), |bytes| (bytes >> 20).to_string())
}
