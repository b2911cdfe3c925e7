//! The questions the register answers over HTTP: which path asks which, and what may be said.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body;
use mesh_core::identifier::{InvalidIdentifier, NationalId};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::answer::{Answer, BODY_BYTES_MAX, Refusal, json};
use crate::register::{Claim, Register};

/// How long a request body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// How much of a body that is too long is read and thrown away. A caller that is still sending
/// when the connection closes may never see the answer.
const BODY_DISCARD_BYTES_MAX: usize = 1024 * 1024;

/// Answers requests from a register.
pub(crate) struct Api {
    register: Register,
}

impl Api {
    pub(crate) fn new(register: Register) -> Self {
        Self { register }
    }

    /// Answers every request: a refusal is an answer too.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        match self.try_answer(request).await {
            Ok(answer) => answer,
            Err(refusal) => {
                if let Some(cause) = refusal.source() {
                    eprintln!("{cause}");
                }
                refusal.into_answer()
            }
        }
    }

    async fn try_answer<B>(&self, request: Request<B>) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let route = Route::find(request.uri().path()).ok_or(Refusal::Path)?;
        let allow = route.method();
        if *request.method() != allow {
            return Err(Refusal::Method { allow });
        }
        match route {
            Route::Health => {
                self.register.ready().await?;
                Ok(json(StatusCode::OK, &Health { status: "ok" }))
            }
            Route::Person(id) => Ok(found(self.register.person(path_id(id)?).await?)),
            Route::Kin(id) => Ok(found(self.register.kin(path_id(id)?).await?)),
            Route::Match => {
                let body = timeout(BODY_WAIT, read(request.into_body()));
                let claim = parse_claim(&body.await.map_err(|_| Refusal::BodyTooSlow)??)?;
                let answer = Matched { r#match: self.register.holds(claim).await? };
                Ok(json(StatusCode::OK, &answer))
            }
        }
    }
}

/// Where a path leads. An identifier in it is still as the caller wrote it.
enum Route<'path> {
    Health,
    Person(&'path str),
    Kin(&'path str),
    Match,
}

impl<'path> Route<'path> {
    fn find(path: &'path str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.splitn(4, '/').collect();
        match parts[..] {
            ["health"] => Some(Self::Health),
            ["persons", "match"] => Some(Self::Match),
            ["persons", id] if !id.is_empty() => Some(Self::Person(id)),
            ["persons", id, "kin"] if !id.is_empty() => Some(Self::Kin(id)),
            _ => None,
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Health | Self::Person(_) | Self::Kin(_) => Method::GET,
            Self::Match => Method::POST,
        }
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Matched {
    r#match: bool,
}

/// The answer about a person whom the register does not know.
#[derive(Serialize)]
struct Unknown {
    found: bool,
}

/// A claim as it arrives, before anything in it is checked.
#[derive(Deserialize)]
struct RawClaim {
    national_id: String,
    first_name: String,
    last_name: String,
}

fn found(value: Option<impl Serialize>) -> Answer {
    match value {
        Some(value) => json(StatusCode::OK, &value),
        None => json(StatusCode::NOT_FOUND, &Unknown { found: false }),
    }
}

/// Bytes that are no UTF-8 become characters that are no digits.
fn path_id(part: &str) -> Result<NationalId, InvalidIdentifier> {
    percent_decode_str(part).decode_utf8_lossy().parse()
}

fn parse_claim(body: &[u8]) -> Result<Claim, Refusal> {
    // The parser's own message would quote the body, so it is dropped.
    let raw: RawClaim = serde_json::from_slice(body).map_err(|_| Refusal::Claim)?;
    Ok(Claim {
        national_id: raw.national_id.parse()?,
        first_name: raw.first_name,
        last_name: raw.last_name,
    })
}

/// Reads a body of at most `BODY_BYTES_MAX`.
async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<u8>, Refusal> {
    if (BODY_DISCARD_BYTES_MAX as u64) < body.size_hint().lower() {
        return Err(Refusal::BodyTooLong);
    }
    let mut kept = Vec::new();
    let mut seen_bytes = 0;
    while let Some(frame) = body.frame().await {
        // Trailers are no data, and nothing here wants them.
        let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
        seen_bytes += data.len();
        if BODY_DISCARD_BYTES_MAX < seen_bytes {
            break;
        }
        if seen_bytes <= BODY_BYTES_MAX {
            kept.extend_from_slice(&data);
        }
    }
    if BODY_BYTES_MAX < seen_bytes { Err(Refusal::BodyTooLong) } else { Ok(kept) }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn paths_lead_to_routes() {
        #[rustfmt::skip]
        let cases: &[(&str, Option<&str>)] = &[
            ("/health",               Some("health")),
            ("/persons/1",            Some("person 1")),
            ("/persons/1/kin",        Some("kin 1")),
            ("/persons/match",        Some("match")),
            ("/persons/match/kin",    Some("kin match")),
            ("",                      None),
            ("*",                     None),
            ("/",                     None),
            ("/health/",              None),
            ("/Health",               None),
            ("/persons",              None),
            ("/persons/",             None),
            ("/persons//kin",         None),
            ("/persons/1/",           None),
            ("/persons/1/kin/",       None),
            ("/persons/1/kin/2/kin",  None),
            ("//persons/1",           None),
        ];
        for (path, want) in cases {
            let found = Route::find(path).map(|route| match route {
                Route::Health => "health".to_owned(),
                Route::Match => "match".to_owned(),
                Route::Person(id) => format!("person {id}"),
                Route::Kin(id) => format!("kin {id}"),
            });
            assert_eq!(found.as_deref(), *want, "{path}");
        }
    }

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
        for (part, want) in cases {
            assert_eq!(path_id(part).is_ok(), *want, "{part}");
        }
    }

    #[tokio::test]
    async fn reads_bodies_up_to_the_limit() {
        for (bytes, want) in [
            (0, true),
            (BODY_BYTES_MAX, true),
            (BODY_BYTES_MAX + 1, false),
            (BODY_DISCARD_BYTES_MAX + 1, false),
        ] {
            let body = Full::new(Bytes::from(vec![b' '; bytes]));
            match read(body).await {
                Ok(kept) => assert!(want && kept.len() == bytes, "{bytes}"),
                Err(refusal) => assert!(!want && matches!(refusal, Refusal::BodyTooLong)),
            }
        }
    }
}
