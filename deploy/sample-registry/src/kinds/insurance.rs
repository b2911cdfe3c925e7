//! The social insurance (سازمان تأمین اجتماعی): who is insured, for how long, and by whom.

use mesh_core::identifier::NationalId;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::YEAR_LAST;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE record (
            national_id TEXT PRIMARY KEY,
            insured     INTEGER NOT NULL CHECK (insured IN (0, 1)),
            months_paid INTEGER NOT NULL,
            employer    TEXT
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[Question::get("/persons/{}/record", record)],
};

/// The age at which the first contribution may have been paid.
const AGE_MIN: u32 = 20;

/// The longest record: thirty-five years.
const MONTHS_MAX: u32 = 420;

/// How many months the record of the person whom the documents cite has at least.
const MONTHS_CITED: u32 = 96;

#[derive(Serialize)]
struct Record {
    national_id: String,
    insured: bool,
    months_paid: u32,
    /// The legal ID of the employer; null for who is not insured, or insured without one.
    employer: Option<String>,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let companies = &filling.population.companies;
    let mut insert = filling.transaction.prepare("INSERT INTO record VALUES (?1, ?2, ?3, ?4)")?;
    for (number, person) in filling.population.persons() {
        let mut dice = filling.population.dice("insurance", number);
        let (insured, months_paid, employer) = if number == 0 {
            // Insured by the company that he leads.
            (true, MONTHS_CITED + dice.below(MONTHS_CITED), companies.first())
        } else if person.is_adult() {
            let insured = dice.chance(65);
            let years = (YEAR_LAST + 1).saturating_sub(person.birth_year() + AGE_MIN);
            let months = dice.below(1 + (12 * years).min(MONTHS_MAX));
            // One of the companies that were there when this person was born into the register,
            // so that a larger nation begins with the smaller one.
            let choices = (number as u32 / 10) + 1;
            let employer = companies.get(dice.below(choices) as usize);
            (insured, months, employer.filter(|_| insured && dice.chance(80)))
        } else {
            (false, 0, None)
        };
        let employer = employer.map(|company| company.legal_id.as_str());
        insert.execute((person.national_id.as_str(), insured, months_paid, employer))?;
    }
    Ok(())
}

fn record(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    let record = tables
        .prepare_cached(
            "SELECT national_id, insured, months_paid, employer
             FROM record WHERE national_id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            Ok(Record {
                national_id: row.get(0)?,
                insured: row.get(1)?,
                months_paid: row.get(2)?,
                employer: row.get(3)?,
            })
        })
        .optional()?;
    Ok(Reply::found(record))
}
