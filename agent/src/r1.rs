//! A request of the X-Road REST message protocol r1, as an application writes it.
//!
//! `METHOD /r1/{mesh}/{class}/{agency}/{system}/{service}.v{major}[/path][?query]`, and fields:
//!
//! | field | what it says |
//! | --- | --- |
//! | `X-Road-Client` | the system that asks; must be there once |
//! | `X-Road-Id` | the application's own name for the message, given back |
//! | `X-Road-UserId`, `X-Road-Issue` | handed to the provider's service |
//! | `Mesh-Purpose` | why the data is asked; needed where several purposes are permitted |
//! | `Mesh-Timeout-Ms` | total time that the caller grants |
//! | `Mesh-Operator` | who asks, by a name that only the consumer can resolve |
//! | `Idempotency-Key` | two submissions with one key are one |
//!
//! `X-Road-Security-Server` is passed over: the directory says where a system is. A
//! `X-Road-Request-Hash` that an application sends is dropped, as are all other fields of ours.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use http::header::{HOST, HeaderMap, HeaderName};
use http::request::Parts;
use http::{StatusCode, Version};
use mesh_core::access::Refused;
use mesh_core::address::{AgencyAddress, ServiceAddress, SystemAddress};
use mesh_core::exchange::{IdempotencyKey, Pseudonym};
use mesh_core::id::PurposeId;
use mesh_core::limits::DEADLINE_MAX;
use mesh_core::operation::{Method, ParsePathError, RequestPath};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::time::UnixMs;
use percent_encoding::percent_decode_str;

pub(crate) const CLIENT: HeaderName = HeaderName::from_static("x-road-client");
pub(crate) const MESSAGE_ID: HeaderName = HeaderName::from_static("x-road-id");
pub(crate) const USER_ID: HeaderName = HeaderName::from_static("x-road-userid");
pub(crate) const ISSUE: HeaderName = HeaderName::from_static("x-road-issue");
pub(crate) const SERVICE: HeaderName = HeaderName::from_static("x-road-service");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-road-request-id");
pub(crate) const ERROR: HeaderName = HeaderName::from_static("x-road-error");
pub(crate) const PURPOSE: HeaderName = HeaderName::from_static("mesh-purpose");
const TIMEOUT_MS: HeaderName = HeaderName::from_static("mesh-timeout-ms");
const OPERATOR: HeaderName = HeaderName::from_static("mesh-operator");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What an application asks, well formed; whether it may, is another question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) client: SystemAddress,
    pub(crate) service: ServiceAddress,
    pub(crate) method: Method,
    /// The path below the service, percent-encoded, known to be a [`RequestPath`].
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) purpose: Option<PurposeId>,
    /// Total time that the caller grants.
    pub(crate) granted: Option<Duration>,
    pub(crate) operator: Option<Pseudonym>,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) message_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) issue: Option<String>,
}

/// What is wrong with a request, in a sentence for whoever wrote the application.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub(crate) struct Flaw {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    /// See [`Problem::wait`].
    wait: Option<Duration>,
}

impl Flaw {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), wait: None }
    }

    /// What the rules of the mesh do not let pass at `now`.
    pub(crate) fn refused(refused: &Refused<'_>, now: UnixMs) -> Self {
        Self { wait: refused.wait(now), ..Self::new(refused.reason(), refused.to_string()) }
    }

    /// As the agent `hop` tells it.
    pub(crate) fn problem(self, hop: HopName) -> Problem {
        Problem { wait: self.wait, ..Problem::new(self.reason, hop, self.detail) }
    }

    fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Reason::RequestMalformed, detail)
    }
}

/// What is wrong with bytes of which no head could be read; HTTP has `status` for it.
pub(crate) fn unreadable(status: StatusCode) -> Flaw {
    match status {
        StatusCode::URI_TOO_LONG => {
            Flaw::new(Reason::RequestTooLarge, "the request's target is too long to be read")
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let detail = "the request's head is too large to be read, or has more than 100 headers";
            Flaw::new(Reason::RequestTooLarge, detail)
        }
        _ => Flaw::malformed("the request's head is not well-formed HTTP/1.1"),
    }
}

/// Reads the head of a request.
pub(crate) fn read(head: &Parts) -> Result<Asked, Flaw> {
    check_host(head)?;
    let (service, path) = read_path(head.uri.path())?;
    let method = head.method.as_str().parse::<Method>();
    let method = method.map_err(|why| Flaw::malformed(why.to_string()))?;
    let query = head.uri.query().map(str::to_owned);
    // What `mesh_proto::head` lets a peer send.
    if query.as_deref().is_some_and(|text| !text.bytes().all(|b| b.is_ascii_graphic())) {
        return Err(Flaw::malformed("the query has a character that RFC 3986 does not allow"));
    }
    let headers = &head.headers;
    Ok(Asked {
        client: read_client(headers)?,
        service,
        method,
        path,
        query,
        purpose: parsed(headers, &PURPOSE)?,
        granted: read_granted(headers)?,
        operator: parsed(headers, &OPERATOR)?,
        idempotency_key: parsed(headers, &IDEMPOTENCY_KEY)?,
        message_id: text(headers, &MESSAGE_ID)?,
        user_id: text(headers, &USER_ID)?,
        issue: text(headers, &ISSUE)?,
    })
}

/// RFC 9112 §3.2: a request of HTTP/1.1 has one `Host`, whatever it says.
fn check_host(head: &Parts) -> Result<(), Flaw> {
    match once(&head.headers, &HOST)? {
        None if head.version == Version::HTTP_11 => {
            Err(Flaw::malformed("the header Host is missing, and HTTP/1.1 wants it"))
        }
        _ => Ok(()),
    }
}

/// The service that the path of a request names, and what follows it.
fn read_path(path: &str) -> Result<(ServiceAddress, String), Flaw> {
    let Some(rest) = path.strip_prefix("/r1/") else {
        let detail = "this agent serves /r1/{mesh}/{class}/{agency}/{system}/{service}.v{major}";
        return Err(Flaw::new(Reason::PathUnknown, detail));
    };
    let mut parts = rest.splitn(6, '/');
    let mut next = || parts.next().ok_or_else(|| Flaw::malformed(TOO_SHORT)).and_then(decoded);
    let system = read_system([next()?, next()?, next()?, next()?])?;
    let service = next()?;
    let service = system.service(&service).map_err(|why| in_path(&why))?;
    let path = parts.next().map_or_else(|| "/".into(), |below| format!("/{below}"));
    match RequestPath::new(&path) {
        Ok(_) => Ok((service, path)),
        Err(why @ ParsePathError::Length) => {
            Err(Flaw::new(Reason::RequestTooLarge, why.to_string()))
        }
        Err(why) => Err(Flaw::malformed(why.to_string())),
    }
}

const TOO_SHORT: &str =
    "the path is too short, want /r1/{mesh}/{class}/{agency}/{system}/{service}.v{major}";

fn in_path(why: &dyn Display) -> Flaw {
    Flaw::malformed(format!("in the path: {why}"))
}

fn read_system(parts: [Cow<'_, str>; 4]) -> Result<SystemAddress, Flaw> {
    let [mesh, class, agency, system] = parts;
    let agency = AgencyAddress {
        mesh: mesh.parse().map_err(|why| in_path(&why))?,
        class: class.parse().map_err(|why| in_path(&why))?,
        agency: agency.parse().map_err(|why| in_path(&why))?,
    };
    Ok(SystemAddress { agency, system: system.parse().map_err(|why| in_path(&why))? })
}

/// One identifier, which X-Road clients may percent-encode. What is decoded is parsed as it stands,
/// so a hidden slash parts nothing.
fn decoded(part: &str) -> Result<Cow<'_, str>, Flaw> {
    percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| Flaw::malformed("an identifier is no percent-encoded UTF-8"))
}

fn read_client(headers: &HeaderMap) -> Result<SystemAddress, Flaw> {
    let Some(text) = once(headers, &CLIENT)? else {
        let detail = "the header X-Road-Client is missing, want {mesh}/{class}/{agency}/{system}";
        return Err(Flaw::new(Reason::ClientMissing, detail));
    };
    let flaw = |why: &dyn Display| Flaw::malformed(format!("the header X-Road-Client: {why}"));
    if text.contains("%2F") || text.contains("%2f") {
        return Err(flaw(&"an identifier hides a slash"));
    }
    decoded(text)?.parse().map_err(|why| flaw(&why))
}

fn read_granted(headers: &HeaderMap) -> Result<Option<Duration>, Flaw> {
    let most = DEADLINE_MAX.as_millis() as u64;
    let Some(text) = once(headers, &TIMEOUT_MS)? else { return Ok(None) };
    // A number has no sign here, though `parse` would take one.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let granted = text.parse::<u64>().ok().filter(|ms| digits && (1..=most).contains(ms));
    let granted = granted.ok_or_else(|| {
        Flaw::malformed(format!("the header Mesh-Timeout-Ms is no number from 1 to {most}"))
    })?;
    Ok(Some(Duration::from_millis(granted)))
}

/// Reads an optional field by the rule of its type.
fn parsed<T: FromStr>(headers: &HeaderMap, name: &HeaderName) -> Result<Option<T>, Flaw>
where
    T::Err: Display,
{
    let Some(text) = once(headers, name)? else { return Ok(None) };
    let value = text.parse().map_err(|why| {
        let name = spelled(name);
        Flaw::malformed(format!("the header {name}: {why}"))
    })?;
    Ok(Some(value))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Flaw> {
    Ok(once(headers, name)?.filter(|text| !text.is_empty()).map(str::to_owned))
}

/// A field that may stand once. Of two that differ nobody could say which is meant.
fn once<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Flaw> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Flaw::malformed(format!("the header {} is there twice", spelled(name))));
    }
    let visible = value.as_bytes().iter().all(|b| *b == b' ' || b.is_ascii_graphic());
    let text = value.to_str().ok().filter(|_| visible).ok_or_else(|| {
        Flaw::malformed(format!("the header {} is not printable ASCII", spelled(name)))
    })?;
    Ok(Some(text))
}

/// The application's own name for the message, if it can be given back.
pub(crate) fn message_id(headers: &HeaderMap) -> Option<String> {
    text(headers, &MESSAGE_ID).ok().flatten()
}

/// A field's name as documents spell it, such as `X-Road-Id`.
fn spelled(name: &HeaderName) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    let words: Vec<_> = name.as_str().split('-').map(capital).collect();
    words.join("-").replace("Userid", "UserId")
}

#[cfg(test)]
mod tests;
