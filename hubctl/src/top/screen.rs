//! The terminal while the live view has it: a screen of its own, keys read one by one, and all as
//! it was before, whichever way the view ends.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Weak};
use std::thread;

use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::draw::{Drawn, Size, Tone};

/// The other screen, no cursor, and lines that are too long do not go on in the next one.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Of a terminal that does not tell its size.
const SIZE_USUAL: Size = Size { columns: 80, rows: 24 };

/// The terminal, as it is ours. Gives it back when it is dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    _before: Before,
    /// Also what the thread that reads keys lives by.
    last_key: Arc<Notify>,
    resized: Signal,
    /// What asks a process to end.
    ends: [Signal; 3],
}

/// What happened while the view waited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Happened {
    Resized,
    /// Somebody wants it to end.
    Ended,
}

/// How the terminal was.
#[derive(Debug)]
struct Before(Termios);

impl Screen {
    /// Is there a terminal to draw on and to read keys from?
    pub(crate) fn is_there() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Takes the terminal over. Must be called on a runtime.
    pub(crate) fn enter() -> io::Result<Self> {
        let resized = signal(SignalKind::window_change())?;
        let ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = ends.map(signal);
        let ends = [interrupt?, terminate?, hangup?];
        let modes = tcgetattr(io::stdin())?;
        tcsetattr(io::stdin(), OptionalActions::Flush, &key_by_key(&modes))?;
        // From here on, what was changed is changed back.
        let before = Before(modes);
        write(ENTER)?;
        let last_key = Arc::new(Notify::new());
        let end = Arc::downgrade(&last_key);
        thread::Builder::new().name("keys".into()).spawn(move || read_keys(&end))?;
        Ok(Self { _before: before, last_key, resized, ends })
    }

    pub(crate) fn size(&self) -> Size {
        let size = tcgetwinsize(io::stdout()).ok();
        let size = size.filter(|size| 0 < size.ws_col && 0 < size.ws_row);
        size.map_or(SIZE_USUAL, |size| Size {
            columns: size.ws_col.into(),
            rows: size.ws_row.into(),
        })
    }

    /// Draws over what was there, with one write, so that nothing flickers.
    pub(crate) fn show(&self, lines: &[Drawn], size: Size) -> io::Result<()> {
        let mut text = String::from("\x1b[H");
        for row in 0..size.rows {
            // A line is cleared before it is drawn: after it, the last character would go too.
            text.push_str(if row == 0 { "\x1b[K" } else { "\r\n\x1b[K" });
            let Some(Drawn { text: line, tone }) = lines.get(row) else { continue };
            let style = match tone {
                Tone::Plain => "",
                Tone::Head => "\x1b[1m",
                Tone::Wrong => "\x1b[31m",
            };
            // A `String` takes all that is written to it.
            let _ = write!(text, "{style}{line}\x1b[0m");
        }
        write(&text)
    }

    /// Waits for `q`, Ctrl-C, a signal, or another size of the terminal.
    pub(crate) async fn happened(&mut self) -> Happened {
        let Self { last_key, resized, ends: [interrupt, terminate, hangup], .. } = self;
        tokio::select! {
            () = last_key.notified() => Happened::Ended,
            _ = interrupt.recv() => Happened::Ended,
            _ = terminate.recv() => Happened::Ended,
            _ = hangup.recv() => Happened::Ended,
            _ = resized.recv() => Happened::Resized,
        }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Keys come one by one and are not echoed. Those that would stop or end the process are keys like
/// others: a process that is stopped would leave the terminal as it is.
fn key_by_key(modes: &Termios) -> Termios {
    let mut modes = modes.clone();
    let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    modes.local_modes.remove(cooked);
    // Reading waits for a tenth of a second at most, so that nobody reads on after the view.
    modes.special_codes[SpecialCodeIndex::VMIN] = 0;
    modes.special_codes[SpecialCodeIndex::VTIME] = 1;
    modes
}

/// Reads keys on a thread of its own, until one of them ends the view, the terminal is gone, or the
/// view is. Tells the first two.
fn read_keys(end: &Weak<Notify>) {
    const CTRL_C: u8 = 3;
    let is_last = |key: &u8| matches!(*key, b'q' | b'Q' | CTRL_C);
    let mut keys = [0; 64];
    while let Some(end) = end.upgrade() {
        match rustix::io::read(io::stdin(), &mut keys) {
            Ok(count) if keys[..count].iter().any(is_last) => return end.notify_one(),
            Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return end.notify_one(),
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
