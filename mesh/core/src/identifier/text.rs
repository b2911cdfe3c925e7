//! Text as Persian readers mean it: one set of digits, one yeh and kaf, and names that are the same
//! however they are typed.

use super::{InvalidIdentifier, Kind};

/// Turns Persian and Arabic digits into ASCII digits, and Arabic yeh and kaf into the Persian
/// letters. Everything else stays as it is.
pub fn normal_text(text: &str) -> String {
    text.chars().map(normal_letter).collect()
}

/// Whether two texts are one name to a Persian reader, such as `علي رضا` and `علی‌رضا`.
pub fn same_name(one: &str, other: &str) -> bool {
    name_key(one) == name_key(other)
}

/// What all spellings of one name have in common, to compare by or to look up; not for showing.
///
/// Beside [`normal_text`] it makes letters equal that keyboards and registers exchange freely
/// (hamza on its seats, teh marbuta and heh), and drops what may be left out: vowel signs, the
/// stroke that lengthens, spaces and invisible joiners. The alef with madda stays a letter of its
/// own.
pub fn name_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for letter in text.chars().map(normal_letter) {
        match letter {
            'أ' | 'إ' | 'ٱ' => key.push('ا'),
            'ؤ' => key.push('و'),
            'ئ' => key.push('ی'),
            'ة' | 'ۀ' | 'ە' | 'ہ' | 'ۂ' | 'ۃ' | 'ھ' => key.push('ه'),
            // The madda as a sign of its own belongs to the alef before it.
            '\u{653}' if key.ends_with('ا') => {
                key.pop();
                key.push('آ');
            }
            silent if is_silent(silent) => {}
            letter => key.push(letter),
        }
    }
    key
}

fn normal_letter(letter: char) -> char {
    match letter {
        'ي' | 'ى' => 'ی',
        'ك' | 'ڪ' => 'ک',
        other => digit_value(other).map_or(other, |value| char::from(b'0' + value)),
    }
}

/// Whether leaving `letter` out of a name leaves the same name.
fn is_silent(letter: char) -> bool {
    let is_vowel_sign = matches!(letter, '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}');
    let is_stroke = letter == '\u{640}';
    // Joiners, and the marks that order lines of mixed direction, which copied text drags along.
    let is_invisible = matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    is_vowel_sign || is_stroke || is_invisible || letter.is_whitespace()
}

/// The value of an ASCII, Persian or Arabic digit.
pub(super) fn digit_value(letter: char) -> Option<u8> {
    let zero = match letter {
        '0'..='9' => '0',
        '۰'..='۹' => '۰',
        '٠'..='٩' => '٠',
        _ => return None,
    };
    u8::try_from(u32::from(letter) - u32::from(zero)).ok()
}

/// Reads exactly `N` digits.
pub(super) fn digits<const N: usize>(kind: Kind, text: &str) -> Result<[u8; N], InvalidIdentifier> {
    let mut digits = [0; N];
    let mut found = 0;
    for letter in text.chars() {
        let place = found + 1;
        let digit = digit_value(letter).ok_or(InvalidIdentifier::Character { kind, place })?;
        if let Some(slot) = digits.get_mut(found) {
            *slot = digit;
        }
        found = place;
    }
    if found == N { Ok(digits) } else { Err(InvalidIdentifier::Length { kind, want: N, found }) }
}

/// Writes digits as ASCII text.
pub(super) fn ascii(digits: &[u8]) -> String {
    assert!(digits.iter().all(|digit| *digit < 10), "a digit is at most 9");
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_text() {
        #[rustfmt::skip]
        let cases = [
            ("۰۱۲۳۴۵۶۷۸۹",  "0123456789"),
            ("٠١٢٣٤٥٦٧٨٩",  "0123456789"),
            ("علي اكبري",   "علی اکبری"),
            ("موسى",        "موسی"),
            ("پلاک ۱۲",     "پلاک 12"),
            ("ژاله پاک‌نژاد", "ژاله پاک‌نژاد"),
            ("Ada 7",       "Ada 7"),
            ("",            ""),
        ];
        for (text, want) in cases {
            assert_eq!(normal_text(text), want);
        }
    }

    #[test]
    fn compares_names() {
        #[rustfmt::skip]
        let cases = [
            // Why                          One            Other           Same
            ("itself",                      "داریوش",      "داریوش",       true),
            ("Arabic yeh",                  "علي",         "علی",          true),
            ("Arabic kaf",                  "كاظمي",       "کاظمی",        true),
            ("alef maksura",                "موسى",        "موسی",         true),
            ("space around",                " علی ",       "علی",          true),
            ("space or joiner or nothing",  "پاک نژاد",    "پاک\u{200c}نژاد", true),
            ("written together",            "پاکنژاد",     "پاک\u{200c}نژاد", true),
            ("teh marbuta",                 "فاطمة",       "فاطمه",        true),
            ("heh with yeh above",          "خانۀ",        "خانه",         true),
            ("hamza above as a sign",       "خانه\u{654}", "خانه",         true),
            ("hamza on waw",                "مؤمنی",       "مومنی",        true),
            ("hamza on yeh",                "رضائی",       "رضایی",        true),
            ("hamza on alef",               "أحمد",        "احمد",         true),
            ("vowel signs",                 "مُحَمَّد",       "محمد",         true),
            ("lengthened",                  "محـــمد",     "محمد",         true),
            ("copied with marks",           "\u{202b}علی\u{200f}", "علی",  true),
            ("madda as a sign",             "ا\u{653}رش",  "آرش",          true),
            ("madda is a letter",           "آرش",         "ارش",          false),
            ("another name",                "علی",         "عالی",         false),
            ("a longer name",               "علیرضا",      "علی",          false),
            ("nothing",                     "",            "علی",          false),
        ];
        for (why, one, other, want) in cases {
            assert_eq!(same_name(one, other), want, "{why}");
            assert_eq!(same_name(other, one), want, "{why}");
        }
    }

    /// Of every character there is, alone and after an alef, which is the one that looks back.
    #[test]
    fn normalising_twice_is_normalising_once() {
        for letter in '\0'..=char::MAX {
            for text in [String::from(letter), format!("ا{letter}")] {
                let (normal, key) = (normal_text(&text), name_key(&text));
                assert_eq!(normal_text(&normal), normal, "{letter:?}");
                assert_eq!(name_key(&key), key, "{letter:?}");
                assert_eq!(name_key(&normal), key, "{letter:?}");
            }
        }
    }

    #[test]
    fn reads_digits() {
        use InvalidIdentifier::{Character, Length};
        let kind = Kind::PostalCode;
        let wrong = |found| Err(Length { kind, want: 3, found });
        #[rustfmt::skip]
        let cases = [
            ("0۱٢",  Ok([0, 1, 2])),
            ("",     wrong(0)),
            ("01",   wrong(2)),
            ("0123", wrong(4)),
            ("x",    Err(Character { kind, place: 1 })),
            ("۱۲ ",  Err(Character { kind, place: 3 })),
            ("0123x", Err(Character { kind, place: 5 })),
            ("１２３", Err(Character { kind, place: 1 })),
            ("१२३",  Err(Character { kind, place: 1 })),
        ];
        for (text, want) in cases {
            assert_eq!(digits::<3>(kind, text), want, "{text:?}");
        }
    }
}
