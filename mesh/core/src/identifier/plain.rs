//! Rules of identifiers that have no check digit: how many digits, and for some which.

use super::text::{ascii, digits};
use super::{InvalidIdentifier, Kind};

pub(super) fn postal_code(text: &str) -> Result<String, InvalidIdentifier> {
    let digits: [u8; 10] = digits(Kind::PostalCode, text)?;
    if digits[..5].iter().any(|digit| matches!(digit, 0 | 2)) {
        return Err(InvalidIdentifier::District);
    }
    Ok(ascii(&digits))
}

pub(super) fn foreign_national_id(text: &str) -> Result<String, InvalidIdentifier> {
    digits::<12>(Kind::ForeignNationalId, text).map(|digits| ascii(&digits))
}

pub(super) fn service_card_code(text: &str) -> Result<String, InvalidIdentifier> {
    digits::<11>(Kind::ServiceCardCode, text).map(|digits| ascii(&digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidIdentifier::{Character, District, Length};

    #[test]
    fn parses_postal_codes() {
        let kind = Kind::PostalCode;
        let length = |found| Err(Length { kind, want: 10, found });
        #[rustfmt::skip]
        let cases = [
            // Why                     Text           Want
            ("a plain one",            "1345678902",  Ok("1345678902")),
            ("Persian digits",         "۱۳۴۵۶۷۸۹۰۲",  Ok("1345678902")),
            ("0 in the first five",    "1305678901",  Err(District)),
            ("2 in the first five",    "1342578901",  Err(District)),
            ("2 at the fifth",         "1345278901",  Err(District)),
            ("Persian 0 at the first", "۰345178901",  Err(District)),
            ("0 and 2 after the five", "1345602020",  Ok("1345602020")),
            ("nine digits",            "134567890",   length(9)),
            ("as printed",             "13456-78902", Err(Character { kind, place: 6 })),
        ];
        for (why, text, want) in cases {
            assert_eq!(postal_code(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }

    #[test]
    fn parses_foreign_nationals_ids() {
        let kind = Kind::ForeignNationalId;
        let length = |found| Err(Length { kind, want: 12, found });
        #[rustfmt::skip]
        let cases = [
            ("a plain one",    "100000000001",  Ok("100000000001")),
            ("Persian digits", "۱۰۰۰۰۰۰۰۰۰۰۱",  Ok("100000000001")),
            ("equal digits",   "000000000000",  Ok("000000000000")),
            ("eleven digits",  "10000000001",   length(11)),
            ("thirteen",       "1000000000011", length(13)),
            ("a letter",       "10000000000x",  Err(Character { kind, place: 12 })),
        ];
        for (why, text, want) in cases {
            assert_eq!(foreign_national_id(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }

    #[test]
    fn parses_service_card_codes() {
        let kind = Kind::ServiceCardCode;
        let length = |found| Err(Length { kind, want: 11, found });
        #[rustfmt::skip]
        let cases = [
            ("a plain one",          "16031234000",  Ok("16031234000")),
            ("leading zeros stay",   "00012345678",  Ok("00012345678")),
            ("and have to be there", "12345678",     length(8)),
            ("Arabic digits",        "٠٠٠١٢٣٤٥٦٧٨",  Ok("00012345678")),
            ("a point",              "1603123400.",  Err(Character { kind, place: 11 })),
        ];
        for (why, text, want) in cases {
            assert_eq!(service_card_code(text).as_deref(), want.as_ref().copied(), "{why}");
        }
    }
}
