//! The rule of the national ID: nine digits, and one that checks them by a remainder of 11.

use super::text::{ascii, digits};
use super::{InvalidIdentifier, Kind};

const KIND: Kind = Kind::NationalId;

pub(super) fn canonical(text: &str) -> Result<String, InvalidIdentifier> {
    let digits: [u8; 10] = digits(KIND, text)?;
    if all_equal(&digits) {
        return Err(InvalidIdentifier::EqualDigits);
    }
    if digits[9] != check_digit(&digits[..9]) {
        return Err(InvalidIdentifier::CheckDigit { kind: KIND });
    }
    Ok(ascii(&digits))
}

pub(super) fn complete(nine: [u8; 9]) -> Option<String> {
    let mut digits = [check_digit(&nine); 10];
    digits[..9].copy_from_slice(&nine);
    (!all_equal(&digits)).then(|| ascii(&digits))
}

fn check_digit(nine: &[u8]) -> u8 {
    let sum: u32 = nine.iter().zip((2..=10).rev()).map(|(digit, w)| u32::from(*digit) * w).sum();
    let rest = (sum % 11) as u8;
    if rest < 2 { rest } else { 11 - rest }
}

fn all_equal(digits: &[u8; 10]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        use InvalidIdentifier::{Character, CheckDigit, EqualDigits, Length};
        let check = || Err(CheckDigit { kind: KIND });
        let length = |found| Err(Length { kind: KIND, want: 10, found });
        let character = |place| Err(Character { kind: KIND, place });
        #[rustfmt::skip]
        let cases = [
            // Why                     Text            Want
            ("the rule's own example", "0012345679",   Ok("0012345679")),
            ("its last digit changed", "0012345678",   check()),
            ("Persian digits",         "۰۰۱۲۳۴۵۶۷۹",   Ok("0012345679")),
            ("Arabic digits",          "٠٠١٢٣٤٥٦٧٩",   Ok("0012345679")),
            ("three scripts at once",  "00۱۲۳۴٥٦٧٩",   Ok("0012345679")),
            ("rest 0 is digit 0",      "0000000140",   Ok("0000000140")),
            ("rest 1 is digit 1",      "0000000061",   Ok("0000000061")),
            ("rest 10 is digit 1 too", "1000000001",   Ok("1000000001")),
            ("two digits exchanged",   "0102345679",   check()),
            ("ten zeros",              "0000000000",   Err(EqualDigits)),
            ("ten ones fit the check", "1111111111",   Err(EqualDigits)),
            ("ten Persian nines",      "۹۹۹۹۹۹۹۹۹۹",   Err(EqualDigits)),
            ("nine digits",            "001234567",    length(9)),
            ("eleven digits",          "00123456790",  length(11)),
            ("no digits",              "",             length(0)),
            ("a letter",               "00123x5679",   character(6)),
            ("space around",           " 0012345679",  character(1)),
            ("hyphens",                "001-234567-9", character(4)),
            ("another script",         "００12345679", character(1)),
            ("a sign",                 "+012345679",   character(1)),
        ];
        for (why, text, want) in cases {
            assert_eq!(canonical(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }

    /// Nine digits admit exactly one tenth, and `complete` finds it for both halves of the rule.
    #[test]
    fn completes_what_it_would_accept() {
        for number in 0..20_000_u32 {
            let text = format!("{number:09}");
            let nine = digits(KIND, &text).expect("the format has nine digits");
            let accepted: Vec<_> =
                (0..10).filter_map(|last| canonical(&format!("{text}{last}")).ok()).collect();
            assert_eq!(accepted, complete(nine).into_iter().collect::<Vec<_>>());
        }
        assert_eq!(complete([1; 9]), None);
    }
}
