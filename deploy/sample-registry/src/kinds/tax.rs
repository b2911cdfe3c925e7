//! The tax administration (سازمان امور مالیاتی): what persons and companies owe.

use mesh_core::identifier::{LegalId, NationalId};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::{DAY, SplitMix64};
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE debt (
            taxpayer  TEXT PRIMARY KEY,
            debt_rial INTEGER NOT NULL CHECK (0 <= debt_rial),
            as_of     TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[
        Question::get("/persons/{}/debt", of_person),
        Question::get("/companies/{}/debt", of_company),
    ],
};

#[derive(Serialize)]
struct Debt {
    debt_rial: u64,
    as_of: String,
    clear: bool,
}

/// A national ID has ten digits and a legal ID eleven, so one table keeps both apart.
fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let population = filling.population;
    let mut insert = filling.transaction.prepare("INSERT INTO debt VALUES (?1, ?2, ?3)")?;
    let mut enter = |taxpayer: &str, number: usize, mut dice: SplitMix64| {
        // The first person and company are those whom the documents cite.
        let owes = dice.chance(25) && number != 0;
        let debt_rial = if owes { DEBT_STEP_RIAL * u64::from(1 + dice.below(50_000)) } else { 0 };
        insert.execute((taxpayer, debt_rial.cast_signed(), DAY)).map(drop)
    };
    for (number, person) in population.persons() {
        enter(person.national_id.as_str(), number, population.dice("tax/person", number))?;
    }
    for (number, company) in population.companies() {
        enter(company.legal_id.as_str(), number, population.dice("tax/company", number))?;
    }
    Ok(())
}

fn of_person(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    Ok(Reply::found(debt(tables, id.as_str())?))
}

fn of_company(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: LegalId = asked.id()?;
    Ok(Reply::found(debt(tables, id.as_str())?))
}

fn debt(tables: &Connection, taxpayer: &str) -> rusqlite::Result<Option<Debt>> {
    tables
        .prepare_cached("SELECT debt_rial, as_of FROM debt WHERE taxpayer = ?1")?
        .query_row([taxpayer], |row| {
            let debt_rial = row.get::<_, i64>(0)?.cast_unsigned();
            Ok(Debt { debt_rial, as_of: row.get(1)?, clear: debt_rial == 0 })
        })
        .optional()
}

/// Debts are booked in multiples of this.
const DEBT_STEP_RIAL: u64 = 10_000;
