//! The register of university degrees (سامانه تأیید مدارک تحصیلی).

use mesh_core::identifier::NationalId;
use rusqlite::Connection;
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::{Person, SplitMix64, YEAR_LAST, day_of};
use crate::register::{Filling, Question, Register, is_known};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE person (national_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
        CREATE TABLE degree (
            national_id TEXT NOT NULL REFERENCES person (national_id),
            rank        INTEGER NOT NULL,
            level       TEXT NOT NULL,
            field       TEXT NOT NULL,
            university  TEXT NOT NULL,
            awarded     TEXT NOT NULL,
            PRIMARY KEY (national_id, rank)
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[Question::get("/persons/{}/degrees", degrees)],
};

/// The levels in order, with the age at which they are awarded: bachelor, master, doctor.
const LEVELS: [(&str, u32); 3] = [("کارشناسی", 22), ("کارشناسی ارشد", 25), ("دکتری", 30)];

#[derive(Serialize)]
struct Degrees {
    national_id: String,
    degrees: Vec<Degree>,
}

#[derive(Serialize)]
struct Degree {
    level: String,
    field: String,
    university: String,
    awarded: String,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    filling.persons_known()?;
    let mut insert =
        filling.transaction.prepare("INSERT INTO degree VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (number, person) in filling.population.persons() {
        let mut dice = filling.population.dice("degrees", number);
        // The first person is the one whom the documents cite.
        let levels = levels(person, &mut dice).max(usize::from(number == 0));
        let field = dice.pick(&FIELDS);
        for (rank, (level, age)) in (0_u32..).zip(LEVELS).take(levels) {
            let university = dice.pick(&UNIVERSITIES);
            let awarded = day_of(person.birth_year() + age, &mut dice);
            let id = person.national_id.as_str();
            insert.execute((id, rank, level, field, university, awarded))?;
        }
    }
    Ok(())
}

/// How many levels a person has reached, who may be too young for the next.
fn levels(person: &Person, dice: &mut SplitMix64) -> usize {
    let reached = match dice.below(100) {
        0..55 => 0,
        55..85 => 1,
        85..97 => 2,
        _ => LEVELS.len(),
    };
    let of_age = LEVELS.iter().filter(|(_, age)| person.birth_year() + age <= YEAR_LAST);
    reached.min(of_age.count())
}

fn degrees(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    if !is_known(tables, &id)? {
        return Ok(Reply::found(None::<Degrees>));
    }
    let degrees = tables
        .prepare_cached(
            "SELECT level, field, university, awarded
             FROM degree WHERE national_id = ?1 ORDER BY rank",
        )?
        .query_map([id.as_str()], |row| {
            Ok(Degree {
                level: row.get(0)?,
                field: row.get(1)?,
                university: row.get(2)?,
                awarded: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Reply::ok(&Degrees { national_id: id.as_str().into(), degrees }))
}

#[rustfmt::skip]
const FIELDS: [&str; 12] = [
    "ادبیات فارسی", "اقتصاد", "پرستاری", "حسابداری", "حقوق", "داروسازی",
    "ریاضی", "صنایع غذایی", "کشاورزی", "معماری", "مهندسی برق", "مهندسی عمران",
];

/// Invented ones, as a real university could be asked about its graduate.
#[rustfmt::skip]
const UNIVERSITIES: [&str; 6] = [
    "دانشگاه نمونهٔ البرز", "دانشگاه نمونهٔ خزر", "دانشگاه نمونهٔ دماوند",
    "دانشگاه نمونهٔ زاگرس", "دانشگاه نمونهٔ سپاهان", "دانشگاه نمونهٔ کارون",
];
