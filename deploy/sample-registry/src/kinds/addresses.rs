//! The post's register of addresses (شرکت ملی پست): postal codes, and who lives there.

use mesh_core::identifier::{NationalId, PostalCode};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::population::SplitMix64;
use crate::register::{Filling, Question, Register};

pub(crate) const REGISTER: Register = Register {
    schema: "
        CREATE TABLE address (
            postal_code TEXT PRIMARY KEY,
            province    TEXT NOT NULL,
            city        TEXT NOT NULL,
            street      TEXT NOT NULL,
            plate       INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE resident (
            national_id TEXT PRIMARY KEY,
            postal_code TEXT NOT NULL REFERENCES address (postal_code)
        ) STRICT, WITHOUT ROWID;
    ",
    fill,
    questions: &[
        Question::post("/addresses/match", matches),
        Question::get("/addresses/{}", address),
    ],
};

#[derive(Serialize)]
struct Address {
    postal_code: String,
    province: String,
    city: String,
    street: String,
    plate: u32,
}

/// Where someone says that a person lives, before anything in it is checked.
#[derive(Deserialize)]
struct Claim {
    national_id: String,
    postal_code: String,
}

fn fill(filling: &Filling<'_>) -> rusqlite::Result<()> {
    // Two persons may share a code: the post knows one address for it.
    let mut insert =
        filling.transaction.prepare("INSERT OR IGNORE INTO address VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut house = |code: &PostalCode, mut dice: SplitMix64| {
        let (province, city) = place(code);
        let street = format!("خیابان {}", dice.pick(&STREETS));
        let plate = 1 + dice.below(PLATE_MAX);
        insert.execute((code.as_str(), province, city, street, plate)).map(drop)
    };
    let mut settle = filling.transaction.prepare("INSERT INTO resident VALUES (?1, ?2)")?;
    for (number, person) in filling.population.persons() {
        house(&person.postal_code, filling.population.dice("addresses/person", number))?;
        settle.execute((person.national_id.as_str(), person.postal_code.as_str()))?;
    }
    for (number, company) in filling.population.companies() {
        house(&company.postal_code, filling.population.dice("addresses/company", number))?;
    }
    Ok(())
}

fn address(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let code: PostalCode = asked.id()?;
    let address = tables
        .prepare_cached(
            "SELECT postal_code, province, city, street, plate
             FROM address WHERE postal_code = ?1",
        )?
        .query_row([code.as_str()], |row| {
            Ok(Address {
                postal_code: row.get(0)?,
                province: row.get(1)?,
                city: row.get(2)?,
                street: row.get(3)?,
                plate: row.get(4)?,
            })
        })
        .optional()?;
    Ok(Reply::found(address))
}

/// Neither an unknown person nor an unknown code matches anything.
fn matches(tables: &Connection, asked: &Asked) -> Result<Reply, Refusal> {
    let claim: Claim = asked.json("the texts national_id and postal_code")?;
    let id: NationalId = claim.national_id.parse()?;
    let code: PostalCode = claim.postal_code.parse()?;
    let lives_there = tables
        .prepare_cached("SELECT 1 FROM resident WHERE national_id = ?1 AND postal_code = ?2")?
        .exists((id.as_str(), code.as_str()))?;
    Ok(Reply::matched(lives_there))
}

/// The province and city of a code, by its first digit.
fn place(code: &PostalCode) -> (&'static str, &'static str) {
    match code.as_str().as_bytes()[0] {
        b'1' => ("تهران", "تهران"),
        b'3' => ("البرز", "کرج"),
        b'4' => ("گیلان", "رشت"),
        b'5' => ("آذربایجان شرقی", "تبریز"),
        b'6' => ("خوزستان", "اهواز"),
        b'7' => ("فارس", "شیراز"),
        b'8' => ("اصفهان", "اصفهان"),
        _ => ("خراسان رضوی", "مشهد"),
    }
}

const PLATE_MAX: u32 = 240;

#[rustfmt::skip]
const STREETS: [&str; 20] = [
    "آزادی", "انقلاب", "باغ ملی", "بهار", "بوعلی",
    "پیروزی", "توحید", "جمهوری", "حافظ", "خیام",
    "دانشگاه", "رودکی", "سعدی", "سنایی", "شریعتی",
    "عطار", "فردوسی", "کشاورز", "معلم", "مولوی",
];
