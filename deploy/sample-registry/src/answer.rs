//! Answers as they cross the wire: JSON of a known length, and a problem for every refusal.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use mesh_core::identifier::InvalidIdentifier;
use serde::Serialize;

use crate::readers::ReadError;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Longest request body that is read, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    answer(status, HeaderValue::from_static("application/json"), value)
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
    #[error("the body must be a JSON object with the texts national_id, first_name and last_name")]
    Claim,
    #[error("the body is longer than {BODY_BYTES_MAX} bytes")]
    BodyTooLong,
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    #[error("the body did not arrive whole")]
    BodyBroken,
    #[error("the register cannot be read at the moment; please try again later")]
    Register(#[from] ReadError),
}

impl Refusal {
    pub(crate) fn into_answer(self) -> Answer {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let detail = self.to_string();
        let problem = Problem { r#type: "about:blank", title, status: status.as_u16(), detail };
        let kind = HeaderValue::from_static("application/problem+json");
        let mut answer = answer(status, kind, &problem);
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
            Self::Path | Self::Identifier(_) | Self::Claim | Self::Register(_) => {}
        }
        answer
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Identifier(_) | Self::Claim | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Register(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// RFC 9457, "Problem Details for HTTP APIs". The status says all there is to the type.
#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

fn answer(status: StatusCode, kind: HeaderValue, value: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(value).expect("structs of texts and booleans have a JSON form");
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    // Nothing between here and the caller may keep what the register says about a person.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
