//! Moments as people write them: RFC 3339 in files, milliseconds since 1970 everywhere else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. As text, RFC 3339
/// with any offset in, and `Z` out.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct UnixMs(pub u64);

/// Text that is no moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is no time between 1970 and 9999, want such as 2027-03-21T00:00:00+03:30")]
pub struct ParseTimeError;

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Days from 0000-03-01 to 1970-01-01. A year that begins in March has its leap day at its end.
const DAYS_TO_1970: u64 = 719_468;
const ERA_DAYS: u64 = 146_097;

impl UnixMs {
    /// Whole seconds, as HTTP counts (RFC 9110 §5.6.7, RFC 9651 §3.3.7).
    pub fn seconds(self) -> u64 {
        self.0 / SECOND_MS
    }

    /// Year, month and day, in UTC.
    pub fn date(self) -> (u64, u64, u64) {
        date(self.0 / DAY_MS)
    }

    /// The day of the week, 0 for Sunday, in UTC.
    pub fn weekday(self) -> u64 {
        // 1970-01-01 was a Thursday.
        (self.0 / DAY_MS + 4) % 7
    }

    /// Hours, minutes and seconds of the day, in UTC.
    pub fn time_of_day(self) -> (u64, u64, u64) {
        let ms = self.0 % DAY_MS;
        (ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS, ms % MINUTE_MS / SECOND_MS)
    }
}

/// The date of the day that comes `days` after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    // Months count from March.
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

/// How many days after 1970-01-01 a date is; `None` for one that the calendar does not have.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let (march_year, march_month) =
        if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (march_year / 400, march_year % 400);
    let of_year = (153 * march_month + 2) / 5 + day.checked_sub(1)?;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = (era * ERA_DAYS + days).checked_sub(DAYS_TO_1970)?;
    (date(days) == (year, month, day)).then_some(days)
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time_of_day();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match self.0 % SECOND_MS {
            0 => f.write_str("Z"),
            ms => write!(f, ".{ms:03}Z"),
        }
    }
}

impl FromStr for UnixMs {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or(ParseTimeError)
    }
}

/// RFC 3339 §5.6, to the millisecond and without leap seconds.
fn read(text: &str) -> Option<UnixMs> {
    if !text.is_ascii() {
        return None;
    }
    let (moment, rest) = text.split_at_checked("2027-03-21T00:00:00".len())?;
    let shape = moment.bytes().zip(*b"0000-00-00T00:00:00");
    let mut shape = shape.map(|(found, want)| match want {
        b'0' => found.is_ascii_digit(),
        _ => found == want,
    });
    if !shape.all(|fits| fits) {
        return None;
    }
    let number = |from: usize, to: usize| moment[from..to].parse::<u64>().ok();
    let day = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if 23 < hour || 59 < minute || 59 < second {
        return None;
    }
    let (fraction_ms, offset) = fraction(rest)?;
    let local = day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
    shifted(local + fraction_ms, offset).map(UnixMs)
}

/// The milliseconds of `.25Z`, and what follows them.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    let value: u64 = rest[..digits].parse().ok()?;
    Some((value * 10_u64.pow(3 - digits as u32), &rest[digits..]))
}

/// `local_ms` as UTC, where `offset` is `Z`, `+03:30` or the like.
fn shifted(local_ms: u64, offset: &str) -> Option<u64> {
    if offset == "Z" {
        return Some(local_ms);
    }
    let (sign, clock) = offset.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':').filter(|_| clock.len() == 5)?;
    let number = |text: &str, limit: u64| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|value| digits && *value <= limit)
    };
    let shift_ms = number(hours, 23)? * HOUR_MS + number(minutes, 59)? * MINUTE_MS;
    match sign {
        "+" => local_ms.checked_sub(shift_ms),
        "-" => local_ms.checked_add(shift_ms),
        _ => None,
    }
}

impl TryFrom<String> for UnixMs {
    type Error = ParseTimeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UnixMs> for String {
    fn from(moment: UnixMs) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        #[rustfmt::skip]
        let cases = [
            // Read                          Milliseconds        Written
            ("1970-01-01T00:00:00Z",         0,                  "1970-01-01T00:00:00Z"),
            ("2000-02-29T12:00:00Z",         951_825_600_000,    "2000-02-29T12:00:00Z"),
            ("2026-03-21T00:00:00+03:30",    1_774_038_600_000,  "2026-03-20T20:30:00Z"),
            ("2026-11-25T23:59:59.5-01:00",  1_795_654_799_500,  "2026-11-26T00:59:59.500Z"),
            ("9999-12-31T23:59:59Z",         253_402_300_799_000, "9999-12-31T23:59:59Z"),
        ];
        for (text, ms, written) in cases {
            assert_eq!(text.parse(), Ok(UnixMs(ms)), "{text}");
            assert_eq!(UnixMs(ms).to_string(), written);
        }
        assert_eq!(UnixMs(951_825_600_000).weekday(), 2, "a Tuesday");
    }

    #[test]
    fn every_day_is_the_one_it_was() {
        for day in 0..60_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day), "{year}-{month}-{of_month}");
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "2026-03-21",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234Z",
            "2026-01-01T00:00:00+3:30",
            "2026-01-01T00:00:00+03:60",
            "2026-01-01T00:00:00++3:30",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+03:30",
            "۲۰۲۶-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<UnixMs>(), Err(ParseTimeError), "{text:?}");
        }
    }
}
