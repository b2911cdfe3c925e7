//! The health insurance: who is covered (بیمهٔ سلامت), by which scheme, and until when.

use mesh_core::identifier::NationalId;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::day_of;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE eligibility (
            national_id TEXT PRIMARY KEY,
            valid       INTEGER NOT NULL CHECK (valid IN (0, 1)),
            until       TEXT,
            coverage    TEXT
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[Question::get("/persons/{}/eligibility", eligibility)],
};

/// The years in which the insurances end that are valid, and those that are not any more.
const VALID_UNTIL: [u32; 3] = [2029, 2030, 2031];
const EXPIRED_IN: [u32; 4] = [2021, 2022, 2023, 2024];

#[derive(Serialize)]
struct Eligibility {
    national_id: String,
    /// Whether care is paid for today.
    valid: bool,
    /// The last day of the insurance; null where there never was one.
    until: Option<String>,
    /// The scheme that pays for care; null where none does.
    coverage: Option<String>,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let mut insert =
        filling.transaction.prepare("INSERT INTO eligibility VALUES (?1, ?2, ?3, ?4)")?;
    for (number, person) in filling.population.persons() {
        let mut dice = filling.population.dice("health", number);
        // The first person is the one whom the documents cite.
        let cited = number == 0;
        let valid = cited || (person.alive && dice.chance(92));
        let expired = !valid && person.is_adult() && dice.chance(60);
        let year = match (valid, expired) {
            (true, _) => Some(dice.pick(&VALID_UNTIL)),
            (false, true) => Some(dice.pick(&EXPIRED_IN)),
            (false, false) => None,
        };
        let until = year.map(|year| day_of(year, &mut dice));
        let coverage = valid.then(|| dice.pick(&COVERAGES));
        insert.execute((person.national_id.as_str(), valid, until, coverage))?;
    }
    Ok(())
}

fn eligibility(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    let eligibility = tables
        .prepare_cached(
            "SELECT national_id, valid, until, coverage FROM eligibility WHERE national_id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            Ok(Eligibility {
                national_id: row.get(0)?,
                valid: row.get(1)?,
                until: row.get(2)?,
                coverage: row.get(3)?,
            })
        })
        .optional()?;
    Ok(Reply::found(eligibility))
}

/// Everyone's, that of villagers, and that of the state's employees.
const COVERAGES: [&str; 3] = ["بیمهٔ سلامت همگانی", "بیمهٔ روستاییان", "بیمهٔ کارکنان دولت"];
