//! The rule of mobile numbers: ten digits behind whichever prefix the writer is used to.

use super::text::{ascii, digits, normal_text};
use super::{InvalidIdentifier, Kind};

const KIND: Kind = Kind::Mobile;

/// Digits of a number inside the country, without the 0 that is dialled before them.
const DIGITS: usize = 10;

/// How a number may begin before its ten digits: from abroad, from here, or not at all.
const PREFIXES: [&str; 5] = ["+98", "0098", "98", "0", ""];

pub(super) fn canonical(text: &str) -> Result<String, InvalidIdentifier> {
    let text = normal_text(text);
    // By length and not by what it begins with: a number may itself begin with 98.
    let at = text.len().saturating_sub(DIGITS);
    let (prefix, number) = text.split_at_checked(at).ok_or(InvalidIdentifier::MobilePrefix)?;
    if !PREFIXES.contains(&prefix) {
        return Err(InvalidIdentifier::MobilePrefix);
    }
    let digits: [u8; DIGITS] = digits(KIND, number).map_err(|error| match error {
        InvalidIdentifier::Character { kind, place } => {
            InvalidIdentifier::Character { kind, place: prefix.len() + place }
        }
        other => other,
    })?;
    if digits[0] != 9 {
        return Err(InvalidIdentifier::MobilePrefix);
    }
    Ok(format!("+98{}", ascii(&digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        use InvalidIdentifier::{Character, Length, MobilePrefix};
        let ok = || Ok("+989123456789");
        let length = |found| Err(Length { kind: KIND, want: 10, found });
        let character = |place| Err(Character { kind: KIND, place });
        #[rustfmt::skip]
        let cases = [
            // Why                        Text              Want
            ("canonical",                 "+989123456789",  ok()),
            ("dialled from abroad",       "00989123456789", ok()),
            ("without the plus",          "989123456789",   ok()),
            ("dialled from here",         "09123456789",    ok()),
            ("nothing in front",          "9123456789",     ok()),
            ("Persian digits",            "۰۹۱۲۳۴۵۶۷۸۹",    ok()),
            ("Arabic digits and a plus",  "+٩٨٩١٢٣٤٥٦٧٨٩",  ok()),
            ("begins with 98 by itself",  "9812345678",     Ok("+989812345678")),
            ("and so from here",          "09812345678",    Ok("+989812345678")),
            ("a line that is not mobile", "+982123456789",  Err(MobilePrefix)),
            ("another country",           "+499123456789",  Err(MobilePrefix)),
            ("a plus alone",              "+9123456789",    Err(MobilePrefix)),
            ("both 0 and +98",            "+9809123456789", Err(MobilePrefix)),
            ("too short",                 "912345678",      length(9)),
            ("too long",                  "91234567890",    Err(MobilePrefix)),
            ("nothing",                   "",               length(0)),
            ("a prefix alone",            "+98",            character(1)),
            ("a letter inside",           "0912345x789",    character(8)),
            ("letters cut in two",        "سسسسسa",         Err(MobilePrefix)),
            ("spaces",                    "0912 345 6789",  Err(MobilePrefix)),
        ];
        for (why, text, want) in cases {
            assert_eq!(canonical(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }
}
