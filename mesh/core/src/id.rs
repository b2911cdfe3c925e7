//! Typed identifiers: text is checked once, where it enters, and never again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest identifier, in bytes. Equals a DNS label (RFC 1035 §2.3.4), so that each can be the
/// other.
pub const ID_BYTES_MAX: usize = 63;

/// Declares one identifier type. They differ in name and in the rule that reads their text.
macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The text, known to be well formed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $rule($kind, text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

typed_id! {
    /// Names one mesh, such as `ir`: X-Road's INSTANCE.
    MeshId, "mesh id", label
}

typed_id! {
    /// Names one cluster of the federation, such as `health`, and none of [`RESERVED`].
    ClusterId, "cluster id", cluster_label
}

typed_id! {
    /// The legal form of an agency, such as `gov` or `com`: X-Road's MEMBER CLASS.
    ClassId, "class", label
}

typed_id! {
    /// The part of an agency's address below its class: X-Road's MEMBER CODE.
    AgencyCode, "agency code", label
}

typed_id! {
    /// The part of a system's address below its agency: X-Road's SUBSYSTEM.
    SystemCode, "system code", label
}

typed_id! {
    /// Names one service of a system, without its version, such as `tax-debt`.
    ServiceCode, "service code", label
}

typed_id! {
    /// Names one declared operation of a service, such as `getPerson`: OpenAPI's operationId.
    OperationId, "operation id", word
}

typed_id! {
    /// Names the purpose for which data is asked, such as `licence-issue`.
    PurposeId, "purpose", label
}

typed_id! {
    /// Names one operator, as the certificate of that operator does.
    OperatorId, "operator", label
}

typed_id! {
    /// Names one officer of an office; no identifier of a person.
    OfficerId, "officer", label
}

/// Names below the mesh domain that are no clusters, see [`crate::node::NodeName`].
pub const RESERVED: [&str; 4] = ["centre", "edge", "members", "operators"];

/// Text that is not an identifier, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseIdError {
    #[error("{kind} is {length} bytes long, want 1 to {ID_BYTES_MAX}")]
    Length { kind: &'static str, length: usize },
    #[error("{kind} has {found:?} at byte {at}, want {want}")]
    Character { kind: &'static str, found: char, at: usize, want: &'static str },
    #[error("{kind} {text:?} is a reserved name")]
    Reserved { kind: &'static str, text: String },
}

/// Checks a DNS label in lower case: `a-z`, `0-9`, and `-` inside.
fn label(kind: &'static str, text: &str) -> Result<(), ParseIdError> {
    let length = text.len();
    let want = "a-z, 0-9 or an inner '-'";
    spelled(kind, text, want, |at, found| {
        let inner = 0 < at && at + 1 < length;
        matches!(found, 'a'..='z' | '0'..='9') || (found == '-' && inner)
    })
}

fn cluster_label(kind: &'static str, text: &str) -> Result<(), ParseIdError> {
    label(kind, text)?;
    if RESERVED.contains(&text) {
        return Err(ParseIdError::Reserved { kind, text: text.into() });
    }
    Ok(())
}

/// Checks a programmer's word: a letter, then letters, digits and `_`.
fn word(kind: &'static str, text: &str) -> Result<(), ParseIdError> {
    spelled(kind, text, "a letter, then letters, digits or '_'", |at, found| {
        found.is_ascii_alphabetic() || (0 < at && (found.is_ascii_digit() || found == '_'))
    })
}

fn spelled(
    kind: &'static str,
    text: &str,
    want: &'static str,
    allowed: impl Fn(usize, char) -> bool,
) -> Result<(), ParseIdError> {
    let length = text.len();
    if !(1..=ID_BYTES_MAX).contains(&length) {
        return Err(ParseIdError::Length { kind, length });
    }
    match text.char_indices().find(|&(at, found)| !allowed(at, found)) {
        Some((at, found)) => Err(ParseIdError::Character { kind, found, at, want }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_labels_and_words() {
        let long = "x".repeat(64);
        #[rustfmt::skip]
        let cases: &[(&str, bool, bool)] = &[
            // Text          Label  Word
            ("health",       true,  true),
            ("tax-debt",     true,  false),
            ("-tax",         false, false),
            ("tax-",         false, false),
            ("9th",          true,  false),
            ("getPerson",    false, true),
            ("get_person2",  false, true),
            ("_get",         false, false),
            ("",             false, false),
            ("سلامت",        false, false),
            ("a.b",          false, false),
            ("a/b",          false, false),
            (&long,          false, false),
        ];
        for (text, is_label, is_word) in cases {
            assert_eq!(text.parse::<ServiceCode>().is_ok(), *is_label, "label {text:?}");
            assert_eq!(text.parse::<OperationId>().is_ok(), *is_word, "word {text:?}");
        }
    }

    #[test]
    fn a_cluster_takes_no_reserved_name() {
        for name in RESERVED {
            let want = ParseIdError::Reserved { kind: "cluster id", text: name.into() };
            assert_eq!(name.parse::<ClusterId>(), Err(want));
        }
    }
}
