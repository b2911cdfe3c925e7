//! What one kind of register is made of: a schema, how it is filled, and the questions it answers.

use http::Method;
use mesh_core::identifier::NationalId;
use rusqlite::{Connection, Transaction};

use crate::answer::{Refusal, Reply};
use crate::asked::Asked;
use crate::kind::Kind;
use crate::population::Population;

/// See the module. Every kind is one constant of this type.
pub(crate) struct Register {
    /// The tables, as SQL.
    pub(crate) schema: &'static str,
    pub(crate) fill: fn(&Filling<'_>) -> rusqlite::Result<()>,
    /// In order: the first whose path fits answers.
    pub(crate) questions: &'static [Question],
}

/// What the tables are filled from. The same filling always makes the same rows.
pub(crate) struct Filling<'f> {
    pub(crate) transaction: &'f Transaction<'f>,
    pub(crate) population: &'f Population,
    pub(crate) kind: &'f Kind,
}

impl Filling<'_> {
    /// Fills the table `person` of registers that say nothing about most persons, and yet know
    /// who is none.
    pub(crate) fn persons_known(&self) -> rusqlite::Result<()> {
        let mut insert = self.transaction.prepare("INSERT INTO person VALUES (?1)")?;
        for person in &self.population.persons {
            insert.execute([person.national_id.as_str()])?;
        }
        Ok(())
    }
}

/// Whether the table that [`Filling::persons_known`] filled holds this person.
pub(crate) fn is_known(tables: &Connection, id: &NationalId) -> rusqlite::Result<bool> {
    tables.prepare_cached("SELECT 1 FROM person WHERE national_id = ?1")?.exists([id.as_str()])
}

/// One path and what answers there.
pub(crate) struct Question {
    pub(crate) method: Method,
    /// At most one segment is `{}`: it stands for an identifier.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) answer: Answerer,
}

/// Answers from the tables, or says why not. What it wrote counts only if it answers.
pub(crate) type Answerer = fn(&Connection, &Asked) -> Result<Reply, Refusal>;

/// What a question may do to the tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Question {
    pub(crate) const fn get(path: &'static str, answer: Answerer) -> Self {
        Self { method: Method::GET, path, access: Access::Read, answer }
    }

    /// Asks by a body, and changes nothing.
    pub(crate) const fn post(path: &'static str, answer: Answerer) -> Self {
        Self { method: Method::POST, path, access: Access::Read, answer }
    }

    /// Hands something in.
    pub(crate) const fn submit(path: &'static str, answer: Answerer) -> Self {
        Self { method: Method::POST, path, access: Access::Write, answer }
    }

    /// The segment of `path` that stands where this has `{}`, empty if there is none; `None` if
    /// the path is another. The segment is still as the caller wrote it.
    pub(crate) fn fits<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut segment = "";
        let (mut want, mut found) = (self.path.split('/'), path.split('/'));
        loop {
            match (want.next(), found.next()) {
                (None, None) => return Some(segment),
                (Some("{}"), Some(part)) if !part.is_empty() => segment = part,
                (Some(want), Some(part)) if want == part => {}
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_questions() {
        #[rustfmt::skip]
        let cases = [
            // Question            Path                    Segment
            ("/cards",             "/cards",               Some("")),
            ("/cards",             "/cards/",              None),
            ("/cards",             "/Cards",               None),
            ("/cards",             "//cards",              None),
            ("/cards",             "",                     None),
            ("/cards",             "*",                    None),
            ("/persons/{}",        "/persons/1",           Some("1")),
            ("/persons/{}",        "/persons/match",       Some("match")),
            ("/persons/{}",        "/persons/",            None),
            ("/persons/{}",        "/persons",             None),
            ("/persons/{}",        "/persons/1/",          None),
            ("/persons/{}",        "//persons/1",          None),
            ("/persons/{}/kin",    "/persons/1/kin",       Some("1")),
            ("/persons/{}/kin",    "/persons//kin",        None),
            ("/persons/{}/kin",    "/persons/1/kin/",      None),
            ("/persons/{}/kin",    "/persons/1/kin/2/kin", None),
        ];
        for (question, path, want) in cases {
            let question = Question::get(question, |_, _| Err(Refusal::Path));
            assert_eq!(question.fits(path), want, "{} {path}", question.path);
        }
    }
}
