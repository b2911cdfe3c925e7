//! Words for whoever watches the launcher. That nobody listens there is no failure: a terminal that
//! was closed must not keep the launcher from ending its nation.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _, stderr, stdin};

/// Says `text` on a line of stderr.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// Sits a person at a keyboard, who can press Enter?
pub(crate) fn has_keyboard() -> bool {
    stdin().is_terminal()
}
