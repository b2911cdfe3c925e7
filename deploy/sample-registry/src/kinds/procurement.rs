//! The state's procurement (سامانه تدارکات الکترونیکی دولت): which companies may supply it.

use mesh_core::identifier::LegalId;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::day_of;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE supplier (
            legal_id     TEXT PRIMARY KEY,
            approved     INTEGER NOT NULL CHECK (approved IN (0, 1)),
            grade        INTEGER CHECK (grade BETWEEN 1 AND 5),
            barred_until TEXT
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[Question::get("/suppliers/{}", supplier)],
};

/// Grades run from 1, the best, to this.
const GRADE_MAX: u32 = 5;

/// The years in which the bars end.
const BARRED_UNTIL: [u32; 3] = [2029, 2030, 2031];

#[derive(Serialize)]
struct Supplier {
    legal_id: String,
    approved: bool,
    /// Null for who was never graded.
    grade: Option<u32>,
    barred_until: Option<String>,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let mut insert = filling.transaction.prepare("INSERT INTO supplier VALUES (?1, ?2, ?3, ?4)")?;
    for (number, company) in filling.population.companies() {
        let mut dice = filling.population.dice("procurement", number);
        // The first company is the one that the documents cite.
        let cited = number == 0;
        let barred = !cited && dice.chance(8);
        let barred_until = barred.then(|| day_of(dice.pick(&BARRED_UNTIL), &mut dice));
        let approved = cited || (company.active && !barred && dice.chance(60));
        let grade = (approved || barred).then(|| 1 + dice.below(GRADE_MAX));
        insert.execute((company.legal_id.as_str(), approved, grade, barred_until))?;
    }
    Ok(())
}

fn supplier(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: LegalId = asked.id()?;
    let supplier = tables
        .prepare_cached(
            "SELECT legal_id, approved, grade, barred_until FROM supplier WHERE legal_id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            Ok(Supplier {
                legal_id: row.get(0)?,
                approved: row.get(1)?,
                grade: row.get(2)?,
                barred_until: row.get(3)?,
            })
        })
        .optional()?;
    Ok(Reply::found(supplier))
}
