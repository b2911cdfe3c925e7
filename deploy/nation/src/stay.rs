//! A nation that stays up: says when a process ends, starts it again on Enter, ends on Ctrl-C.

use std::collections::BTreeSet;
use std::io::stdin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::plan::{Answers, Plan};
use crate::process::ProcessError;
use crate::running::{RunError, Running};
use crate::voice::{has_keyboard, say};

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What asks the launcher to end its nation, from the moment it listens: Ctrl-C, SIGTERM, and the
/// SIGHUP of a terminal that is closed.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Stop {
    /// Must be called on a runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate, hang_up: signal(SignalKind::hangup())? })
    }

    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Stays until asked to stop. What a person killed on the way is no failure.
pub(crate) async fn stay_up(
    running: &mut Running,
    plan: &Plan,
    stop: &mut Stop,
) -> Result<(), RunError> {
    let mut enter = listen_for_enter();
    let mut told = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.asked() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {
                for (name, how) in running.ended() {
                    if told.insert(name.clone()) {
                        say(of_the_end(&how, &silent_services(plan, &name)));
                    }
                }
            }
            Some(()) = enter.recv() => {
                for (name, _) in running.ended() {
                    running.restart(&name)?;
                    told.remove(&name);
                    say(format_args!("    {name} is started again"));
                }
            }
        }
    }
    running.leave_out_ended();
    Ok(())
}

/// What a person should know of a process that has ended, and can do about it.
fn of_the_end(how: &ProcessError, silent: &[String]) -> String {
    let mut text = format!("    {how}");
    if !silent.is_empty() {
        text += &format!("\n    nobody answers now for {}", silent.join(", "));
    }
    let again = if has_keyboard() { "press Enter to start it again" } else { "it stays away" };
    text + "\n    " + again
}

/// The services for which nobody answers while the program `name` is away.
fn silent_services(plan: &Plan, name: &str) -> Vec<String> {
    let backends = plan.agents.iter().flat_map(|agent| &agent.backends);
    let its = backends.filter(
        |backend| matches!(&backend.answers, Answers::Program(program) if program.as_str() == name),
    );
    its.map(|backend| backend.service.to_string()).collect()
}

/// Hears nothing where no person sits at the terminal.
fn listen_for_enter() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    if has_keyboard() {
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
