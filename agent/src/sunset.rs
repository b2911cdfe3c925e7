//! What an application is told beside the answer of a service that it should leave: since when,
//! until when, and for what.

use http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use mesh_core::address::ServiceAddress;
use mesh_core::service::{Deprecation, Service};
use mesh_core::time::UnixMs;

use crate::problem::ascii;

/// RFC 9745.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// RFC 8594.
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// A deprecated service, as its users are told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sunset {
    deprecation: Deprecation,
    /// The version to move to.
    next: Option<ServiceAddress>,
}

impl Sunset {
    pub(crate) fn new(service: &Service, deprecation: Deprecation) -> Self {
        let next = service.lifecycle.next_major;
        let next = next.map(|major| ServiceAddress { major, ..service.address.clone() });
        Self { deprecation, next }
    }

    /// Adds the fields to an answer, in place of any that the provider's service sent: the registry
    /// knows better.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let Deprecation { since, retire_at } = self.deprecation;
        headers.insert(DEPRECATION, ascii(format!("@{}", since.seconds())));
        headers.insert(SUNSET, ascii(http_date(retire_at)));
        if let Some(next) = &self.next {
            headers.append(LINK, link(next));
        }
    }
}

/// RFC 5829 §3.3: where the next version is, at this same agent.
fn link(next: &ServiceAddress) -> HeaderValue {
    ascii(format!("</r1/{next}>; rel=\"successor-version\""))
}

/// RFC 9110 §5.6.7, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(moment: UnixMs) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = moment.date();
    let (hour, minute, second) = moment.time_of_day();
    let (weekday, month) = (DAYS[moment.weekday() as usize], MONTHS[month as usize - 1]);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_since_when_until_when_and_where_to_go() {
        let mut service = Service::new("ir/gov/tax/debts/debt.v1".parse().unwrap(), Vec::new());
        service.lifecycle.next_major = Some(2);
        let moment = |text: &str| text.parse::<UnixMs>().unwrap();
        let since = moment("2023-06-30T23:59:59Z");
        let deprecation = Deprecation::new(since, moment("2026-11-11T23:59:59Z")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(SUNSET, HeaderValue::from_static("never"));
        Sunset::new(&service, deprecation).tell(&mut headers);
        // The first is the example of RFC 9745 §2.1.
        assert_eq!(headers[DEPRECATION], "@1688169599");
        assert_eq!(headers[SUNSET], "Wed, 11 Nov 2026 23:59:59 GMT");
        assert_eq!(headers[LINK], "</r1/ir/gov/tax/debts/debt.v2>; rel=\"successor-version\"");
    }
}
