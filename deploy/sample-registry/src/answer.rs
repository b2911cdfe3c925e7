//! Answers as they cross the wire: JSON of a known length, and a problem for every refusal.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use mesh_core::identifier::InvalidIdentifier;
use serde::Serialize;

use crate::persian;
use crate::pool::QueryError;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Longest request body that is read, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a question found, as JSON.
pub(crate) struct Reply {
    status: StatusCode,
    text: Vec<u8>,
}

impl Reply {
    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, value)
    }

    pub(crate) fn created(value: &impl Serialize) -> Self {
        Self::new(StatusCode::CREATED, value)
    }

    /// What the register says about a subject; `None` if it knows no such subject.
    pub(crate) fn found(value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => Self::ok(&value),
            None => Self::new(StatusCode::NOT_FOUND, &Unknown { found: false }),
        }
    }

    /// Whether a claim is true.
    pub(crate) fn matched(r#match: bool) -> Self {
        Self::ok(&Matched { r#match })
    }

    fn new(status: StatusCode, value: &impl Serialize) -> Self {
        let text = serde_json::to_vec(value).expect("structs with named fields have a JSON form");
        Self { status, text }
    }

    pub(crate) fn into_answer(self) -> Answer {
        answer(self.status, HeaderValue::from_static("application/json"), self.text)
    }
}

/// The answer about a subject that the register does not know.
#[derive(Serialize)]
struct Unknown {
    found: bool,
}

#[derive(Serialize)]
struct Matched {
    r#match: bool,
}

/// Why a request is refused. No sentence repeats anything of the request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is nothing at this path")]
    Path,
    #[error("this path answers to another method, which the Allow header names")]
    Method { allow: Method },
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    #[error("{what} has {digits} digits and nothing else")]
    Number { what: &'static str, digits: usize },
    #[error("the body must be a JSON object with {want}")]
    Body { want: &'static str },
    #[error("the body must be application/json, and its Content-Type must say so or be absent")]
    MediaType,
    #[error("the body is longer than {BODY_BYTES_MAX} bytes")]
    BodyTooLong,
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    #[error("the body did not arrive whole")]
    BodyBroken,
    #[error("the Idempotency-Key must be one header of 1 to {bytes_max} printable characters")]
    Key { bytes_max: usize },
    #[error("this Idempotency-Key came with another body before; use a fresh key for each")]
    KeyReused,
    #[error("there is no such {what}; it is one of {choices}")]
    Choice { what: &'static str, choices: String },
    #[error("the register takes no more submissions")]
    Full,
    #[error("the register cannot be used at the moment; please try again later")]
    Register(#[from] QueryError),
}

impl From<rusqlite::Error> for Refusal {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Register(QueryError::new(cause))
    }
}

impl Refusal {
    pub(crate) fn into_answer(self) -> Answer {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let detail = self.to_string();
        let problem = Problem {
            r#type: "about:blank",
            title,
            title_fa: persian::title(status),
            status: status.as_u16(),
            detail,
            detail_fa: persian::detail(&self),
        };
        let text = serde_json::to_vec(&problem).expect("a problem is texts and a number");
        let kind = HeaderValue::from_static("application/problem+json");
        let mut answer = answer(status, kind, text);
        let headers = answer.headers_mut();
        match self {
            Self::Method { allow } => {
                let allow = HeaderValue::from_str(allow.as_str());
                headers.insert(ALLOW, allow.expect("a method is made of token characters"));
            }
            // What is left of the body would be taken for the next request.
            Self::BodyTooLong | Self::BodyTooSlow | Self::BodyBroken => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Identifier(_) | Self::Number { .. } => StatusCode::BAD_REQUEST,
            Self::Body { .. } | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::Key { .. } => StatusCode::BAD_REQUEST,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::KeyReused | Self::Choice { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Full | Self::Register(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// RFC 9457, "Problem Details for HTTP APIs". The status says all there is to the type.
#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    title_fa: &'static str,
    status: u16,
    detail: String,
    detail_fa: String,
}

fn answer(status: StatusCode, kind: HeaderValue, text: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    // Nothing between here and the caller may keep what the register says about a person.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
