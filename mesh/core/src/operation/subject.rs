//! Whom or what a request is about: which of its fields holds the subject's identifier, and of
//! which kind that is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identifier;

/// Longest name of a field, in bytes.
pub const FIELD_BYTES_MAX: usize = 128;

/// The declared subject of an operation. As text `nobody`, or such as `national-id path:id`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// No person, company or thing in particular: a list of codes, the state of the service.
    Nobody,
    Field {
        kind: SubjectKind,
        place: Place,
        name: Box<str>,
    },
}

/// What kind of identifier names the subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubjectKind {
    /// One of the nation's, whose rule is known.
    Identifier(identifier::Kind),
    /// One of the provider's own, such as the number of a licence.
    Record,
}

/// Which part of a request holds the field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// A parameter of the path; `name` is the parameter's.
    Path,
    /// A parameter of the query.
    Query,
    /// A member of the body; `name` is a JSON pointer (RFC 6901) without its first '/', or a path
    /// of field names in a protobuf message.
    Body,
}

/// Text that declares no subject.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseSubjectError {
    #[error("subject is neither \"nobody\" nor such as \"national-id path:id\"")]
    Form,
    #[error("subject has an unknown kind of identifier, want one of {}", SubjectKind::words())]
    Kind,
    #[error("subject is in an unknown place, want path, query or body")]
    Place,
    #[error("subject names a field that is not 1 to {FIELD_BYTES_MAX} letters, digits, '_-./'")]
    Name,
}

impl SubjectKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Identifier(identifier::Kind::NationalId), "national-id"),
        (Self::Identifier(identifier::Kind::LegalId), "legal-id"),
        (Self::Identifier(identifier::Kind::PostalCode), "postal-code"),
        (Self::Identifier(identifier::Kind::Mobile), "mobile"),
        (Self::Identifier(identifier::Kind::Iban), "iban"),
        (Self::Identifier(identifier::Kind::ForeignNationalId), "foreign-national-id"),
        (Self::Record, "record"),
    ];

    /// Its word in files, such as `national-id`.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    fn words() -> String {
        Self::ALL.map(|(_, word)| word).join(", ")
    }
}

impl Place {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Path, "path"), (Self::Query, "query"), (Self::Body, "body")];

    /// Its word in files, such as `path`.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(place, _)| *place == self).map_or("", |(_, word)| word)
    }
}

impl FromStr for Subject {
    type Err = ParseSubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "nobody" {
            return Ok(Self::Nobody);
        }
        let (kind, field) = text.split_once(' ').ok_or(ParseSubjectError::Form)?;
        let (place, name) = field.split_once(':').ok_or(ParseSubjectError::Form)?;
        let kind = SubjectKind::ALL.iter().find(|(_, word)| *word == kind);
        let place = Place::ALL.iter().find(|(_, word)| *word == place);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
        if !(1..=FIELD_BYTES_MAX).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(ParseSubjectError::Name);
        }
        Ok(Self::Field {
            kind: kind.ok_or(ParseSubjectError::Kind)?.0,
            place: place.ok_or(ParseSubjectError::Place)?.0,
            name: name.into(),
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Field { kind, place, name } => {
                write!(f, "{} {}:{name}", kind.word(), place.word())
            }
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = ParseSubjectError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (kind, word) in SubjectKind::ALL {
            for (place, place_word) in Place::ALL {
                let text = format!("{word} {place_word}:person/id");
                let subject = Subject::Field { kind, place, name: "person/id".into() };
                assert_eq!(text.parse(), Ok(subject.clone()));
                assert_eq!(subject.to_string(), text);
            }
        }
        assert_eq!("nobody".parse::<Subject>().unwrap().to_string(), "nobody");
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", ParseSubjectError::Form),
            ("national-id", ParseSubjectError::Form),
            ("national-id id", ParseSubjectError::Form),
            ("passport path:id", ParseSubjectError::Kind),
            ("national-id header:id", ParseSubjectError::Place),
            ("national-id path:", ParseSubjectError::Name),
            ("national-id path:کد", ParseSubjectError::Name),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Subject>(), Err(want), "{text:?}");
        }
    }
}
