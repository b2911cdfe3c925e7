//! What a person reads of a nation at work: short lines, in Persian where an official reads them.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::json;

use crate::ask::Answered;
use crate::dial::Dialled;
use crate::memory::Memory;
use crate::story::{Chapter, Dial, Inquiry};

/// Columns of a line: what the smallest terminal has.
const WIDTH: usize = 80;

/// Columns of an answer that is shown; what is longer is cut.
const ANSWER_WIDTH: usize = 2 * WIDTH;

const INDENT: &str = "     ";

/// Before every further line of what did not fit into one.
const HANGING: &str = "  ";

pub fn chapter(chapter: &Chapter) -> String {
    let titles = [&chapter.title_fa, &chapter.title_en].map(|title| broken(title, " ", "  "));
    let [title_fa, title_en] = titles;
    format!("\n■ {}{title_en}", title_fa.trim_start())
}

/// An inquiry, its way and its answer.
pub fn inquiry(number: usize, inquiry: &Inquiry, answered: &Answered) -> String {
    let Inquiry { title_fa, title_en, service, .. } = inquiry;
    let mut text = titled(number, title_fa, title_en);
    let (method, path) = (inquiry.method.name(), &answered.path);
    text.push_str(&wrapped(&format!("{method} {service}{path}"), "/"));
    let way = answered.hops();
    if !way.is_empty() {
        let way: Vec<_> = way.iter().map(|(hop, ms)| format!("{hop} ({ms:.1})")).collect();
        text.push_str(&wrapped(&format!("way, in ms: {}", way.join(" → ")), " → "));
    }
    let (status, ms) = (answered.status.as_u16(), answered.elapsed.as_secs_f64() * 1e3);
    match answered.refused() {
        None => {
            let body = String::from_utf8_lossy(&answered.body);
            let line = format!("{status} after {ms:.1} ms: {}", cut(body.trim()));
            text.push_str(&wrapped(&line, ","));
        }
        Some(reason) => {
            let problem = answered.json();
            let said = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
            let (hop, detail) = (said("hop"), said("detail"));
            let line = format!("{status} after {ms:.1} ms: refused at {hop}, {reason}: {detail}");
            text.push_str(&wrapped(&line, " "));
            let (mender_en, mender_fa) = mender(&said("mender"));
            text.push_str(&wrapped(&format!("{}؛ {mender_fa}", said("title_fa")), " "));
            text.push_str(&wrapped(&format!("{mender_en}; docs/errors/{reason}.md"), " "));
        }
    }
    text
}

/// Why a dial past the national centre is refused, for an official.
const REFUSED_FA: &str =
    "گواهی این گره در آن مرکز پذیرفته نیست؛ مراکز خوشه‌ها تنها از راه مرکز ملی به هم می‌رسند";

/// A dial, and how it ended.
pub fn dial(number: usize, dial: &Dial, address: SocketAddr, came: &Dialled) -> String {
    let Dial { title_fa, title_en, from, to } = dial;
    let mut text = titled(number, title_fa, title_en);
    let line = format!("{from} dials {to} at {address}, with its own genuine certificate");
    text.push_str(&wrapped(&line, " "));
    let line = match came {
        Dialled::Alert(alert) => {
            format!("refused in the TLS handshake: alert {alert}; not one byte of data was taken")
        }
        Dialled::LetIn => "LET IN, which must never be".into(),
        Dialled::Broken(why) => format!("no answer to judge: {why}"),
    };
    text.push_str(&wrapped(&line, " "));
    if matches!(came, Dialled::Alert(_)) {
        text.push_str(&wrapped(REFUSED_FA, " "));
    }
    text
}

/// A step that could not be taken at all.
pub fn failure(title: &str, why: &str) -> String {
    format!("\n  !  {title}\n{}", wrapped(&format!("this step failed: {why}"), " "))
}

/// Memory of all programs, against what is promised.
pub fn memory(programs: &[Memory]) -> String {
    let mut text =
        String::from("\n■ حافظه در حالت آماده‌به‌کار\n  Memory at rest, resident, in MiB\n\n");
    let mib = |kib: u64| kib as f64 / 1024.0;
    let _ = writeln!(text, "{INDENT}program          processes  median  largest");
    for memory in programs {
        let Memory { program, processes, rss_median_kib, rss_largest_kib, .. } = memory;
        let (median, largest) = (mib(*rss_median_kib), mib(*rss_largest_kib));
        let judged = match memory.rss_kib_max {
            None => String::new(),
            Some(most) if memory.is_held() => format!("  at most {:.0}: held", mib(most)),
            Some(most) => format!("  at most {:.0}: NOT held by {}", mib(most), memory.largest),
        };
        let _ = writeln!(
            text,
            "{INDENT}{program:<16} {processes:>9}  {median:>6.1}  {largest:>7.1}{judged}"
        );
    }
    text
}

pub fn inquiry_json(inquiry: &Inquiry, answered: &Answered) -> serde_json::Value {
    let hops = answered.hops().into_iter().map(|(hop, ms)| json!({"hop": hop, "ms": ms}));
    json!({
        "event": "inquiry",
        "title_fa": inquiry.title_fa,
        "title_en": inquiry.title_en,
        "consumer": inquiry.consumer.to_string(),
        "service": inquiry.service.to_string(),
        "method": inquiry.method.name(),
        "path": answered.path,
        "status": answered.status.as_u16(),
        "refused": answered.refused(),
        "elapsed_us": u64::try_from(answered.elapsed.as_micros()).unwrap_or(u64::MAX),
        "hops": hops.collect::<Vec<_>>(),
        "answer": answered.json(),
    })
}

pub fn dial_json(dial: &Dial, came: &Dialled) -> serde_json::Value {
    let alert = match came {
        Dialled::Alert(alert) => Some(alert),
        Dialled::LetIn | Dialled::Broken(_) => None,
    };
    json!({
        "event": "dial",
        "title_fa": dial.title_fa,
        "title_en": dial.title_en,
        "from": dial.from,
        "to": dial.to,
        "let_in": *came == Dialled::LetIn,
        "alert": alert,
    })
}

pub fn failure_json(title: &str, why: &str) -> serde_json::Value {
    json!({"event": "failure", "title_en": title, "why": why})
}

/// Who can act, in words, for the word in a problem.
fn mender(name: &str) -> (&'static str, &'static str) {
    match name {
        "consumer" => ("whoever asks can mend it", "درخواست‌کننده می‌تواند آن را رفع کند"),
        "provider" => ("the agency that provides can mend it", "دستگاه ارائه‌دهنده باید رفعش کند"),
        "hop-operator" => ("the operator of that hop can mend it", "متصدی همان گره باید رفعش کند"),
        "registrar" => (
            "the registrar at the centre can mend it, by an agreement",
            "متصدی ثبت در مرکز ملی می‌تواند توافق‌نامهٔ آن را ثبت کند",
        ),
        "agreement-parties" => {
            ("the parties of the agreement can mend it", "طرف‌های توافق‌نامه باید رفعش کنند")
        }
        _ => ("nobody need act: ask again", "نیازی به اقدام نیست؛ دوباره بپرسید"),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= ANSWER_WIDTH {
        return text.into();
    }
    let shown: String = text.chars().take(ANSWER_WIDTH).collect();
    format!("{shown}… ({} bytes)", text.len())
}

/// The number and both titles of a step.
fn titled(number: usize, title_fa: &str, title_en: &str) -> String {
    let title_fa = wrapped(title_fa, " ");
    format!("\n {number:>2}  {}{}", title_fa.trim_start(), wrapped(title_en, " "))
}

/// `text` below the number of its step, in lines that fit.
fn wrapped(text: &str, between: &str) -> String {
    broken(text, between, INDENT)
}

/// `text` in lines that fit behind `indent`, broken behind `between` where it can.
fn broken(text: &str, between: &str, indent: &str) -> String {
    let room = WIDTH - indent.len() - HANGING.len();
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for part in text.split_inclusive(between) {
        let part: Vec<char> = part.chars().collect();
        for chunk in part.chunks(room) {
            if room < used + chunk.len() {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.extend(chunk);
            used += chunk.len();
        }
    }
    lines.push(line);
    let hanging = std::iter::once("").chain(std::iter::repeat(HANGING));
    let lines = lines.iter().zip(hanging);
    lines.map(|(line, hanging)| format!("{indent}{hanging}{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let hops = ["hub.communications (1.0)"; 9].join(" → ");
        for (text, between) in [(hops.as_str(), " → "), (&"x".repeat(500), " "), ("", " ")] {
            let lines = wrapped(text, between);
            assert!(lines.lines().all(|line| line.chars().count() <= WIDTH), "{lines}");
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(bare(&lines), bare(text));
        }
    }

    #[test]
    fn a_step_and_its_refusal_fit_and_are_told_in_both_languages() {
        let title = "The hub of economy tries to reach the hub of health without the national one";
        let step = Dial {
            title_fa: "مرکز خوشهٔ اقتصاد می‌کوشد بی‌واسطه به مرکز خوشهٔ سلامت وصل شود".repeat(2),
            title_en: title.into(),
            from: "hub.communications".into(),
            to: "hub.administration".into(),
        };
        let address = "127.0.0.1:65535".parse().unwrap();
        let text = dial(13, &step, address, &Dialled::Alert("UnknownCA".into()));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.starts_with("\n 13  مرکز خوشهٔ"), "{text}");
        assert!(text.contains("alert UnknownCA"), "{text}");
        let why = "گواهی این گره";
        assert!(text.contains(why), "{text}");
        assert!(!dial(13, &step, address, &Dialled::LetIn).contains(why));
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        assert_eq!(cut("{}"), "{}");
        let long = cut(&"ش".repeat(400));
        assert!(long.ends_with("… (800 bytes)"), "{long}");
    }
}
