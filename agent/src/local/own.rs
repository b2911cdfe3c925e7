//! What hyper answers by itself, to bytes that are no request: found, and given a reason.
//!
//! hyper has the status and no word more, and nobody to ask. Its answer is known by its form: no
//! body, and none of the headers that every answer of ours has. It is always the last of its
//! connection, so it is held back until that ends; whatever comes behind it lets it go as it was.

use bytes::Bytes;
use http::StatusCode;

/// Longer than any such answer.
const ANSWER_BYTES_MAX: usize = 256;

const NO_BODY: &str = "content-length: 0\r\n";

/// An answer of hyper's own, whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct OwnAnswer {
    pub(super) status: StatusCode,
    text: String,
}

impl OwnAnswer {
    /// Are the bytes of one write such an answer?
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if ANSWER_BYTES_MAX < bytes.len() {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let status = text.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
        let is_its = matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::URI_TOO_LONG
                | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
        let head = text.strip_suffix("\r\n\r\n")?;
        let is_bare = !head.contains("\r\n\r\n")
            && head.lines().skip(1).all(|line| {
                let name = line.split(':').next().unwrap_or_default();
                matches!(name, "connection" | "content-length" | "date")
            });
        (is_its && is_bare && text.contains(NO_BODY)).then(|| Self { status, text: text.into() })
    }

    /// As hyper wrote it.
    pub(super) fn unchanged(self) -> Bytes {
        self.text.into_bytes().into()
    }

    /// With `headers`, each a line, and a body.
    pub(super) fn with(&self, headers: &str, body: &str) -> Bytes {
        let length = format!("{headers}content-length: {}\r\n", body.len());
        (self.text.replacen(NO_BODY, &length, 1) + body).into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\
                       date: Wed, 25 Nov 2026 13:00:00 GMT\r\n\r\n";

    #[test]
    fn an_answer_of_hypers_own_is_told_from_ours() {
        let own = OwnAnswer::read(OWN.as_bytes()).unwrap();
        assert_eq!(own.status, StatusCode::BAD_REQUEST);
        assert_eq!(own.unchanged(), OWN);
        let others = [
            OWN.replace("date", "x-road-error"),
            OWN.replace("400 Bad Request", "404 Not Found"),
            OWN.replace("content-length: 0", "content-length: 2") + "{}",
            OWN.repeat(2),
            format!("{OWN}more"),
            format!("x{OWN}"),
            String::new(),
        ];
        for other in others {
            assert_eq!(OwnAnswer::read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn it_is_given_headers_and_a_body() {
        let own = OwnAnswer::read(OWN.as_bytes()).unwrap();
        let want = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\nx-road-error: R\r\n\
                    content-length: 2\r\ndate: Wed, 25 Nov 2026 13:00:00 GMT\r\n\r\n{}";
        assert_eq!(own.with("x-road-error: R\r\n", "{}"), want);
    }
}
