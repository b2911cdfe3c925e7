//! The civil register (ثبت احوال): who is who, and whose child.

use mesh_core::identifier::{NationalId, same_name};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::Person;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE person (
            national_id TEXT PRIMARY KEY,
            first_name  TEXT NOT NULL,
            last_name   TEXT NOT NULL,
            birth_date  TEXT NOT NULL,
            alive       INTEGER NOT NULL CHECK (alive IN (0, 1)),
            father_id   TEXT REFERENCES person (national_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX person_by_father ON person (father_id);
    ",
    fill,
    questions: &[
        Question::post("/persons/match", matches),
        Question::get("/persons/{}", person),
        Question::get("/persons/{}/kin", kin),
    ],
};

/// What the register tells about a person.
#[derive(Serialize)]
struct Entry {
    national_id: String,
    first_name: String,
    last_name: String,
    birth_date: String,
    alive: bool,
}

/// A person's next of kin, the children in order of birth.
#[derive(Serialize)]
struct Kin {
    father: Option<Relative>,
    children: Vec<Relative>,
}

/// As much of a relative as it takes to ask about them in turn.
#[derive(Serialize)]
struct Relative {
    national_id: String,
    first_name: String,
    last_name: String,
}

/// What someone says about a person, before the identifier is checked.
#[derive(Deserialize)]
struct Claim {
    national_id: String,
    first_name: String,
    last_name: String,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    let mut insert =
        filling.transaction.prepare("INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for person in &filling.population.persons {
        let Person { national_id, first_name, last_name, birth_date, alive, .. } = person;
        let father = person.father.as_ref().map(NationalId::as_str);
        insert.execute((national_id.as_str(), first_name, last_name, birth_date, alive, father))?;
    }
    Ok(())
}

fn person(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    Ok(Reply::found(entry(tables, &asked.id()?)?))
}

/// An unknown person matches nothing.
fn matches(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let claim: Claim = asked.json("the texts national_id, first_name and last_name")?;
    let held = entry(tables, &claim.national_id.parse()?)?;
    Ok(Reply::matched(held.is_some_and(|held| {
        same_name(&held.first_name, &claim.first_name)
            && same_name(&held.last_name, &claim.last_name)
    })))
}

fn kin(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    if entry(tables, &id)?.is_none() {
        return Ok(Reply::found(None::<Kin>));
    }
    let father = tables
        .prepare_cached(
            "SELECT father.national_id, father.first_name, father.last_name
             FROM person JOIN person AS father ON father.national_id = person.father_id
             WHERE person.national_id = ?1",
        )?
        .query_row([id.as_str()], relative)
        .optional()?;
    let children = tables
        .prepare_cached(
            "SELECT national_id, first_name, last_name
             FROM person WHERE father_id = ?1 ORDER BY birth_date, national_id",
        )?
        .query_map([id.as_str()], relative)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Reply::ok(&Kin { father, children }))
}

fn entry(tables: &Connection, id: &NationalId) -> rusqlite::Result<Option<Entry>> {
    tables
        .prepare_cached(
            "SELECT national_id, first_name, last_name, birth_date, alive
             FROM person WHERE national_id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            Ok(Entry {
                national_id: row.get(0)?,
                first_name: row.get(1)?,
                last_name: row.get(2)?,
                birth_date: row.get(3)?,
                alive: row.get(4)?,
            })
        })
        .optional()
}

fn relative(row: &Row<'_>) -> rusqlite::Result<Relative> {
    Ok(Relative { national_id: row.get(0)?, first_name: row.get(1)?, last_name: row.get(2)? })
}
