//! A request as a question sees it: the identifier of its path, its query, its body and its key.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use mesh_core::identifier::normal_text;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::answer::Refusal;

/// Everything here is as the caller wrote it; reading a part checks it.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) segment: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 128;

const KEY: &str = "idempotency-key";

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

impl Asked {
    /// The identifier in the path.
    pub(crate) fn id<T>(&self) -> Result<T, Refusal>
    where
        T: FromStr,
        Refusal: From<T::Err>,
    {
        Ok(decoded(&self.segment).parse()?)
    }

    /// The number in the path, which is `what` and has so many digits, as ASCII text.
    pub(crate) fn number(&self, what: &'static str, digits: usize) -> Result<String, Refusal> {
        let text = normal_text(&decoded(&self.segment));
        let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(text) } else { Err(Refusal::Number { what, digits }) }
    }

    /// The parameter `name` of the query, if there is one.
    pub(crate) fn parameter<T>(&self, name: &str) -> Result<Option<T>, Refusal>
    where
        T: FromStr,
        Refusal: From<T::Err>,
    {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(found, _)| *found == name);
        Ok(found.map(|(_, value)| decoded(value).parse()).transpose()?)
    }

    /// The body as JSON; `want` says of which form.
    pub(crate) fn json<T: DeserializeOwned>(&self, want: &'static str) -> Result<T, Refusal> {
        // The parser's own message would quote the body, so it is dropped.
        serde_json::from_slice(&self.body).map_err(|_| Refusal::Body { want })
    }

    /// What the caller calls this submission, to be answered once however often it is sent.
    pub(crate) fn key(&self) -> Result<Option<&str>, Refusal> {
        let mut keys = self.headers.get_all(KEY).iter();
        let Some(key) = keys.next() else { return Ok(None) };
        let text = key.to_str().ok().filter(|text| (1..=KEY_BYTES_MAX).contains(&text.len()));
        let alone = keys.next().is_none();
        text.filter(|_| alone).map(Some).ok_or(Refusal::Key { bytes_max: KEY_BYTES_MAX })
    }
}

/// Bytes that are no UTF-8 become characters that are no digits.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use mesh_core::identifier::{NationalId, ServiceCardCode};

    use super::*;

    #[test]
    fn path_ids_are_decoded_then_normalised() {
        #[rustfmt::skip]
        let cases: &[(&str, bool)] = &[
            ("0012345679",                                                     true),
            ("%30012345679",                                                   true),
            ("%DB%B0%DB%B0%DB%B1%DB%B2%DB%B3%DB%B4%DB%B5%DB%B6%DB%B7%DB%B9",   true),
            ("%D9%A0%D9%A0%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7%D9%A9",   true),
            ("۰۰۱۲۳۴۵۶۷۹",                                                     true),
            ("0012345678",                                                     false),
            ("%FF012345679",                                                   false),
            ("%2530012345679",                                                 false),
        ];
        for (segment, want) in cases {
            let asked = Asked { segment: (*segment).into(), ..Asked::default() };
            assert_eq!(asked.id::<NationalId>().is_ok(), *want, "{segment}");
        }
    }

    #[test]
    fn parameters_are_found_by_name() {
        #[rustfmt::skip]
        let cases: &[(&str, Result<Option<&str>, ()>)] = &[
            ("",                                Ok(None)),
            ("other=1&flag",                    Ok(None)),
            ("after=00012345678",               Ok(Some("00012345678"))),
            ("a=b&after=%300012345678&after=x", Ok(Some("00012345678"))),
            ("after=",                          Err(())),
            ("after=1",                         Err(())),
        ];
        for (query, want) in cases {
            let asked = Asked { query: (*query).into(), ..Asked::default() };
            let found = asked.parameter::<ServiceCardCode>("after").map_err(|_| ());
            let found = found.as_ref().map(|code| code.as_ref().map(ServiceCardCode::as_str));
            assert_eq!(found, want.as_ref().copied(), "{query}");
        }
    }

    #[test]
    fn a_key_is_one_bounded_text() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        let cases: &[(&[&str], bool)] = &[
            (&[], true),
            (&["a"], true),
            (&["\"8e03978e-40d5-43dd-bc93-6894a57f9324\""], true),
            (&[&long[1..]], true),
            (&[&long], false),
            (&[""], false),
            (&["a", "a"], false),
            (&["ک"], false),
        ];
        for (keys, want) in cases {
            let mut asked = Asked::default();
            for key in *keys {
                asked.headers.append(KEY, HeaderValue::from_bytes(key.as_bytes()).unwrap());
            }
            assert_eq!(asked.key().is_ok(), *want, "{keys:?}");
        }
    }
}
