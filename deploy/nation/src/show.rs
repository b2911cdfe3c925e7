//! What a person reads of a nation at work: short lines, in Persian where an official reads them.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::json;

use crate::ask::Answered;
use crate::dial::Dialled;
use crate::memory::Memory;
use crate::story::{Chapter, Dial, Inquiry};

/// Columns of a line.
const WIDTH: usize = 96;

/// Columns of an answer that is shown; what is longer is cut.
const ANSWER_WIDTH: usize = 2 * WIDTH;

const INDENT: &str = "     ";

/// Before every further line of what did not fit into one.
const HANGING: &str = "  ";

pub fn chapter(chapter: &Chapter) -> String {
    format!("\n■ {}\n  {}\n", chapter.title_fa, chapter.title_en)
}

/// An inquiry, its way and its answer.
pub fn inquiry(number: usize, inquiry: &Inquiry, answered: &Answered) -> String {
    let Inquiry { title_fa, title_en, service, .. } = inquiry;
    let mut text = format!("\n {number:>2}  {title_fa}\n{INDENT}{title_en}\n");
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
            let _ = writeln!(text, "{INDENT}{}؛ {mender_fa}", said("title_fa"));
            let _ = writeln!(text, "{INDENT}{mender_en}; docs/errors/{reason}.md");
        }
    }
    text
}

/// A dial, and how it ended.
pub fn dial(number: usize, dial: &Dial, address: SocketAddr, came: &Dialled) -> String {
    let Dial { title_fa, title_en, from, to } = dial;
    let mut text = format!("\n {number:>2}  {title_fa}\n{INDENT}{title_en}\n");
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
    text
}

/// A step that could not be taken at all.
pub fn failure(title: &str, why: &str) -> String {
    format!("\n  !  {title}\n{}", wrapped(&format!("this step failed: {why}"), " "))
}

/// Memory of all programs, against what is promised.
pub fn memory(programs: &[Memory]) -> String {
    let mut text =
        String::from("\n■ حافظه در حال آماده‌به‌کار\n  Memory at rest, resident, in MiB\n\n");
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
            "the registrar at the centre can mend it, by a permission",
            "متصدی ثبت در مرکز ملی می‌تواند مجوز آن را ثبت کند",
        ),
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

/// `text` in lines that fit, broken behind `between` where it can.
fn wrapped(text: &str, between: &str) -> String {
    let room = WIDTH - INDENT.len() - HANGING.len();
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
    lines.map(|(line, hanging)| format!("{INDENT}{hanging}{}\n", line.trim_end())).collect()
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
    fn a_long_answer_is_cut_and_says_so() {
        assert_eq!(cut("{}"), "{}");
        let long = cut(&"ش".repeat(400));
        assert!(long.ends_with("… (800 bytes)"), "{long}");
    }
}
