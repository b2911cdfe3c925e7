//! Takes the scenarios of a group through a bed, one by one, and fails once, at the end.

use super::{Group, Scenario, Seen};
use crate::bed::Bed;
use crate::client::Answer;

/// The environment variable that chooses scenarios: only names that contain its value are run.
pub const CHOICE: &str = "SCENARIO";

/// Runs what is chosen of `group` on the bed that `start` makes, and prints the table.
///
/// # Panics
///
/// If a scenario did not come to what it should: with all that did not.
pub async fn run(group: &Group, start: impl AsyncFnOnce() -> Bed) {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let chosen: Vec<&Scenario> =
        group.cases.iter().filter(|case| case.name.contains(&choice)).collect();
    if chosen.is_empty() {
        return;
    }
    let bed = start().await;
    let mut wrong = Vec::new();
    let mut table = vec![group.title.to_owned()];
    table.push(row(["scenario", "HTTP", "reason", "hop", "asked", ""]));
    for case in &chosen {
        bed.wait_answered("/cards/1").await;
        let before = bed.backend.requests();
        let seen = case.act(&bed).await;
        let asked = bed.backend.requests() - before;
        let mut verdict = case.want.judge(&seen, asked, &bed).await;
        if verdict.is_ok() && !group.breaks_links {
            let next = bed.ask("GET", "/cards/1").send().await;
            if next.status != 200 {
                verdict = Err(format!("and the next request is not answered: {next:?}"));
            }
        }
        let (status, reason, hop) = shown(&seen);
        let word = if verdict.is_ok() { "ok" } else { "WRONG" };
        table.push(row([case.name, &status, &reason, &hop, &asked.to_string(), word]));
        table.push(format!("    {}", case.done));
        if let Err(why) = verdict {
            let want = case.want;
            wrong.push(format!("{}: {why}: want {want:?}, got {seen:?}", case.name));
        }
    }
    // At once, because groups run beside each other.
    println!("\n{}\n", table.join("\n"));
    let count = (wrong.len(), chosen.len());
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", count.0, count.1, wrong.join("\n"));
}

fn row(columns: [&str; 6]) -> String {
    let [name, status, reason, hop, asked, verdict] = columns;
    format!("{name:<34} {status:<8} {reason:<22} {hop:<24} {asked:<5} {verdict}")
}

fn shown(seen: &Seen) -> (String, String, String) {
    let plain = |text: String| (text, String::new(), String::new());
    match seen {
        Seen::Answer(answer) => {
            let (reason, hop) = problem(answer);
            let broken = if answer.broken.is_some() { " broke" } else { "" };
            (format!("{}{broken}", answer.status), reason, hop)
        }
        Seen::Closed => plain("closed".into()),
        Seen::Told(problem) => {
            (String::new(), problem.reason.name().to_owned(), problem.hop.to_string())
        }
        Seen::NotTaken(_) => plain("not taken".into()),
        Seen::GoesOn => plain("goes on".into()),
        Seen::Exit { code, .. } => plain(format!("exit {}", code.unwrap_or(-1))),
    }
}

fn problem(answer: &Answer) -> (String, String) {
    if answer.headers.contains_key("x-road-error") { answer.problem() } else { Default::default() }
}
