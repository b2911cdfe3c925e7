//! The rule of the legal entity's ID: ten digits, and one that checks them.

use super::text::{ascii, digits};
use super::{InvalidIdentifier, Kind};

const KIND: Kind = Kind::LegalId;

/// The weights of the first five digits, and again of the next five.
const WEIGHTS: [u32; 5] = [29, 27, 23, 19, 17];

pub(super) fn canonical(text: &str) -> Result<String, InvalidIdentifier> {
    let digits: [u8; 11] = digits(KIND, text)?;
    if digits[10] != check_digit(&digits[..10]) {
        return Err(InvalidIdentifier::CheckDigit { kind: KIND });
    }
    Ok(ascii(&digits))
}

pub(super) fn complete(ten: [u8; 10]) -> String {
    let mut digits = [check_digit(&ten); 11];
    digits[..10].copy_from_slice(&ten);
    ascii(&digits)
}

/// Every digit is raised by the tenth digit and 2 before it is weighed.
fn check_digit(ten: &[u8]) -> u8 {
    let raise = u32::from(ten[9]) + 2;
    let weights = WEIGHTS.iter().cycle();
    let sum: u32 = ten.iter().zip(weights).map(|(digit, w)| (u32::from(*digit) + raise) * w).sum();
    match sum % 11 {
        10 => 0,
        rest => rest as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        use InvalidIdentifier::{Character, CheckDigit, Length};
        let check = || Err(CheckDigit { kind: KIND });
        let length = |found| Err(Length { kind: KIND, want: 11, found });
        #[rustfmt::skip]
        let cases = [
            // Why                     Text             Want
            ("the rule's own example", "10380284790",   Ok("10380284790")),
            ("its last digit changed", "10380284791",   check()),
            ("Persian digits",         "۱۰۳۸۰۲۸۴۷۹۰",   Ok("10380284790")),
            ("Arabic digits",          "١٠٣٨٠٢٨٤٧٩٠",   Ok("10380284790")),
            ("rest 10 is digit 0",     "00000000090",   Ok("00000000090")),
            ("rest 9 is digit 9",      "00000000009",   Ok("00000000009")),
            ("leading zeros count",    "380284790",     length(9)),
            ("eleven zeros",           "00000000000",   check()),
            ("a national ID",          "0012345679",    length(10)),
            ("twelve digits",          "103802847900",  length(12)),
            ("nothing",                "",              length(0)),
            ("space at the end",       "10380284790 ",  Err(Character { kind: KIND, place: 12 })),
        ];
        for (why, text, want) in cases {
            assert_eq!(canonical(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }

    #[test]
    fn completes_what_it_would_accept() {
        for number in (0..10_000_000_000_u64).step_by(999_983) {
            let text = format!("{number:010}");
            let ten = digits(KIND, &text).expect("the format has ten digits");
            let accepted: Vec<_> =
                (0..10).filter_map(|last| canonical(&format!("{text}{last}")).ok()).collect();
            assert_eq!(accepted, [complete(ten)]);
        }
    }
}
