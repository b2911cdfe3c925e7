//! Texts that people write for people: not empty, bounded, on one line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Declares one kind of text. They differ in name and bound; [`sentence`] is the rule for all.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $bytes_max:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $name(Box<str>);

            impl $name {
                /// Longest text of the kind, in bytes of UTF-8.
                pub const BYTES_MAX: usize = $bytes_max;

                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl FromStr for $name {
                type Err = TextError;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    sentence($kind, text, Self::BYTES_MAX).map(|()| Self(text.into()))
                }
            }

            impl TryFrom<String> for $name {
                type Error = TextError;

                fn try_from(text: String) -> Result<Self, Self::Error> {
                    text.parse()
                }
            }

            impl From<$name> for String {
                fn from(text: $name) -> Self {
                    text.0.into()
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )*
    };
}

texts! {
    /// What something is called, on a card or in a list.
    Title, "title", 200;
    /// A sentence in English that callers read.
    NoticeEn, "notice in English", 300;
    /// The same in Persian, whose letters take two bytes each.
    NoticeFa, "notice in Persian", 500;
    /// The decision of a council or a clause of a law, as records cite it.
    Citation, "reference", 200;
    /// A telephone number or an e-mail address, as people write it.
    Reach, "contact", 100;
}

/// Text that is not fit to be shown, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TextError {
    #[error("{kind} is {length} bytes long, want 1 to {limit}")]
    Length { kind: &'static str, length: usize, limit: usize },
    #[error("{kind} begins or ends with a space")]
    Edge { kind: &'static str },
    #[error("{kind} has a control character or a line break")]
    Control { kind: &'static str },
}

/// Checks a text that is shown on one line. What could steer a terminal or turn the order of the
/// text around it is not let in.
fn sentence(kind: &'static str, text: &str, limit: usize) -> Result<(), TextError> {
    let length = text.len();
    if !(1..=limit).contains(&length) {
        return Err(TextError::Length { kind, length, limit });
    }
    if text.trim() != text {
        return Err(TextError::Edge { kind });
    }
    // U+200C, which Persian needs, is none of these.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| matches!(c, '\u{2028}' | '\u{2029}');
    if text.chars().any(|c| c.is_control() || turns(c) || breaks(c)) {
        return Err(TextError::Control { kind });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_sentences_and_nothing_that_hides_in_them() {
        let long = "ن".repeat(251);
        #[rustfmt::skip]
        let cases: &[(&str, bool)] = &[
            ("سامانه به‌روز می‌شود", true),
            ("back at eight",       true),
            ("",                    false),
            (" back",               false),
            ("back ",               false),
            ("two\nlines",          false),
            ("two\u{2028}lines",    false),
            ("red \u{1b}[31m",      false),
            ("turned \u{202e}dnuora", false),
            (&long,                 false),
        ];
        for (text, fits) in cases {
            assert_eq!(text.parse::<NoticeFa>().is_ok(), *fits, "{text:?}");
        }
        assert_eq!(
            long.parse::<NoticeFa>().unwrap_err().to_string(),
            "notice in Persian is 502 bytes long, want 1 to 500"
        );
    }
}
