//! `cargo xtask test`: runs the lanes in order up to the first that fails, and says how it went.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::lanes::{LANES, Lane};
use crate::run::{Report, Tally, run};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Let the tests that can go on for longer do so
    #[arg(long)]
    long: bool,
    /// Run this lane alone; give it more than once for several
    #[arg(long, value_name = "LANE", value_parser = lane_names())]
    only: Vec<String>,
    /// Show the lanes and their commands, and run none
    #[arg(long)]
    list: bool,
}

fn lane_names() -> PossibleValuesParser {
    PossibleValuesParser::new(LANES.iter().map(|lane| lane.name))
}

pub(crate) fn test(options: &Options) -> Result<ExitCode, String> {
    let lanes = chosen(&options.only);
    if options.list {
        for lane in lanes {
            print!("{}", description(lane));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    let mut reports = Vec::new();
    for (index, lane) in lanes.iter().enumerate() {
        let (number, of) = (index + 1, lanes.len());
        let at = began.elapsed().as_secs();
        println!("==> {} ({number} of {of}) {} [at {at} s]", lane.name, lane.why);
        let report = run(lane, options.long);
        let verdict = verdict(&report);
        println!("<== {} {verdict}, {:.1} s\n", lane.name, report.elapsed.as_secs_f64());
        let has_failed = !report.has_passed();
        reports.push(report);
        if has_failed {
            break;
        }
    }
    print!("{}", summary(&lanes, &reports));
    let all_passed = reports.iter().all(Report::has_passed);
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lanes in their own order, whatever the order of `only`.
fn chosen(only: &[String]) -> Vec<&'static Lane> {
    let wanted = |lane: &&Lane| only.is_empty() || only.iter().any(|name| name == lane.name);
    LANES.iter().filter(wanted).collect()
}

fn description(lane: &Lane) -> String {
    let mut text = format!("{}: {}\n", lane.name, lane.why);
    for command in lane.commands {
        let env: String = lane.env.iter().map(|(key, value)| format!("{key}='{value}' ")).collect();
        text.push_str(&format!("    {env}{command}\n"));
    }
    text
}

fn verdict(report: &Report) -> String {
    match &report.note {
        Some(note) => format!("FAILED: {note}"),
        None => "ok".to_owned(),
    }
}

/// A line for each lane, those that were not reached among them, and the sum in words that a
/// script can look for.
fn summary(lanes: &[&Lane], reports: &[Report]) -> String {
    let mut text =
        format!("{:<10} {:>8} {:>7} {:>7}  verdict\n", "lane", "seconds", "passed", "failed");
    let mut sum = Tally::default();
    for lane in lanes {
        let Some(report) = reports.iter().find(|report| report.name == lane.name) else {
            text.push_str(&format!(
                "{:<10} {:>8} {:>7} {:>7}  not run\n",
                lane.name, "-", "-", "-"
            ));
            continue;
        };
        let Tally { passed, failed } = report.tally;
        let seconds = report.elapsed.as_secs_f64();
        let verdict = verdict(report);
        text.push_str(&format!(
            "{:<10} {seconds:>8.1} {passed:>7} {failed:>7}  {verdict}\n",
            lane.name
        ));
        sum.add(report.tally);
    }
    text.push_str(&format!("\n{} passed, {} failed\n", sum.passed, sum.failed));
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_summary_shows_every_lane_and_ends_with_the_sum() {
        let lanes = chosen(&["tidy".into(), "fmt".into(), "unit".into()]);
        let report = |name, passed, failed, note: Option<&str>| Report {
            name,
            elapsed: Duration::from_millis(1250),
            tally: Tally { passed, failed },
            note: note.map(str::to_owned),
        };
        let reports = [report("fmt", 1, 0, None), report("tidy", 7, 2, Some("exit 101"))];
        let want = "\
lane        seconds  passed  failed  verdict
fmt             1.2       1       0  ok
tidy            1.2       7       2  FAILED: exit 101
unit              -       -       -  not run

8 passed, 2 failed
";
        assert_eq!(summary(&lanes, &reports), want);
    }
}
