//! Identifiers as the register keeps them: normalised, checked once, and never shown by `Debug`.

use std::fmt;
use std::str::FromStr;

/// A national ID: ten ASCII digits of which the last one checks the others.
///
/// It has no `Display`, so that it enters an answer on purpose and a log line never.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NationalId(String);

impl NationalId {
    /// The ten digits, known to be valid.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Completes nine digits with their check digit; `None` if that makes ten equal digits.
    pub(crate) fn complete(nine: [u8; 9]) -> Option<Self> {
        let mut digits = [check_digit(&nine); 10];
        digits[..9].copy_from_slice(&nine);
        (!all_equal(&digits)).then(|| Self(ascii(&digits)))
    }
}

impl FromStr for NationalId {
    type Err = InvalidNationalId;

    /// Takes Persian and Arabic digits for the ASCII digits they mean.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = ten_digits(text).ok_or(InvalidNationalId::Digits)?;
        if all_equal(&digits) {
            return Err(InvalidNationalId::Equal);
        }
        if digits[9] != check_digit(&digits[..9]) {
            return Err(InvalidNationalId::CheckDigit);
        }
        Ok(Self(ascii(&digits)))
    }
}

impl fmt::Debug for NationalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NationalId(..)")
    }
}

/// Why a text is not a national ID. The sentences never repeat the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidNationalId {
    #[error("a national ID has exactly ten digits")]
    Digits,
    #[error("ten equal digits are not a national ID")]
    Equal,
    #[error("the last digit of this national ID does not fit the other nine; please check it")]
    CheckDigit,
}

/// A postal code: ten ASCII digits, no 0 and no 2 among the first five.
#[derive(Clone, Eq, PartialEq)]
pub struct PostalCode(String);

impl PostalCode {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PostalCode {
    type Err = InvalidPostalCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = ten_digits(text).ok_or(InvalidPostalCode::Digits)?;
        if digits[..5].iter().any(|digit| matches!(digit, 0 | 2)) {
            return Err(InvalidPostalCode::District);
        }
        Ok(Self(ascii(&digits)))
    }
}

impl TryFrom<[u8; 10]> for PostalCode {
    type Error = InvalidPostalCode;

    fn try_from(digits: [u8; 10]) -> Result<Self, Self::Error> {
        ascii(&digits).parse()
    }
}

impl fmt::Debug for PostalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostalCode(..)")
    }
}

/// Why a text is not a postal code. The sentences never repeat the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPostalCode {
    #[error("a postal code has exactly ten digits")]
    Digits,
    #[error("the first five digits of a postal code hold neither 0 nor 2")]
    District,
}

/// A name in the letters that the register uses: Arabic yeh and kaf become the Persian ones, and
/// space around the name goes.
pub(crate) fn normal_name(text: &str) -> String {
    let persian = |letter| match letter {
        'ي' => 'ی',
        'ك' => 'ک',
        other => other,
    };
    text.trim().chars().map(persian).collect()
}

fn check_digit(nine: &[u8]) -> u8 {
    let sum: u32 = nine.iter().zip((2..=10).rev()).map(|(digit, w)| u32::from(*digit) * w).sum();
    let rest = (sum % 11) as u8;
    if rest < 2 { rest } else { 11 - rest }
}

fn all_equal(digits: &[u8; 10]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

fn ten_digits(text: &str) -> Option<[u8; 10]> {
    let mut letters = text.chars();
    let mut digits = [0; 10];
    for digit in &mut digits {
        *digit = digit_value(letters.next()?)?;
    }
    letters.next().is_none().then_some(digits)
}

fn digit_value(letter: char) -> Option<u8> {
    let zero = match letter {
        '0'..='9' => '0',
        '۰'..='۹' => '۰',
        '٠'..='٩' => '٠',
        _ => return None,
    };
    u8::try_from(u32::from(letter) - u32::from(zero)).ok()
}

fn ascii(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_national_ids() {
        use InvalidNationalId::{CheckDigit, Digits, Equal};
        #[rustfmt::skip]
        let cases: &[(&str, &str, Result<&str, InvalidNationalId>)] = &[
            // Why                     Text            Want
            ("the rule's own example", "0012345679",   Ok("0012345679")),
            ("its last digit changed", "0012345678",   Err(CheckDigit)),
            ("Persian digits",         "۰۰۱۲۳۴۵۶۷۹",   Ok("0012345679")),
            ("Arabic digits",          "٠٠١٢٣٤٥٦٧٩",   Ok("0012345679")),
            ("three scripts at once",  "00۱۲۳۴٥٦٧٩",   Ok("0012345679")),
            ("rest 0 is digit 0",      "0000000140",   Ok("0000000140")),
            ("rest 1 is digit 1",      "0000000061",   Ok("0000000061")),
            ("rest 10 is digit 1 too", "1000000001",   Ok("1000000001")),
            ("two digits exchanged",   "0102345679",   Err(CheckDigit)),
            ("ten zeros",              "0000000000",   Err(Equal)),
            ("ten ones fit the check", "1111111111",   Err(Equal)),
            ("nine digits",            "001234567",    Err(Digits)),
            ("eleven digits",          "00123456790",  Err(Digits)),
            ("no digits",              "",             Err(Digits)),
            ("a letter",               "00123x5679",   Err(Digits)),
            ("space around",           " 0012345679",  Err(Digits)),
            ("another script",         "００12345679", Err(Digits)),
        ];
        for (why, text, want) in cases {
            let found = text.parse::<NationalId>();
            let found = found.as_ref().map(NationalId::as_str).map_err(|error| *error);
            assert_eq!(found, *want, "{why}");
        }
    }

    /// Nine digits admit exactly one tenth, and `complete` finds it for both halves of the rule.
    #[test]
    fn completes_what_it_would_accept() {
        for number in 0..20_000_u32 {
            let text = format!("{number:09}");
            let nine: [u8; 9] = text.bytes().map(|byte| byte - b'0').collect::<Vec<_>>()[..]
                .try_into()
                .expect("the format has nine digits");
            let accepted: Vec<_> = (0..10)
                .filter_map(|last| format!("{text}{last}").parse::<NationalId>().ok())
                .collect();
            assert_eq!(accepted, NationalId::complete(nine).into_iter().collect::<Vec<_>>());
        }
        assert_eq!(NationalId::complete([1; 9]), None);
    }

    #[test]
    fn parses_postal_codes() {
        use InvalidPostalCode::{Digits, District};
        #[rustfmt::skip]
        let cases: &[(&str, &str, Result<&str, InvalidPostalCode>)] = &[
            ("a plain one",            "1345678902", Ok("1345678902")),
            ("Persian digits",         "۱۳۴۵۶۷۸۹۰۲", Ok("1345678902")),
            ("0 in the first five",    "1305678901", Err(District)),
            ("2 in the first five",    "1342578901", Err(District)),
            ("2 at the fifth",         "1345278901", Err(District)),
            ("0 and 2 after the five", "1345602020", Ok("1345602020")),
            ("nine digits",            "134567890",  Err(Digits)),
        ];
        for (why, text, want) in cases {
            let found = text.parse::<PostalCode>();
            let found = found.as_ref().map(PostalCode::as_str).map_err(|error| *error);
            assert_eq!(found, *want, "{why}");
        }
    }

    #[test]
    fn normalises_names() {
        assert_eq!(normal_name(" علي "), "علی");
        assert_eq!(normal_name("اكبري"), "اکبری");
        assert_eq!(normal_name("ژاله پاک‌نژاد"), "ژاله پاک‌نژاد");
    }

    #[test]
    fn debug_hides_the_digits() {
        let id: NationalId = "0012345679".parse().unwrap();
        let code: PostalCode = "1345678902".parse().unwrap();
        assert_eq!(format!("{id:?} {code:?}"), "NationalId(..) PostalCode(..)");
    }
}
