//! What goes to stdout: a table for eyes or JSON for programs, and how long ago something was.

use std::io::{self, Write as _};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use mesh_rt::exit::CmdError;
use serde::Serialize;

/// The form of what a command tells.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For eyes
    #[default]
    Table,
    /// For programs: field names are stable, times are Unix milliseconds
    Json,
}

/// What a command tells, and whether it ends the process with a complaint all the same.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) complaint: Option<CmdError>,
}

impl Told {
    /// `value` in the form that was asked for.
    pub(crate) fn new<T: Serialize>(
        format: Format,
        value: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Self {
        let text = match format {
            Format::Table => table(value),
            Format::Json => {
                let json = serde_json::to_string_pretty(value);
                json.expect("what commands tell has text for keys") + "\n"
            }
        };
        Self { text, complaint: None }
    }

    /// Writes the text, then complains.
    pub(crate) fn finish(self) -> Result<(), CmdError> {
        let mut out = io::stdout().lock();
        match out.write_all(self.text.as_bytes()).and_then(|()| out.flush()) {
            // `hubctl topology | head` has what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(CmdError::failure(error)),
            Ok(()) => {}
        }
        self.complaint.map_or(Ok(()), Err)
    }
}

/// A table without lines around its cells, so that it can be cut with the tools of a shell.
#[derive(Debug)]
pub(crate) struct Columns(Table);

impl Columns {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.to_vec());
        table.set_content_arrangement(ContentArrangement::Dynamic);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self(table)
    }

    /// Numbers are compared at their last digits.
    pub(crate) fn numbers(mut self, columns: &[usize]) -> Self {
        for index in columns {
            if let Some(column) = self.0.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Breaks the text of `column` into lines of so many characters.
    pub(crate) fn wrap(mut self, column: usize, characters_max: u16) -> Self {
        if let Some(column) = self.0.column_mut(column) {
            let width = Width::Fixed(characters_max + 2);
            column.set_constraint(ColumnConstraint::UpperBoundary(width));
        }
        self
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.0.add_row(cells.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }

    pub(crate) fn text(&self) -> String {
        self.0.trim_fmt() + "\n"
    }
}

/// `text` on one line. What a node says may come from a program that was tampered with, and must
/// not steer the operator's terminal.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// How long ago `then_ms` was, in its two largest units. A clock that is ahead of ours is not told
/// as such: what it saw just happened.
pub(crate) fn ago(then_ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s ago"),
        (0, 0, _) => format!("{minutes} min ago"),
        (0, _, _) => format!("{hours} h {} min ago", minutes % 60),
        _ => format!("{days} d {} h ago", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_how_long_ago() {
        let now_ms = 1_000_000_000_000;
        let cases = [
            (0, "0 s ago"),
            (59_999, "59 s ago"),
            (60_000, "1 min ago"),
            (3_599_000, "59 min ago"),
            (3_720_000, "1 h 2 min ago"),
            (183_600_000, "2 d 3 h ago"),
        ];
        for (before_ms, want) in cases {
            assert_eq!(ago(now_ms - before_ms, now_ms), want);
        }
        assert_eq!(ago(now_ms + 5000, now_ms), "0 s ago");
    }

    #[test]
    fn a_cell_cannot_steer_the_terminal() {
        let mut columns = Columns::new(&["SOFTWARE"]);
        columns.row(&["agent\u{1b}[2J 0.1\nhub.centre".into()]);
        assert_eq!(columns.text(), "SOFTWARE\nagent [2J 0.1 hub.centre\n");
    }

    #[test]
    fn a_table_is_cut_at_its_words() {
        let mut columns = Columns::new(&["NODE", "STATE", "DONE"]).numbers(&[2]).wrap(1, 12);
        columns.row(&["hub.centre".into(), "ready".into(), "7".into()]);
        columns.row(&["hub.health".into(), "waiting: link to it".into(), "1000".into()]);
        let want = "\
NODE        STATE         DONE
hub.centre  ready            7
hub.health  waiting:      1000
            link to it
";
        assert_eq!(columns.text(), want);
    }
}
