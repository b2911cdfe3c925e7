//! Which HTTP fields travel from one end to the other, and which end at a connection.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use mesh_proto::head::Field;

/// Fields of one connection or one message (RFC 9110 §7.6.1, §10.1.1): each connection has its own.
const OF_A_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
];

/// The agents' own fields: what one of them says to its application, nobody else may say.
const OURS: &[&str] = &["x-road-", "mesh-", "proxy-"];

/// X-Road's own fields that mean something to the provider's service alone.
const END_TO_END: &[&str] = &["x-road-represented-party"];

/// The fields of `headers` that travel, in their order.
pub(crate) fn end_to_end(headers: &HeaderMap) -> Vec<Field> {
    let named: Vec<&str> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .collect();
    let of_connection =
        |name: &HeaderName| named.iter().any(|option| option.eq_ignore_ascii_case(name.as_str()));
    headers
        .iter()
        .filter(|(name, _)| travels(name) && !of_connection(name))
        .map(|(name, value)| Field {
            name: name.as_str().into(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        })
        .collect()
}

/// Adds the fields of a head to `headers`. A field that does not travel is left out here too: what
/// a peer sends is no better than what an application sends.
pub(crate) fn add(headers: &mut HeaderMap, fields: Vec<Field>) {
    for Field { name, value } in fields {
        // A head was read by the same rules, so both conversions succeed.
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_maybe_shared(value);
        if let (Ok(name), Ok(value)) = (name, value)
            && travels(&name)
        {
            headers.append(name, value);
        }
    }
}

fn travels(name: &HeaderName) -> bool {
    let text = name.as_str();
    let begins = |prefix: &&str| text.len() >= prefix.len() && reads_as(text, prefix);
    let is = |other: &&str| text.len() == other.len() && reads_as(text, other);
    let ours = OURS.iter().any(begins) && !END_TO_END.contains(&text);
    !ours && !OF_A_CONNECTION.iter().any(is)
}

/// Does `text`, as far as both go, read as `other` to a backend that takes names by the rule of
/// CGI (RFC 3875 §4.1.18)? There `x_road_client` and `x-road-client` are one name, and some take
/// any other mark for a hyphen too.
fn reads_as(text: &str, other: &str) -> bool {
    let letter = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    text.bytes().map(letter).zip(other.bytes()).all(|(mine, others)| mine == others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    fn names(fields: &[Field]) -> Vec<&str> {
        fields.iter().map(|field| field.name.as_str()).collect()
    }

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let headers = headers(&[
            ("accept", "*/*"),
            ("connection", "close, X-Debug"),
            ("connection", "X-Trace"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("expect", "100-continue"),
            ("host", "localhost"),
            ("idempotency-key", "k"),
            ("keep-alive", "timeout=5"),
            ("mesh-purpose", "census"),
            ("proxy-authorization", "basic"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-debug", "1"),
            ("x-trace", "1"),
            ("x-road-client", "ir/gov/tax/desk"),
            ("x-road-request-hash", "forged"),
            ("x-road-security-server", "ir/gov/tax/server"),
            ("x-road-represented-party", "com/x"),
            ("x-tenant", "1"),
            ("x_tenant", "1"),
            ("x_road_client", "forged"),
            ("x_road-userid", "forged"),
            ("x-road_represented_party", "forged"),
            ("x.road.client", "forged"),
            ("mesh_purpose", "forged"),
            ("content_length", "1"),
            ("transfer_encoding", "chunked"),
            ("keep_alive", "1"),
            ("host_name", "1"),
        ]);
        let want = [
            "accept",
            "content-type",
            "idempotency-key",
            "x-road-represented-party",
            "x-tenant",
            "x_tenant",
            "host_name",
        ];
        assert_eq!(names(&end_to_end(&headers)), want);
    }

    #[test]
    fn a_repeated_field_keeps_its_values_in_order() {
        let fields = end_to_end(&headers(&[("cookie", "a"), ("via", "x"), ("cookie", "b")]));
        let mut back = HeaderMap::new();
        add(&mut back, fields);
        assert_eq!(back.get_all("cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_peer_cannot_speak_as_the_agent() {
        let field = |name: &str| Field { name: name.into(), value: Bytes::from_static(b"x") };
        let mut into = HeaderMap::new();
        let forged = [
            "x-road-client",
            "x_road_client",
            "x_road_userid",
            "x-road-error",
            "transfer-encoding",
            "transfer_encoding",
            "host",
            "etag",
        ];
        add(&mut into, forged.map(field).into());
        assert_eq!(into.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["etag"]);
    }
}
