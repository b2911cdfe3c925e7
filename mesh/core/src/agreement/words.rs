//! Parties and times as people read them.

use super::Party;

/// Such as `the consumer and the centre`.
pub(super) fn list(parties: &[Party]) -> String {
    let names: Vec<String> = parties.iter().map(|party| format!("the {party}")).collect();
    match &names[..] {
        [] => "nobody".into(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A time to the second, in UTC, such as `2026-11-25T13:47:05Z` (RFC 3339).
pub fn utc(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day counted from 1970-01-01. Years begin in March here, so that the leap day is
/// the last of its year; 400 of them have 146,097 days.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59Z"),
            (1_795_614_425_000, "2026-11-25T13:47:05Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ];
        for (unix_ms, want) in cases {
            assert_eq!(utc(unix_ms), want);
        }
    }

    #[test]
    fn parties_are_listed() {
        assert_eq!(list(&[Party::Consumer]), "the consumer");
        assert_eq!(list(&Party::ALL), "the consumer, the provider, the secretariat and the centre");
    }
}
