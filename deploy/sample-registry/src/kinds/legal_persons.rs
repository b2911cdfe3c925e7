//! The register of legal persons (ثبت شرکت‌ها): companies, and who leads them.

use mesh_core::identifier::{LegalId, NationalId};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::Company;
use crate::register::{Filling, Question, Register, is_known};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE company (
            legal_id          TEXT PRIMARY KEY,
            name              TEXT NOT NULL,
            registration_date TEXT NOT NULL,
            active            INTEGER NOT NULL CHECK (active IN (0, 1)),
            postal_code       TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE officer (
            legal_id    TEXT NOT NULL REFERENCES company (legal_id),
            rank        INTEGER NOT NULL,
            national_id TEXT NOT NULL,
            role        TEXT NOT NULL,
            PRIMARY KEY (legal_id, rank)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX officer_by_person ON officer (national_id);
        CREATE TABLE person (national_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[
        Question::get("/companies/{}", company),
        Question::get("/persons/{}/companies", companies_of),
    ],
};

/// Most companies that an answer about one person lists.
const COMPANIES_MAX: u32 = 100;

#[derive(Serialize)]
struct Entry {
    legal_id: String,
    name: String,
    registration_date: String,
    active: bool,
    /// Of the seat.
    postal_code: String,
    officers: Vec<Leader>,
}

#[derive(Serialize)]
struct Leader {
    national_id: String,
    role: String,
}

#[derive(Serialize)]
struct Companies {
    national_id: String,
    companies: Vec<Led>,
}

/// A company that the person in question leads.
#[derive(Serialize)]
struct Led {
    legal_id: String,
    name: String,
    active: bool,
    role: String,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let transaction = filling.transaction;
    let mut insert = transaction.prepare("INSERT INTO company VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut appoint = transaction.prepare("INSERT INTO officer VALUES (?1, ?2, ?3, ?4)")?;
    for company in &filling.population.companies {
        let Company { legal_id, name, registration_date, active, postal_code, officers } = company;
        let legal_id = legal_id.as_str();
        insert.execute((legal_id, name, registration_date, active, postal_code.as_str()))?;
        for (rank, officer) in (0_u32..).zip(officers) {
            appoint.execute((legal_id, rank, officer.national_id.as_str(), officer.role))?;
        }
    }
    filling.persons_known()
}

fn company(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: LegalId = asked.id()?;
    let entry = tables
        .prepare_cached(
            "SELECT legal_id, name, registration_date, active, postal_code
             FROM company WHERE legal_id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            Ok(Entry {
                legal_id: row.get(0)?,
                name: row.get(1)?,
                registration_date: row.get(2)?,
                active: row.get(3)?,
                postal_code: row.get(4)?,
                officers: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut entry) = entry else { return Ok(Reply::found(None::<Entry>)) };
    entry.officers = tables
        .prepare_cached("SELECT national_id, role FROM officer WHERE legal_id = ?1 ORDER BY rank")?
        .query_map([id.as_str()], |row| Ok(Leader { national_id: row.get(0)?, role: row.get(1)? }))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Reply::ok(&entry))
}

fn companies_of(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    if !is_known(tables, &id)? {
        return Ok(Reply::found(None::<Companies>));
    }
    let companies = tables
        .prepare_cached(
            "SELECT company.legal_id, name, active, role
             FROM officer JOIN company ON company.legal_id = officer.legal_id
             WHERE national_id = ?1 ORDER BY registration_date, company.legal_id LIMIT ?2",
        )?
        .query_map((id.as_str(), COMPANIES_MAX), |row| {
            Ok(Led {
                legal_id: row.get(0)?,
                name: row.get(1)?,
                active: row.get(2)?,
                role: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Reply::ok(&Companies { national_id: id.as_str().into(), companies }))
}
