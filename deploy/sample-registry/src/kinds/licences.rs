//! The portal of business licences (درگاه ملی مجوزها): who holds one, and applications for more.

use mesh_core::identifier::NationalId;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::{YEAR_LAST, day_of};
use crate::register::{Filling, Question, Register, is_known};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE person (national_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
        CREATE TABLE licence (
            licence      TEXT PRIMARY KEY,
            national_id  TEXT NOT NULL REFERENCES person (national_id),
            licence_type TEXT NOT NULL,
            issued       TEXT NOT NULL,
            until        TEXT NOT NULL,
            valid        INTEGER NOT NULL CHECK (valid IN (0, 1))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX licence_by_person ON licence (national_id);
        CREATE TABLE application (
            number       INTEGER PRIMARY KEY,
            national_id  TEXT NOT NULL REFERENCES person (national_id),
            licence_type TEXT NOT NULL,
            status       TEXT NOT NULL,
            key          TEXT UNIQUE
        ) STRICT;
    ",
    fill,
    questions: &[
        Question::get("/persons/{}/licences", licences),
        Question::submit("/applications", apply),
        Question::get("/applications/{}", application),
    ],
};

/// What a licence may be for: the code that programs use, and its name.
const TYPES: [(&str, &str); 8] = [
    ("restaurant", "رستوران"),
    ("bakery", "نانوایی"),
    ("bookshop", "کتاب‌فروشی"),
    ("clothing-workshop", "کارگاه پوشاک"),
    ("grocery", "خواربارفروشی"),
    ("hairdresser", "آرایشگاه"),
    ("pharmacy", "داروخانه"),
    ("repair-shop", "تعمیرگاه"),
];

/// Most applications that the register takes.
const APPLICATIONS_MAX: i64 = 1_000_000;

const APPLICATION_DIGITS: usize = 12;

#[derive(Serialize)]
struct Licences {
    national_id: String,
    licences: Vec<Licence>,
}

#[derive(Serialize)]
struct Licence {
    licence: String,
    licence_type: String,
    title: &'static str,
    issued: String,
    until: String,
    valid: bool,
}

/// What someone applies for, before anything in it is checked.
#[derive(Deserialize)]
struct Wish {
    national_id: String,
    licence_type: String,
}

/// What was applied for before under the same key.
struct Earlier {
    number: i64,
    national_id: String,
    licence_type: String,
}

#[derive(Serialize)]
struct Application {
    application: String,
    licence_type: String,
    status: String,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    filling.persons_known()?;
    let mut insert =
        filling.transaction.prepare("INSERT INTO licence VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (number, person) in filling.population.persons() {
        let mut dice = filling.population.dice("licences", number);
        // The first person is the one whom the documents cite: his licence is old and has ended.
        let cited = number == 0;
        let holds = cited || (person.is_adult() && dice.chance(18));
        if !holds {
            continue;
        }
        let (licence_type, _) = dice.pick(&TYPES);
        let issued_in = if cited { 2014 } else { 2012 + dice.below(12) };
        let issued = day_of(issued_in, &mut dice);
        let ends_in = issued_in + if cited { 5 } else { 5 + 5 * dice.below(3) };
        let until = day_of(ends_in, &mut dice);
        let valid = YEAR_LAST < ends_in;
        let licence = format!("{issued_in}{number:07}");
        let id = person.national_id.as_str();
        insert.execute((licence, id, licence_type, issued, until, valid))?;
    }
    Ok(())
}

fn licences(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let id: NationalId = asked.id()?;
    if !is_known(tables, &id)? {
        return Ok(Reply::found(None::<Licences>));
    }
    let licences = tables
        .prepare_cached(
            "SELECT licence, licence_type, issued, until, valid
             FROM licence WHERE national_id = ?1 ORDER BY issued, licence",
        )?
        .query_map([id.as_str()], |row| {
            let licence_type: String = row.get(1)?;
            let title = title(&licence_type).unwrap_or_default();
            let (licence, issued) = (row.get(0)?, row.get(2)?);
            let (until, valid) = (row.get(3)?, row.get(4)?);
            Ok(Licence { licence, licence_type, title, issued, until, valid })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Reply::ok(&Licences { national_id: id.as_str().into(), licences }))
}

/// Takes an application, once for each key. Key and application become durable together.
fn apply(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let key = asked.key()?;
    let Wish { national_id, licence_type } =
        asked.json("the texts national_id and licence_type")?;
    let id: NationalId = national_id.parse()?;
    if title(&licence_type).is_none() {
        let codes: Vec<&str> = TYPES.iter().map(|(code, _)| *code).collect();
        return Err(Refusal::Choice { what: "licence_type", choices: codes.join(", ") });
    }
    if let Some(key) = key
        && let Some(earlier) = of_key(tables, key)?
    {
        let is_same = earlier.national_id == id.as_str() && earlier.licence_type == licence_type;
        return if is_same { taken(tables, earlier.number) } else { Err(Refusal::KeyReused) };
    }
    if !is_known(tables, &id)? {
        return Ok(Reply::found(None::<Application>));
    }
    let mut insert = tables.prepare_cached(
        "INSERT INTO application (national_id, licence_type, status, key)
         SELECT ?1, ?2, 'received', ?3
         WHERE (SELECT coalesce(max(number), 0) FROM application) < ?4",
    )?;
    if insert.execute((id.as_str(), licence_type, key, APPLICATIONS_MAX))? == 0 {
        return Err(Refusal::Full);
    }
    taken(tables, tables.last_insert_rowid())
}

/// The answer to a submission whose application is in the table.
fn taken(tables: &Connection, number: i64) -> Result<Reply, Refusal> {
    let application = find(tables, number)?;
    Ok(Reply::created(&application.ok_or(rusqlite::Error::QueryReturnedNoRows)?))
}

fn application(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let number = asked.number("an application", APPLICATION_DIGITS)?;
    let number = number.parse().expect("twelve digits fit into 64 bits");
    Ok(Reply::found(find(tables, number)?))
}

fn find(tables: &Connection, number: i64) -> rusqlite::Result<Option<Application>> {
    tables
        .prepare_cached("SELECT number, licence_type, status FROM application WHERE number = ?1")?
        .query_row([number], |row| {
            let number: i64 = row.get(0)?;
            let application = format!("{number:0APPLICATION_DIGITS$}");
            Ok(Application { application, licence_type: row.get(1)?, status: row.get(2)? })
        })
        .optional()
}

/// The application that came with `key`.
fn of_key(tables: &Connection, key: &str) -> rusqlite::Result<Option<Earlier>> {
    tables
        .prepare_cached("SELECT number, national_id, licence_type FROM application WHERE key = ?1")?
        .query_row([key], |row| {
            Ok(Earlier { number: row.get(0)?, national_id: row.get(1)?, licence_type: row.get(2)? })
        })
        .optional()
}

fn title(licence_type: &str) -> Option<&'static str> {
    TYPES.iter().find(|(code, _)| *code == licence_type).map(|(_, title)| *title)
}
