//! The treasury (خزانه‌داری کل): payments to the state, by their reference.

use mesh_core::identifier::LegalId;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::SplitMix64;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE payment (
            reference   TEXT PRIMARY KEY,
            amount_rial INTEGER NOT NULL CHECK (0 < amount_rial),
            purpose     TEXT NOT NULL,
            payer       TEXT NOT NULL,
            payer_kind  TEXT NOT NULL CHECK (payer_kind IN ('person', 'company')),
            status      TEXT NOT NULL CHECK (status IN ('paid', 'pending', 'returned'))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX payment_by_payer ON payment (payer);
        CREATE TABLE company (legal_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[
        Question::get("/payments/{}", payment),
        Question::get("/companies/{}/payments", payments_of),
    ],
};

/// The reference of the payment that person number 0 made for a licence.
pub fn first_payment_reference(seed: u64) -> String {
    reference(Payer::Person, 0, &mut SplitMix64::of(seed, PERSONS, 0))
}

const REFERENCE_DIGITS: usize = 16;

/// Most payments that an answer about one company lists.
const REFERENCES_MAX: u32 = 20;

/// Most payments that one company made.
const PAYMENTS_MAX: u32 = 6;

/// Amounts are multiples of this.
const AMOUNT_STEP_RIAL: u32 = 50_000;

const PERSONS: &str = "treasury/person";
const COMPANIES: &str = "treasury/company";

#[derive(Clone, Copy, Debug)]
enum Payer {
    Person,
    Company,
}

/// A payment does not name who made it: whoever has the reference knows.
#[derive(Serialize)]
struct Payment {
    reference: String,
    amount_rial: u64,
    purpose: String,
    payer_kind: String,
    status: String,
}

#[derive(Serialize)]
struct Payments {
    legal_id: String,
    references: Vec<String>,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let (transaction, population) = (filling.transaction, filling.population);
    let mut insert = transaction.prepare("INSERT INTO payment VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (number, person) in population.persons() {
        let mut dice = population.dice(PERSONS, number);
        let reference = reference(Payer::Person, number as u64, &mut dice);
        // The first person is the one whom the documents cite.
        let cited = number == 0;
        if cited || (person.is_adult() && dice.chance(30)) {
            let (payer, kind) = (person.national_id.as_str(), "person");
            let fate = if cited { Fate::FEE } else { Fate::thrown(&mut dice) };
            insert.execute((
                reference,
                fate.amount_rial,
                fate.purpose,
                payer,
                kind,
                fate.status,
            ))?;
        }
    }
    let mut know = transaction.prepare("INSERT INTO company VALUES (?1)")?;
    for (number, company) in population.companies() {
        let payer = company.legal_id.as_str();
        know.execute([payer])?;
        let mut dice = population.dice(COMPANIES, number);
        for at in 0..dice.below(PAYMENTS_MAX + 1) {
            let payment = number as u64 * u64::from(PAYMENTS_MAX) + u64::from(at);
            let reference = reference(Payer::Company, payment, &mut dice);
            let fate = Fate::thrown(&mut dice);
            let kind = "company";
            insert.execute((
                reference,
                fate.amount_rial,
                fate.purpose,
                payer,
                kind,
                fate.status,
            ))?;
        }
    }
    Ok(())
}

/// What a payment is for, and what became of it.
struct Fate {
    amount_rial: u32,
    purpose: &'static str,
    status: &'static str,
}

impl Fate {
    /// The fee for a licence, paid.
    const FEE: Self = Self { amount_rial: 4_200_000, purpose: PURPOSES[0], status: "paid" };

    fn thrown(dice: &mut SplitMix64) -> Self {
        let amount_rial = AMOUNT_STEP_RIAL * (1 + dice.below(2_000));
        let purpose = dice.pick(&PURPOSES);
        let status = match dice.below(10) {
            0 => "returned",
            1 => "pending",
            _ => "paid",
        };
        Self { amount_rial, purpose, status }
    }
}

/// Sixteen digits that no other payment has, as payer and number are among them.
fn reference(payer: Payer, number: u64, dice: &mut SplitMix64) -> String {
    let first = match payer {
        Payer::Person => 3,
        Payer::Company => 7,
    };
    let drawn = dice.below(100_000_000);
    format!("{first}{number:07}{drawn:08}")
}

fn payment(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let reference = asked.number("a payment reference", REFERENCE_DIGITS)?;
    let payment = tables
        .prepare_cached(
            "SELECT reference, amount_rial, purpose, payer_kind, status
             FROM payment WHERE reference = ?1",
        )?
        .query_row([reference], |row| {
            Ok(Payment {
                reference: row.get(0)?,
                amount_rial: row.get::<_, i64>(1)?.cast_unsigned(),
                purpose: row.get(2)?,
                payer_kind: row.get(3)?,
                status: row.get(4)?,
            })
        })
        .optional()?;
    Ok(Reply::found(payment))
}

fn payments_of(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: LegalId = asked.id()?;
    let known = tables
        .prepare_cached("SELECT 1 FROM company WHERE legal_id = ?1")?
        .exists([id.as_str()])?;
    if !known {
        return Ok(Reply::found(None::<Payments>));
    }
    let references = tables
        .prepare_cached(
            "SELECT reference FROM payment WHERE payer = ?1 ORDER BY reference LIMIT ?2",
        )?
        .query_map((id.as_str(), REFERENCES_MAX), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Reply::ok(&Payments { legal_id: id.as_str().into(), references }))
}

/// The first is the fee for a licence.
const PURPOSES: [&str; 6] = [
    "هزینهٔ صدور پروانهٔ کسب",
    "مالیات بر ارزش افزوده",
    "عوارض نوسازی",
    "حق ثبت شرکت",
    "ضمانت شرکت در مناقصه",
    "جریمهٔ دیرکرد",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_their_digits() {
        for (payer, number) in
            [(Payer::Person, 99_999), (Payer::Company, 60_000), (Payer::Person, 0)]
        {
            let reference = reference(payer, number, &mut SplitMix64::new(number));
            assert_eq!(reference.len(), REFERENCE_DIGITS);
        }
    }
}
