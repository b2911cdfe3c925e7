//! Identifiers of the nation's people, companies and places: normalised, then checked, once.
//!
//! What someone types becomes one canonical text, or an error that says what is wrong with it and
//! never what it was. None of the types has a `Display`, and `Debug` hides the value: an
//! identifier enters an answer on purpose, and a log line never.

mod iban;
mod legal;
mod mobile;
mod national;
mod plain;
mod text;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use text::{name_key, normal_text, same_name};

/// Declares one identifier type. They differ in name and in the rule that makes their canonical
/// text.
///
/// Whoever reads one by serde and must not repeat what was read drops serde's own message: it
/// quotes a value of the wrong JSON type.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $canonical:path) => {
        $(#[$doc])*
        #[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The canonical text: ASCII, and known to keep the rule.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentifier;

            /// Takes Persian and Arabic digits for the ASCII digits they mean.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $canonical(text).map(|text| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidIdentifier;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(identifier: $name) -> Self {
                identifier.0.into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

identifier! {
    /// A citizen's national ID (کد ملی): ten digits of which the last one checks the others.
    NationalId, national::canonical
}

identifier! {
    /// The national ID of a legal entity (شناسه ملی): eleven digits, the last one a check.
    LegalId, legal::canonical
}

identifier! {
    /// A postal code (کد پستی): ten digits, no 0 and no 2 among the first five.
    PostalCode, plain::postal_code
}

identifier! {
    /// A mobile number, canonical as `+98` and ten digits of which the first is 9.
    Mobile, mobile::canonical
}

identifier! {
    /// A bank account's IBAN (شبا): `IR` and 24 digits whose remainder checks the whole.
    Iban, iban::canonical
}

identifier! {
    /// The identifier of a foreign national (شناسه فراگیر): twelve digits.
    ForeignNationalId, plain::foreign_national_id
}

identifier! {
    /// The code of a service card (شناسنامه خدمت): eleven digits that mean nothing by themselves,
    /// leading zeros included. Not [`crate::id::ServiceCode`], which is part of an address.
    ServiceCardCode, plain::service_card_code
}

impl NationalId {
    /// Completes nine digits with their check digit; `None` if that makes ten equal digits.
    ///
    /// # Panics
    ///
    /// If one of `nine` is above 9.
    pub fn complete(nine: [u8; 9]) -> Option<Self> {
        national::complete(nine).map(|text| Self(text.into()))
    }
}

impl LegalId {
    /// Completes ten digits with their check digit.
    ///
    /// # Panics
    ///
    /// If one of `ten` is above 9.
    pub fn complete(ten: [u8; 10]) -> Self {
        Self(legal::complete(ten).into())
    }
}

impl Iban {
    /// Completes the 22 digits of bank and account with the two that check them.
    ///
    /// # Panics
    ///
    /// If one of `account` is above 9.
    pub fn complete(account: [u8; 22]) -> Self {
        Self(iban::complete(account).into())
    }
}

/// The identifier of a person that `text` has the form of, if it has one; hyphens and the like
/// between its digits hide nothing.
///
/// For fields that must not carry such an identifier. Some other numbers have that form too: one in
/// eleven of ten digits, and all of twelve. Who needs a number there puts a letter before it.
pub fn personal(text: &str) -> Option<Kind> {
    let separates = |letter: &char| matches!(letter, ' ' | '-' | '.' | '/' | '_');
    let text: String = text.chars().filter(|letter| !separates(letter)).collect();
    let is = |kind, found: bool| found.then_some(kind);
    is(Kind::NationalId, text.parse::<NationalId>().is_ok())
        .or_else(|| is(Kind::Mobile, text.parse::<Mobile>().is_ok()))
        .or_else(|| is(Kind::ForeignNationalId, text.parse::<ForeignNationalId>().is_ok()))
        .or_else(|| is(Kind::Iban, text.parse::<Iban>().is_ok()))
}

/// Why a text is not the identifier that it should be. No sentence repeats anything of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidIdentifier {
    #[error("{kind} has {want} digits, and there are {found}")]
    Length { kind: Kind, want: usize, found: usize },
    /// Places count from 1, as people do.
    #[error("{kind} is made of digits, and place {place} holds something else")]
    Character { kind: Kind, place: usize },
    #[error("the check digit of {kind} does not fit the others; please check what was typed")]
    CheckDigit { kind: Kind },
    #[error("ten equal digits are not a national ID")]
    EqualDigits,
    #[error("the first five digits of a postal code hold neither 0 nor 2")]
    District,
    #[error("an IBAN begins with IR")]
    Country,
    #[error("a mobile number is 9 and nine digits, after +98, 0098, 98, 0 or nothing")]
    MobilePrefix,
}

/// The kinds of identifiers, to speak of one without showing it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    NationalId,
    LegalId,
    PostalCode,
    Mobile,
    Iban,
    ForeignNationalId,
    ServiceCardCode,
}

impl fmt::Display for Kind {
    /// Shows it as a noun with its article.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NationalId => "a national ID",
            Self::LegalId => "a legal entity's ID",
            Self::PostalCode => "a postal code",
            Self::Mobile => "a mobile number",
            Self::Iban => "an IBAN",
            Self::ForeignNationalId => "a foreign national's ID",
            Self::ServiceCardCode => "a service card's code",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` with the digits of a Persian and of an Arabic keyboard too.
    fn is_read<T>(text: &str, show: fn(&T) -> &str) -> bool
    where
        T: FromStr<Err = InvalidIdentifier>,
    {
        ['0', '۰', '٠'].into_iter().all(|zero| {
            let typed = text.chars().map(|letter| match letter.to_digit(10) {
                Some(digit) => char::from_u32(u32::from(zero) + digit).expect("it is a digit"),
                None => letter,
            });
            let read = typed.collect::<String>().parse::<T>();
            read.is_ok_and(|value| show(&value) == text)
        })
    }

    #[test]
    fn every_type_reads_the_digits_of_all_keyboards() {
        assert!(is_read("0012345679", NationalId::as_str));
        assert!(is_read("10380284790", LegalId::as_str));
        assert!(is_read("1345678902", PostalCode::as_str));
        assert!(is_read("+989123456789", Mobile::as_str));
        assert!(is_read("IR062960000000100324200001", Iban::as_str));
        assert!(is_read("100000000001", ForeignNationalId::as_str));
        assert!(is_read("00012345678", ServiceCardCode::as_str));
    }

    #[test]
    fn debug_and_errors_hide_the_digits() {
        let id: NationalId = "0012345679".parse().unwrap();
        let iban: Iban = "IR062960000000100324200001".parse().unwrap();
        assert_eq!(format!("{id:?} {iban:?}"), "NationalId(..) Iban(..)");
        let texts =
            ["0012345678", "98765", "00123x5679", "1111111111", "IR000000000000000000000000"];
        for text in texts {
            for error in [
                text.parse::<NationalId>().err(),
                text.parse::<LegalId>().err(),
                text.parse::<Mobile>().err(),
                text.parse::<Iban>().err(),
            ] {
                let told = error.map(|error| format!("{error} {error:?}"));
                assert!(told.is_none_or(|told| !told.contains(text)), "{text}");
            }
        }
    }

    #[test]
    fn a_persons_identifier_is_known_in_every_dress() {
        #[rustfmt::skip]
        let cases = [
            // Text                         Want
            ("0012345679",                  Some(Kind::NationalId)),
            ("۰۰۱۲۳۴۵۶۷۹",                  Some(Kind::NationalId)),
            ("001-234567-9",                Some(Kind::NationalId)),
            ("09123456789",                 Some(Kind::Mobile)),
            ("+98 912 345 6789",            Some(Kind::Mobile)),
            ("100000000001",                Some(Kind::ForeignNationalId)),
            ("IR06-2960-0000-0010-0324-2000-01", Some(Kind::Iban)),
            ("0012345678",                  None),
            ("clerk-17",                    None),
            ("c0012345679",                 None),
            ("6f1ed002-ab5b-41d5-8c0e-123456789012", None),
            ("",                            None),
        ];
        for (text, want) in cases {
            assert_eq!(personal(text), want, "{text}");
        }
    }

    #[test]
    fn sentences_say_what_to_check() {
        let cases = [
            ("123", "a national ID has 10 digits, and there are 3"),
            ("00123x5679", "a national ID is made of digits, and place 6 holds something else"),
            (
                "0012345678",
                "the check digit of a national ID does not fit the others; \
                 please check what was typed",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<NationalId>().unwrap_err().to_string(), want);
        }
    }
}
