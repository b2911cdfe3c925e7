//! A problem as the application sees it: RFC 9457, with the reason, the hop, and who can mend it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use mesh_core::exchange::ExchangeId;
use mesh_core::reason::{Kind, Problem, Reason};
use serde::Serialize;

use crate::payload::{self, Payload};
use crate::r1;

/// A problem, and how the application hears of it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    pub(crate) status: StatusCode,
    /// When to try again; `None` where nobody should.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// The request's head is too large; HTTP has a status of its own for that.
    pub(crate) fn of_a_head(problem: Problem) -> Self {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self { status, ..problem.into() }
    }

    /// Whoever asked gave the submission no key, so doing it again may do it twice.
    pub(crate) fn never_again(self) -> Self {
        Self { retry_after: None, ..self }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, retry_after) = (status(problem.reason), problem.retry_after());
        Self { problem, status, retry_after }
    }
}

/// The HTTP status for a reason: 4xx is the caller's to mend, 5xx is not.
fn status(reason: Reason) -> StatusCode {
    match reason.kind() {
        // Malformed, and by no application: something on the way changed it.
        _ if reason == Reason::BodyCorrupt => StatusCode::BAD_GATEWAY,
        // A neighbour behind this agent spoke nonsense, which is what the status is for.
        _ if reason == Reason::ProtocolViolation => StatusCode::BAD_GATEWAY,
        // It was there once, and whoever asks should ask for something else.
        _ if reason == Reason::ServiceRetired => StatusCode::GONE,
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Overload | Kind::Unavailable | Kind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Deadline => StatusCode::GATEWAY_TIMEOUT,
        Kind::BadAnswer => StatusCode::BAD_GATEWAY,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The same short sentence for all problems of a kind, as RFC 9457 wants it; and in Persian.
fn titles(reason: Reason) -> (&'static str, &'static str) {
    match reason.kind() {
        _ if reason == Reason::BodyCorrupt => ("A body was changed", "بدنه در راه تغییر کرده است"),
        _ if reason == Reason::ServiceDisabled => {
            ("The service is switched off", "این خدمت غیرفعال شده است")
        }
        _ if reason == Reason::ServiceMaintenance => {
            ("The service is in maintenance", "این خدمت موقتاً در دست نگهداری است")
        }
        _ if reason == Reason::ServiceRetired => {
            ("This version of the service is gone", "این نسخه از خدمت برچیده شده است")
        }
        Kind::Malformed => ("The request cannot be read", "درخواست خوانا نیست"),
        Kind::TooLarge => ("The request is too large", "درخواست بیش از اندازه بزرگ است"),
        Kind::NotFound => ("There is nothing at this address", "در این نشانی چیزی نیست"),
        Kind::Forbidden => ("The request is not permitted", "این درخواست مجاز نیست"),
        Kind::Conflict => ("Somebody else came first", "دیگری زودتر تغییر داده است"),
        Kind::Overload => ("Too much is under way", "بار بیش از ظرفیت است"),
        Kind::Unavailable => ("Something on the way is away", "بخشی از مسیر در دسترس نیست"),
        Kind::Deadline => ("The time ran out", "مهلت تبادل تمام شد"),
        Kind::BadAnswer => ("The answer cannot be used", "پاسخ قابل استفاده نیست"),
        Kind::Cancelled => ("The exchange was broken off", "تبادل نیمه‌کاره رها شد"),
        Kind::Internal => ("The mesh itself failed", "خود شبکه دچار خطا شد"),
    }
}

#[derive(Serialize)]
struct Body<'p> {
    r#type: String,
    title: &'static str,
    title_fa: &'static str,
    status: u16,
    detail: &'p str,
    reason: &'static str,
    hop: &'p str,
    mender: &'static str,
    exchange_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// The answer to the application. `message_id` is its own name for the request, if it gave one.
pub(crate) fn respond(
    refusal: &Refusal,
    exchange: ExchangeId,
    message_id: Option<&str>,
) -> Response<Payload> {
    let mut response = Response::new(payload::whole(body(refusal, exchange).into()));
    *response.status_mut() = refusal.status;
    *response.headers_mut() = headers(refusal, exchange);
    if let Some(message_id) = message_id {
        response.headers_mut().insert(r1::MESSAGE_ID, ascii(message_id.to_owned()));
    }
    response
}

/// The same as text, for a connection on which nothing is left but to write it: the headers, each a
/// line, and the body.
pub(crate) fn written(refusal: &Refusal, exchange: ExchangeId) -> (String, String) {
    let headers = headers(refusal, exchange);
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    (lines.collect(), body(refusal, exchange))
}

fn body(refusal: &Refusal, exchange: ExchangeId) -> String {
    let Refusal { problem: Problem { reason, hop, detail, .. }, status, retry_after } = refusal;
    let (title, title_fa) = titles(*reason);
    let body = Body {
        r#type: format!("urn:mesh:reason:{reason}"),
        title,
        title_fa,
        status: status.as_u16(),
        detail,
        reason: reason.name(),
        hop: hop.as_str(),
        mender: reason.mender().name(),
        exchange_id: exchange.to_string(),
        retry_after_ms: retry_after.map(|after| after.as_millis() as u64),
    };
    serde_json::to_string(&body).expect("text and numbers always have a JSON form")
}

fn headers(refusal: &Refusal, exchange: ExchangeId) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(r1::ERROR, HeaderValue::from_static(refusal.problem.reason.name()));
    headers.insert(r1::REQUEST_ID, ascii(exchange.to_string()));
    if let Some(after) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
    }
    headers
}

/// `text` as a header; it comes from a type that allows visible ASCII and spaces only.
pub(crate) fn ascii(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// HTTP counts in seconds, and too early is worse than too late.
fn whole_seconds(after: Duration) -> u64 {
    after.as_millis().div_ceil(1000) as u64
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use mesh_core::permit::Denied;
    use mesh_core::reason::Mender;

    use super::*;

    fn problem(reason: Reason) -> Problem {
        Problem::new(reason, "hub.health".parse().unwrap(), "it \"rains\"")
    }

    fn id() -> ExchangeId {
        ExchangeId::new(0x017F_22E2_79B0, [0x7c; 10])
    }

    #[test]
    fn a_status_says_whose_turn_it_is() {
        for reason in Reason::ALL {
            let status = status(*reason);
            // An operator who changes the registry is a caller too.
            let callers = matches!(reason.kind(), Kind::Forbidden | Kind::Conflict)
                || reason.mender() == Mender::Consumer
                || matches!(
                    *reason,
                    Reason::RegistryRefused
                        | Reason::DescriptionUnknown
                        | Reason::ChangeSetUnknown
                        | Reason::ChangeSetTooLarge
                        | Reason::AdminMessageTooLarge
                );
            assert_eq!(status.is_client_error(), callers, "{reason}: {status}");
            if reason.retry_after().is_some() {
                assert!(matches!(status.as_u16(), 502..=504), "{reason}: {status}");
            }
        }
        assert_eq!(
            status(Reason::ProtocolViolation).as_u16(),
            502,
            "its peer's fault, not its own"
        );
        let large = Refusal::of_a_head(problem(Reason::RequestTooLarge));
        assert_eq!(large.status.as_u16(), 431);
    }

    #[tokio::test]
    async fn a_problem_is_rfc_9457_json() {
        let refusal = problem(Reason::LinkLost).into();
        let response = respond(&refusal, id(), Some("m 1"));
        let (head, body) = response.into_parts();
        assert_eq!(head.status.as_u16(), 503);
        let header = |name: &str| head.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "application/problem+json");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-road-error"), "LINK_LOST");
        assert_eq!(header("x-road-id"), "m 1");
        assert_eq!(header("x-road-request-id"), "017f22e2-79b0-7c7c-bc7c-7c7c7c7c7c7c");
        assert_eq!(header("retry-after"), "1");
        let body = body.collect().await.unwrap().to_bytes();
        let want = "{\"type\":\"urn:mesh:reason:LINK_LOST\",\
                    \"title\":\"Something on the way is away\",\
                    \"title_fa\":\"بخشی از مسیر در دسترس نیست\",\
                    \"status\":503,\"detail\":\"it \\\"rains\\\"\",\"reason\":\"LINK_LOST\",\
                    \"hop\":\"hub.health\",\"mender\":\"nobody\",\
                    \"exchange_id\":\"017f22e2-79b0-7c7c-bc7c-7c7c7c7c7c7c\",\
                    \"retry_after_ms\":250}";
        assert_eq!(std::str::from_utf8(&body).unwrap(), want);
    }

    #[tokio::test]
    async fn the_documents_show_a_real_answer() {
        let page = include_str!("../../docs/errors/README.md");
        let example = page.split("```").nth(1).unwrap();
        let (fields, body) = example.trim().split_once("\n\n").unwrap();
        let documented: serde_json::Value = serde_json::from_str(body).unwrap();

        let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let exchange = ExchangeId::new(0x017F_22E2_79B0, random);
        let hop = "desk.licensing.gov.economy".parse().unwrap();
        let problem = Problem::new(Reason::NotPermitted, hop, Denied::NotPermitted.to_string());
        let (head, body) = respond(&problem.into(), exchange, None).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(documented, serde_json::from_slice::<serde_json::Value>(&body).unwrap());
        let mut lines = fields.lines();
        assert_eq!(lines.next(), Some(format!("HTTP/1.1 {}", head.status).as_str()));
        let told = lines.map(|line| line.split_once(": ").unwrap());
        let told: Vec<_> = told.map(|(name, value)| (name.to_lowercase(), value)).collect();
        let sent = head.headers.iter().map(|(name, value)| (name.to_string(), value));
        let sent: Vec<_> = sent.map(|(name, value)| (name, value.to_str().unwrap())).collect();
        assert_eq!(told, sent);
    }

    #[test]
    fn what_cannot_be_mended_by_waiting_says_nothing_of_it() {
        let refusal = problem(Reason::NotPermitted).into();
        let response = respond(&refusal, id(), None);
        assert_eq!(response.status().as_u16(), 403);
        assert!(!response.headers().contains_key("retry-after"));
        assert!(!response.headers().contains_key("x-road-id"));
    }
}
