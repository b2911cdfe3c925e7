//! What goes to stdout: a table for eyes or JSON for programs, and how long ago something was.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use mesh_rt::exit::CmdError;
use rustix::termios::tcgetwinsize;
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
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    numbers: Vec<usize>,
    /// A column whose text goes on below, and how wide it may be.
    wrapped: Option<(usize, usize)>,
}

/// Between two columns.
const GAP: usize = 2;

/// A column that goes on below is narrowed to this before another one goes, and after that to less.
const WRAPPED_CHARACTERS_FAIR: usize = 28;
const WRAPPED_CHARACTERS_MIN: usize = 16;

impl Columns {
    pub(crate) fn new(header: &[&str]) -> Self {
        let header = header.iter().map(|&name| name.into()).collect();
        Self { header, rows: Vec::new(), numbers: Vec::new(), wrapped: None }
    }

    /// Numbers are compared at their last digits.
    pub(crate) fn numbers(mut self, columns: &[usize]) -> Self {
        self.numbers = columns.into();
        self
    }

    /// Breaks the text of `column` into lines of so many characters.
    pub(crate) fn wrap(mut self, column: usize, characters_max: usize) -> Self {
        self.wrapped = Some((column, characters_max));
        self
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    pub(crate) fn text(&self) -> String {
        self.drawn(&(0..self.header.len()).collect::<Vec<_>>(), self.wrapped)
    }

    /// For lines of `room` characters, if that is bounded: what is named first in `spare` is left
    /// out first, until the others fit. Says what was left out.
    pub(crate) fn text_within(&self, room: Option<usize>, spare: &[usize]) -> String {
        let Some(room) = room else { return self.text() };
        let mut kept: Vec<usize> = (0..self.header.len()).collect();
        let mut left_out = Vec::new();
        for spare in spare {
            if self.width(&kept, WRAPPED_CHARACTERS_FAIR) <= room {
                break;
            }
            kept.retain(|column| column != spare);
            left_out.push(self.header[*spare].as_str());
        }
        // What goes on below has what the others leave.
        let others = self.width(&kept, 0);
        let wrapped = self.wrapped.map(|(column, most)| {
            let left = room.saturating_sub(others).max(WRAPPED_CHARACTERS_MIN);
            (column, most.min(left))
        });
        let mut text = self.drawn(&kept, wrapped);
        if !left_out.is_empty() {
            left_out.reverse();
            let named = format!("no room for {}; -o json has all", left_out.join(", "));
            let counted = format!("no room for {} columns; -o json has all", left_out.len());
            let fits = named.chars().count() <= room;
            text += &format!("\n{}\n", if fits { named } else { counted });
        }
        text
    }

    /// Of all `columns`, if the one that goes on below has `wrapped_max` at most.
    fn width(&self, columns: &[usize], wrapped_max: usize) -> usize {
        let bounded = |column: &usize| match self.wrapped {
            Some((wrapped, _)) if wrapped == *column => self.width_of(*column).min(wrapped_max),
            _ => self.width_of(*column),
        };
        columns.iter().map(bounded).sum::<usize>() + GAP * columns.len().saturating_sub(1)
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widths = cells.chain([&self.header[column]]).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default()
    }

    fn drawn(&self, kept: &[usize], wrapped: Option<(usize, usize)>) -> String {
        let of = |cells: &[String]| -> Vec<String> {
            kept.iter().map(|column| cells.get(*column).cloned().unwrap_or_default()).collect()
        };
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(of(&self.header));
        table.set_content_arrangement(ContentArrangement::Dynamic);
        for (column, at) in table.column_iter_mut().zip(kept) {
            column.set_padding((0, GAP as u16));
            if self.numbers.contains(at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            let narrow =
                wrapped.filter(|(wrapped, most)| wrapped == at && *most < self.width_of(*at));
            if let Some((_, most)) = narrow {
                let width = u16::try_from(most + GAP).unwrap_or(u16::MAX);
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            }
        }
        for row in &self.rows {
            table.add_row(of(row));
        }
        table.trim_fmt() + "\n"
    }
}

/// Characters of a line of the terminal that tables go to; `None` where they go elsewhere, such as
/// into a pipe, and nothing is cut.
pub(crate) fn room() -> Option<usize> {
    let out = io::stdout();
    let size = tcgetwinsize(&out).ok().filter(|_| out.is_terminal())?;
    Some(usize::from(size.ws_col)).filter(|columns| 0 < *columns)
}

/// `one` of something, or several of it: `1 change`, `2 changes`.
pub(crate) fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
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

    #[test]
    fn what_has_no_room_is_left_out_and_named() {
        let mut columns = Columns::new(&["NODE", "STATE", "DONE", "SOFTWARE"]).wrap(1, 40);
        columns.row(&["hub.centre".into(), "ready".into(), "7".into(), "hub-central".into()]);
        let state = "waiting: link to it, and for the directory";
        columns.row(&["hub.health".into(), state.into(), "1000".into(), "hub-cluster".into()]);
        let whole = columns.text();
        for (room, want) in [
            (None, whole.as_str()),
            (Some(80), &whole),
            (
                Some(60),
                "\
NODE        STATE                          DONE  SOFTWARE
hub.centre  ready                          7     hub-central
hub.health  waiting: link to it, and for   1000  hub-cluster
            the directory
",
            ),
            (
                Some(48),
                "\
NODE        STATE                           DONE
hub.centre  ready                           7
hub.health  waiting: link to it, and for    1000
            the directory

no room for SOFTWARE; -o json has all
",
            ),
            (
                Some(32),
                "\
NODE        STATE
hub.centre  ready
hub.health  waiting: link to it,
            and for the
            directory

no room for 2 columns; -o json has all
",
            ),
        ] {
            let text = columns.text_within(room, &[3, 2]);
            assert_eq!(text, want, "{room:?}\n{text}");
        }
    }

    #[test]
    fn one_is_not_several() {
        let words = [0, 1, 2].map(|count| counted(count, "change"));
        assert_eq!(words, ["0 changes", "1 change", "2 changes"]);
    }
}
