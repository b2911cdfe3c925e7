//! The rule of the IBAN: `IR`, two digits that check, and 22 of bank and account.

use super::text::{ascii, digits};
use super::{InvalidIdentifier, Kind};

const KIND: Kind = Kind::Iban;

/// `IR` as ISO 13616 turns letters into numbers: I is 18, R is 27.
const COUNTRY: [u8; 4] = [1, 8, 2, 7];

/// The letters in either case; the canonical form has capitals. A printed IBAN has spaces, and is
/// another form: it is not taken here.
pub(super) fn canonical(text: &str) -> Result<String, InvalidIdentifier> {
    let is_country = |start: &str| start.eq_ignore_ascii_case("IR");
    let (_, rest) = text
        .split_at_checked(2)
        .filter(|(start, _)| is_country(start))
        .ok_or(InvalidIdentifier::Country)?;
    let digits: [u8; 24] = digits(KIND, rest)?;
    let (check, account) = digits.split_at(2);
    if remainder(account, check) != 1 {
        return Err(InvalidIdentifier::CheckDigit { kind: KIND });
    }
    Ok(format!("IR{}", ascii(&digits)))
}

pub(super) fn complete(account: [u8; 22]) -> String {
    let check = 98 - remainder(&account, &[0, 0]);
    format!("IR{check:02}{}", ascii(&account))
}

/// ISO 7064 mod 97-10, over the account, then the country, then the two check digits.
fn remainder(account: &[u8], check: &[u8]) -> u32 {
    let digits = account.iter().chain(&COUNTRY).chain(check);
    digits.fold(0, |rest, digit| (rest * 10 + u32::from(*digit)) % 97)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "IR062960000000100324200001";

    #[test]
    fn parses() {
        use InvalidIdentifier::{Character, CheckDigit, Country, Length};
        let check = || Err(CheckDigit { kind: KIND });
        let length = |found| Err(Length { kind: KIND, want: 24, found });
        #[rustfmt::skip]
        let cases = [
            // Why                     Text                          Want
            ("a published example",    VALID,                        Ok(VALID)),
            ("its last digit changed", "IR062960000000100324200002", check()),
            ("small letters",          "ir062960000000100324200001", Ok(VALID)),
            ("Persian digits",         "IR۰۶۲۹۶۰۰۰۰۰۰۰۱۰۰۳۲۴۲۰۰۰۰۱", Ok(VALID)),
            ("another country",        "DE062960000000100324200001", Err(Country)),
            ("digits alone",           "062960000000100324200001",   Err(Country)),
            ("nothing",                "",                           Err(Country)),
            ("one Persian letter",     "آ",                          Err(Country)),
            ("three bytes of two",     "Iآ",                         Err(Country)),
            ("a digit short",          "IR06296000000010032420000",  length(23)),
            ("as printed",             "IR06 2960 0000 0010 0324 2000 01",
                Err(Character { kind: KIND, place: 3 })),
        ];
        for (why, text, want) in cases {
            assert_eq!(canonical(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }

    /// Modulo 97 finds every wrong digit and every two neighbours exchanged.
    #[test]
    fn finds_every_slip_of_one_digit() {
        for place in 2..VALID.len() {
            for digit in '0'..='9' {
                let mut text: Vec<char> = VALID.chars().collect();
                text[place] = digit;
                let text: String = text.into_iter().collect();
                assert_eq!(canonical(&text).is_ok(), text == VALID, "{text}");
            }
            let mut text: Vec<char> = VALID.chars().collect();
            if place + 1 < text.len() {
                text.swap(place, place + 1);
            }
            let text: String = text.into_iter().collect();
            assert_eq!(canonical(&text).is_ok(), text == VALID, "{text}");
        }
    }

    #[test]
    fn completes_what_it_would_accept() {
        for number in (0..1_000_000_000_000_u64).step_by(99_999_989) {
            let account = digits(KIND, &format!("{number:022}")).expect("the format has 22 digits");
            let text = complete(account);
            assert_eq!(canonical(&text).as_ref(), Ok(&text));
        }
    }
}
