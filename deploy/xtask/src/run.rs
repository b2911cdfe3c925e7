//! Runs one lane: its output passes through as it comes, and is read on the way.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::lanes::{Counts, LONG_ENV, Lane};

/// How long output may stay open after a command has ended. Longer means that a process which the
/// command started is still alive, and would be in the way of the next lane.
const OUTPUT_GRACE: Duration = Duration::from_secs(10);

/// How a lane went.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) elapsed: Duration,
    pub(crate) tally: Tally,
    /// Why it failed, where the output alone does not say so.
    pub(crate) note: Option<String>,
}

/// Numbers of tests, or of lanes that are one check each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Report {
    pub(crate) fn has_passed(&self) -> bool {
        self.tally.failed == 0
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads libtest's last line, such as `test result: ok. 5 passed; 0 failed; 0 ignored; …`.
    fn parse(line: &str) -> Option<Self> {
        let (_verdict, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let number = |label: &str| {
            let part = numbers.split(';').find_map(|part| part.trim().strip_suffix(label))?;
            part.trim().parse().ok()
        };
        Some(Self { passed: number("passed")?, failed: number("failed")? })
    }
}

/// Runs `lane` up to its first command that fails.
pub(crate) fn run(lane: &Lane, long: bool) -> Report {
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut outcome = Ok(());
    for line in lane.commands {
        println!("$ {line}");
        let (counted, ended) = tee(&mut command(line, lane, long), std::io::stdout(), OUTPUT_GRACE);
        tally.add(counted);
        outcome = ended;
        if outcome.is_err() {
            break;
        }
    }
    let (tally, note) = judge(lane.counts, tally, outcome);
    Report { name: lane.name, elapsed: began.elapsed(), tally, note }
}

fn command(line: &str, lane: &Lane, long: bool) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).envs(lane.env.iter().copied());
    if long {
        command.envs(LONG_ENV.iter().copied());
    }
    command
}

/// Turns what was counted and how it ended into the lane's numbers. A lane that fails always shows
/// at least one failure, and a lane of tests that ran none has failed.
fn judge(counts: Counts, counted: Tally, ended: Result<(), String>) -> (Tally, Option<String>) {
    let mut tally = match counts {
        Counts::Itself => Tally { passed: u64::from(ended.is_ok()), failed: 0 },
        Counts::Tests => counted,
    };
    let note = match ended {
        Err(problem) => Some(problem),
        Ok(()) if tally == Tally::default() => Some("no test ran".into()),
        Ok(()) => None,
    };
    if note.is_some() {
        tally.failed = tally.failed.max(1);
    }
    (tally, note)
}

/// Runs `command`, passes its output on to `onto` by the line, and counts the tests it reports.
///
/// Standard error needs no reading and is simply shared, so that cargo still sees a terminal.
fn tee(
    command: &mut Command,
    onto: impl Write + Send + 'static,
    grace: Duration,
) -> (Tally, Result<(), String>) {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            let problem = format!("cannot run {program}: {error}; `cargo xtask setup` may help");
            return (Tally::default(), Err(problem));
        }
    };
    let (sender, tallies) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || pass_on(output, onto, &sender));
    }
    let status = child.wait();
    let mut tally = Tally::default();
    loop {
        match tallies.recv_timeout(grace) {
            Ok(counted) => tally.add(counted),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let problem = format!("{program} ended, but a process that it started did not");
                return (tally, Err(problem));
            }
        }
    }
    let ended = match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("cannot wait for {program}: {error}")),
    };
    (tally, ended)
}

/// Copies lines until the last writer closes `output`. That nobody reads `onto` any more must not
/// stop the count.
fn pass_on(output: impl Read, mut onto: impl Write, tallies: &Sender<Tally>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|bytes| 0 < bytes) {
        let _may_be_closed = onto.write_all(&line).and_then(|()| onto.flush());
        if let Some(tally) = Tally::parse(&String::from_utf8_lossy(&line)) {
            let _nobody_waits_after_the_grace = tallies.send(tally);
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    // What the scripts print looks like a result, so it goes nowhere: the lane that runs these very
    // tests would count it.
    use std::io::sink;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_result_line_is_read() {
        let tally = |passed, failed| Some(Tally { passed, failed });
        #[rustfmt::skip]
        let cases = [
            ("test result: ok. 18 passed; 0 failed; 2 ignored; 0 measured",         tally(18, 0)),
            ("test result: FAILED. 3 passed; 14 failed; finished in 0.3s\n",        tally(3, 14)),
            ("test result: ok.",                                                    None),
            ("note: test result: ok. 1 passed; 0 failed",                           None),
            ("test route::tests::result ... ok",                                    None),
        ];
        for (line, want) in cases {
            assert_eq!(Tally::parse(line), want, "{line}");
        }
    }

    #[test]
    fn a_lane_is_judged() {
        use Counts::{Itself, Tests};
        let failed = || Err("exit 1".to_owned());
        #[rustfmt::skip]
        let cases = [
            // Why                                  Counts  Counted  Ended     Passed and failed
            ("a check that went well",              Itself, (0, 0),  Ok(()),   (1, 0)),
            ("a check that did not",                Itself, (0, 0),  failed(), (0, 1)),
            ("tests that went well",                Tests,  (5, 0),  Ok(()),   (5, 0)),
            ("tests that did not",                  Tests,  (5, 2),  failed(), (5, 2)),
            ("tests that do not compile",           Tests,  (0, 0),  failed(), (0, 1)),
            ("a test program that broke off",       Tests,  (5, 0),  failed(), (5, 1)),
            ("no test at all",                      Tests,  (0, 0),  Ok(()),   (0, 1)),
        ];
        for (why, counts, (passed, failed), ended, want) in cases {
            let (tally, note) = judge(counts, Tally { passed, failed }, ended);
            assert_eq!((tally.passed, tally.failed), want, "{why}");
            assert_eq!(note.is_some(), 0 < tally.failed, "{why}");
        }
    }

    #[test]
    fn output_is_counted_and_the_exit_status_kept() {
        let script = "echo 'test result: ok. 2 passed; 0 failed;'; \
                      printf 'test result: FAILED. 3 passed; 1 failed;'; exit 3";
        let (tally, ended) = tee(&mut shell(script), sink(), OUTPUT_GRACE);
        assert_eq!(tally, Tally { passed: 5, failed: 1 });
        assert!(ended.unwrap_err().contains("exit status: 3"));
    }

    #[test]
    fn a_process_left_behind_is_a_failure() {
        let script = "sleep 2 & echo 'test result: ok. 1 passed; 0 failed;'";
        let (tally, ended) = tee(&mut shell(script), sink(), Duration::from_millis(100));
        assert_eq!(tally.passed, 1);
        assert!(ended.is_err());
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let (_, ended) = tee(&mut Command::new("no-such-program"), sink(), OUTPUT_GRACE);
        assert!(ended.unwrap_err().contains("no-such-program"));
    }
}
