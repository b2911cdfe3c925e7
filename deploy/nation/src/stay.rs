//! A nation that stays up: says when a process ends, starts it again on Enter, ends on Ctrl-C.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, stdin};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::running::{RunError, Running};

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// SIGINT or SIGTERM, from the moment it listens.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Must be called on a runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Stays until asked to stop. What a person killed on the way is no failure.
pub(crate) async fn stay_up(running: &mut Running, stop: &mut Stop) -> Result<(), RunError> {
    let mut enter = listen_for_enter();
    let mut told = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.asked() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {
                for (name, how) in running.ended() {
                    if told.insert(name) {
                        eprintln!("    {how}\n    press Enter to start it again");
                    }
                }
            }
            Some(()) = enter.recv() => {
                for (name, _) in running.ended() {
                    running.restart(&name)?;
                    told.remove(&name);
                    eprintln!("    {name} is started again");
                }
            }
        }
    }
    running.leave_out_ended();
    Ok(())
}

/// Hears nothing where no person sits at the terminal.
fn listen_for_enter() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    if stdin().is_terminal() {
        // Ends with the process: nothing waits for it.
        std::thread::spawn(move || {
            let mut line = String::new();
            while stdin().read_line(&mut line).is_ok_and(|bytes| 0 < bytes) {
                line.clear();
                if sender.blocking_send(()).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}
