//! A second process that watches the launcher, and clears up when it has gone without doing so.
//!
//! SIGKILL lets nobody clear up. The guard holds one end of a pipe, of which the launcher alone has
//! the other; the kernel closes that however the launcher ends.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::spawn;
use crate::remains::clear_up;

/// The words with which the launcher starts itself as a guard; the nation's folder follows.
pub(crate) const GUARD: &str = "--guard";
pub(crate) const GUARD_KEPT: &str = "--guard-kept";

/// The guard of one nation, from the launcher's side. Dropping it waits for its end.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Starts the launcher's `program` as a guard of `folder`.
    pub(crate) fn start(program: &Path, folder: &Path, kept: bool) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg(if kept { GUARD_KEPT } else { GUARD })
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Signals from a terminal are for the launcher.
            .process_group(0);
        spawn(&mut command).map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Waiting closes the pipe first. It fails only if the guard is gone already.
        let _ = self.0.wait();
    }
}

/// What the guard does: waits for the launcher's end, then clears up what is still there.
pub(crate) fn stand_guard(folder: &Path, kept: bool) {
    // Nothing is ever written. An error means that there is nobody to wait for, too.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    clear_up(folder, kept);
}
