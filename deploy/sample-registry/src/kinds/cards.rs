//! The service cards (شناسنامه خدمت) of one cluster: which services it offers, as approved.

use mesh_core::id::ClusterId;
use mesh_core::identifier::ServiceCardCode;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::kind::Kind;
use crate::population::SplitMix64;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE card (
            code        TEXT PRIMARY KEY,
            title       TEXT NOT NULL,
            publisher   TEXT NOT NULL,
            channel     TEXT NOT NULL,
            days        INTEGER NOT NULL,
            fee_rial    INTEGER NOT NULL CHECK (0 <= fee_rial)
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[Question::get("/cards", page), Question::get("/cards/{}", card)],
};

/// The code of the first card that `publisher` lists.
pub fn first_card_code(seed: u64, publisher: &ClusterId) -> String {
    code(seed, publisher, 0)
}

/// Cards on one page.
const PAGE_CARDS_MAX: usize = 10;

/// A publisher has at least so many cards, and fewer than twice as many.
const CARDS_MIN: u32 = 12;

#[derive(Serialize)]
struct Page {
    cards: Vec<Line>,
    /// What to ask for the next page `after`; null on the last page.
    next: Option<String>,
}

#[derive(Serialize)]
struct Line {
    code: String,
    title: String,
}

#[derive(Serialize)]
struct Card {
    code: String,
    title: String,
    publisher: String,
    channel: String,
    /// How long the service takes.
    days: u32,
    fee_rial: u64,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let Kind::Cards { publisher } = filling.kind else {
        unreachable!("only service cards are filled here");
    };
    let mut dice = filling.population.dice(&book(publisher), 1);
    let mut insert =
        filling.transaction.prepare("INSERT INTO card VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut titles = titles(publisher);
    for number in 0..CARDS_MIN + dice.below(CARDS_MIN) {
        let title = titles.swap_remove(dice.below(titles.len() as u32) as usize);
        let channel = dice.pick(&CHANNELS);
        let days = 1 + dice.below(45);
        let fee_rial = u64::from(dice.below(40)) * 50_000;
        let code = code(filling.population.seed(), publisher, number);
        insert.execute((code, title, publisher.as_str(), channel, days, fee_rial.cast_signed()))?;
    }
    Ok(())
}

/// Codes of one publisher ascend with the number, from a start that is drawn for it.
fn code(seed: u64, publisher: &ClusterId, number: u32) -> String {
    let mut dice = SplitMix64::of(seed, &book(publisher), 0);
    let start = 10_000_000 + dice.below(89_000_000);
    format!("{start:08}{number:03}")
}

fn book(publisher: &ClusterId) -> String {
    format!("cards/{publisher}")
}

fn page(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let after: Option<ServiceCardCode> = asked.parameter("after")?;
    let after = after.as_ref().map_or("", ServiceCardCode::as_str);
    // One more than a page shows whether there is another.
    let mut cards: Vec<Line> = tables
        .prepare_cached("SELECT code, title FROM card WHERE ?1 < code ORDER BY code LIMIT ?2")?
        .query_map((after, PAGE_CARDS_MAX as u32 + 1), |row| {
            Ok(Line { code: row.get(0)?, title: row.get(1)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let is_last = cards.len() <= PAGE_CARDS_MAX;
    cards.truncate(PAGE_CARDS_MAX);
    let next = cards.last().filter(|_| !is_last).map(|line| line.code.clone());
    Ok(Reply::ok(&Page { cards, next }))
}

fn card(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let code: ServiceCardCode = asked.id()?;
    let card = tables
        .prepare_cached(
            "SELECT code, title, publisher, channel, days, fee_rial FROM card WHERE code = ?1",
        )?
        .query_row([code.as_str()], |row| {
            Ok(Card {
                code: row.get(0)?,
                title: row.get(1)?,
                publisher: row.get(2)?,
                channel: row.get(3)?,
                days: row.get(4)?,
                fee_rial: row.get::<_, i64>(5)?.cast_unsigned(),
            })
        })
        .optional()?;
    Ok(Reply::found(card))
}

/// Everything that is done about everything that the publisher is about: more titles than cards.
fn titles(publisher: &ClusterId) -> Vec<String> {
    let subjects = subjects(publisher.as_str());
    let about = |act: &&str| subjects.map(|subject| format!("{act} {subject}"));
    ACTS.iter().flat_map(about).collect()
}

/// What a cluster of the default nation is about. Any other cluster offers what all do.
#[rustfmt::skip]
fn subjects(publisher: &str) -> [&'static str; 4] {
    match publisher {
        "health" => ["پروانهٔ داروخانه", "کارت بهداشت", "پروانهٔ مطب", "مجوز تجهیزات پزشکی"],
        "agriculture" => ["پروانهٔ دامداری", "مجوز گلخانه", "گواهی بهداشت گیاهی", "پروانهٔ چاه"],
        "justice" => ["گواهی عدم سوءپیشینه", "سند رسمی", "پروانهٔ وکالت", "گواهی انحصار وراثت"],
        "economy" => ["پروندهٔ مالیاتی", "مجوز سرمایه‌گذاری", "پروانهٔ گمرکی", "مجوز بیمه‌گری"],
        "industry" => ["پروانهٔ کسب", "جواز تأسیس کارگاه", "پروانهٔ معدن", "کارت بازرگانی"],
        "welfare" => ["دفترچهٔ بیمه", "مستمری بازنشستگی", "بیمهٔ بیکاری", "کارت مهارت"],
        "energy" => ["انشعاب برق", "انشعاب آب", "انشعاب گاز", "مجوز نیروگاه خورشیدی"],
        "transport" => ["گواهینامهٔ رانندگی", "کارت هوشمند راننده", "پروانهٔ باربری", "مجوز مسکن"],
        "culture" => ["مجوز نشر کتاب", "پروانهٔ آموزشگاه هنری", "مجوز اقامتگاه", "پروانهٔ نمایش"],
        "communications" => ["پروانهٔ ارتباطی", "مجوز دفتر پیشخوان", "کد پستی", "مالکیت سیم‌کارت"],
        "interior" => ["شناسنامه", "کارت ملی", "گذرنامه", "اقامت اتباع خارجی"],
        "environment" => ["مجوز زیست‌محیطی", "پروانهٔ شکار", "گواهی آلایندگی", "مجوز پسماند"],
        "administration" => ["حکم کارگزینی", "گواهی اشتغال", "آزمون استخدامی", "ارزیابی کارکنان"],
        "education" => ["مدرک تحصیلی", "پروانهٔ مدرسه", "معادل‌سازی مدرک", "وام دانشجویی"],
        _ => ["پروانه", "گواهی", "مجوز", "کارت عضویت"],
    }
}

/// Issuing, renewing, amending, transferring, revoking, replacing, and asking after.
const ACTS: [&str; 7] = ["صدور", "تمدید", "اصلاح", "انتقال", "ابطال", "صدور المثنای", "استعلام"];

const CHANNELS: [&str; 4] = ["درگاه ملی", "تلفن همراه", "دفتر پیشخوان", "مراجعهٔ حضوری"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_titles_for_all_cards() {
        let titles = titles(&"health".parse().unwrap());
        assert!(2 * CARDS_MIN as usize <= titles.len());
    }

    #[test]
    fn codes_are_codes_and_ascend() {
        let publisher = "health".parse().unwrap();
        let codes: Vec<String> = (0..24).map(|number| code(7, &publisher, number)).collect();
        assert!(codes.is_sorted() && codes[0] == first_card_code(7, &publisher));
        assert!(codes.iter().all(|code| code.parse::<ServiceCardCode>().is_ok()));
        assert_ne!(codes[0], first_card_code(7, &"justice".parse().unwrap()));
    }
}
