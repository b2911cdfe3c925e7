//! A picture as lines of text, for a screen of a given size or for one without bounds.

use std::time::Duration;

use super::columns::{Columns, rate};
use super::picture::{Failed, Line, Picture, Wrong};
use crate::output::{counted, printable};

/// Characters and lines that there is room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// What a line is, for a screen that can show it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tone {
    Plain,
    Head,
    Wrong,
}

/// One line of text, without an end of line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// What a picture is headed with.
#[derive(Clone, Debug)]
pub(crate) struct Title {
    pub(crate) mesh: String,
    pub(crate) at_unix_ms: u64,
    pub(crate) interval: Duration,
}

impl Size {
    /// Of what is no screen: nothing is cut.
    pub(crate) const UNBOUNDED: Self = Self { columns: usize::MAX, rows: usize::MAX };
}

impl Drawn {
    fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

/// Draws `picture` so that it fits into `size`. If not all lines do, the quietest nodes go, until
/// the trouble below them has a third of the screen, without empty lines between its parts.
pub(crate) fn draw(picture: &Picture<'_>, title: &Title, size: Size) -> Vec<Drawn> {
    let mut drawn = vec![Drawn::new(Tone::Plain, heading(picture, title, size))];
    let (mut wrong, mut failed) = (wrong(&picture.wrong), failed(&picture.failed));
    let (room, wanted) = (size.rows.saturating_sub(2), picture.lines.len());
    if room < wanted + wrong.len() + failed.len() {
        wrong.retain(|line| !line.text.is_empty());
        failed.retain(|line| !line.text.is_empty());
    }
    let below = wrong.len() + failed.len();
    let for_nodes = wanted.min(room.saturating_sub(below.min(room / 3)));
    drawn.extend(nodes(&picture.lines, for_nodes, size.columns));
    let left = size.rows.saturating_sub(drawn.len());
    // Half of what is left at least, so that neither hides the other.
    drawn.extend(shortened(wrong, left - failed.len().min(left / 2)));
    let left = size.rows.saturating_sub(drawn.len());
    drawn.extend(shortened(failed, left));
    drawn.truncate(size.rows);
    for line in &mut drawn {
        line.text = cut(&line.text, size.columns);
    }
    drawn
}

/// `text` in so many characters at most; an ellipsis says that there is more.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.into();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { kept } else { kept + "…" }
}

/// What to press, where somebody can.
const KEYS: &str = "q: end";

fn heading(picture: &Picture<'_>, title: &Title, size: Size) -> String {
    let Title { mesh, at_unix_ms, interval } = title;
    let seconds = at_unix_ms / 1000;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (ready, links) = (picture.count.ready, picture.count.links);
    let text = format!(
        "{mesh} at {hour:02}:{minute:02}:{second:02} UTC, every {} s: {} of {} nodes ready, {} of \
         {} links up",
        interval.as_secs(),
        ready.up,
        ready.all,
        links.up,
        links.all
    );
    match size.columns.checked_sub(text.chars().count() + KEYS.len()) {
        Some(between @ 2..) if size != Size::UNBOUNDED => text + &" ".repeat(between) + KEYS,
        _ => text,
    }
}

/// The header, and a line for each node; if there is room for `lines_max` only, for the root, for
/// those with trouble and for the busiest, and one that says how many there are more.
fn nodes(lines: &[Line<'_>], lines_max: usize, columns: usize) -> Vec<Drawn> {
    let mut kept: Vec<usize> = (0..lines.len()).collect();
    if lines_max < lines.len() {
        kept.sort_by_key(|index| {
            let line = &lines[*index];
            std::cmp::Reverse((*index == 0, line.is_wrong, line.traffic()))
        });
        kept.truncate(lines_max.saturating_sub(1));
        kept.sort_unstable();
    }
    let longest = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or_default();
    let table = Columns::fitting(longest, columns);
    let mut drawn = vec![Drawn::new(Tone::Head, table.header())];
    for index in &kept {
        let line = &lines[*index];
        let tone = if line.is_wrong { Tone::Wrong } else { Tone::Plain };
        drawn.push(Drawn::new(tone, table.line(line)));
    }
    if kept.len() < lines.len() {
        let hidden = lines.len() - kept.len();
        let hidden = counted(hidden, "quieter node");
        drawn.push(Drawn::new(Tone::Plain, format!("… and {hidden}")));
    }
    drawn
}

fn wrong(wrong: &[Wrong]) -> Vec<Drawn> {
    if wrong.is_empty() {
        return Vec::new();
    }
    let width = wrong.iter().map(|wrong| wrong.node.chars().count()).max().unwrap_or_default();
    let head = [Drawn::new(Tone::Plain, ""), Drawn::new(Tone::Head, "NOT AS IT SHOULD BE")];
    let lines = wrong.iter().map(|Wrong { node, what }| {
        Drawn::new(Tone::Wrong, format!("{node:width$}  {}", printable(what)))
    });
    head.into_iter().chain(lines).collect()
}

fn failed(failed: &[Failed]) -> Vec<Drawn> {
    if failed.is_empty() {
        return Vec::new();
    }
    let width = |text: fn(&Failed) -> &str, head: &str| {
        let longest = failed.iter().map(|failed| text(failed).chars().count()).max();
        longest.unwrap_or_default().max(head.len())
    };
    let (reasons, places) =
        (width(|failed| &failed.reason, "REASON"), width(|failed| &failed.at, "AT"));
    let head = format!("FAILED/S  {:reasons$}  {:places$}  WHO CAN MEND IT", "REASON", "AT");
    let head = [Drawn::new(Tone::Plain, ""), Drawn::new(Tone::Head, head)];
    let lines = failed.iter().map(|Failed { per_second, reason, at, mender }| {
        let (rate, reason, at) = (rate(*per_second), printable(reason), printable(at));
        let text = format!("{rate:>8}  {reason:reasons$}  {at:places$}  {mender}");
        Drawn::new(Tone::Plain, text.trim_end())
    });
    head.into_iter().chain(lines).collect()
}

/// The first `lines_max` lines of a section; the last one of them says how many there are more.
fn shortened(mut section: Vec<Drawn>, lines_max: usize) -> Vec<Drawn> {
    if section.len() <= lines_max {
        return section;
    }
    // A head, one entry, and that there are more: less says nothing.
    if lines_max < 3 {
        return Vec::new();
    }
    let hidden = section.len() - (lines_max - 1);
    section.truncate(lines_max - 1);
    section.push(Drawn::new(Tone::Plain, format!("… and {hidden} more")));
    section
}
