//! Heads and trailers: what the two agents tell each other beside the body, opaque to all hops.

use bytes::Bytes;
pub use mesh_core::limits::FIELDS_MAX;
use mesh_core::limits::{HEAD_BYTES_MAX, TAIL_BYTES_MAX};
use mesh_core::operation::{Method, RequestPath};
use prost::Message;

use crate::malformed::{Malformed, at_most, parse};
use crate::wire::exchange::v1 as wire;

/// One HTTP field: lower-case name (RFC 9110 §5.1), raw value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    pub name: String,
    pub value: Bytes,
}

/// The head of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestHead {
    pub method: Method,
    /// Percent-encoded, checked by [`RequestPath`].
    pub path: String,
    pub query: Option<String>,
    pub fields: Vec<Field>,
    /// X-Road-Id
    pub message_id: Option<String>,
    /// X-Road-UserId
    pub user_id: Option<String>,
    /// X-Road-Issue
    pub issue: Option<String>,
}

/// The head of an answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnswerHead {
    /// HTTP status, 200 to 599.
    pub status: u16,
    pub fields: Vec<Field>,
    /// A sentence, when the outcome is refused or failed; else empty.
    pub detail: String,
}

/// Reads `Open.head` of a request.
pub fn read_request_head(bytes: &[u8]) -> Result<RequestHead, Malformed> {
    at_most("head", bytes.len(), HEAD_BYTES_MAX)?;
    let head = wire::RequestHead::decode(bytes).map_err(|why| Malformed::new("head", why))?;
    RequestPath::new(&head.path).map_err(|why| Malformed::new("head.path", why))?;
    if let Some(query) = &head.query
        && !query.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
    {
        return Err(Malformed::new("head.query", "has a character that RFC 3986 does not allow"));
    }
    Ok(RequestHead {
        method: parse("head.method", &head.method)?,
        path: head.path,
        query: head.query,
        fields: read_fields("head.fields", head.fields)?,
        message_id: read_text("head.message_id", head.message_id)?,
        user_id: read_text("head.user_id", head.user_id)?,
        issue: read_text("head.issue", head.issue)?,
    })
}

/// `Open.head` of a request, or what makes it too large to carry.
pub fn write_request_head(head: RequestHead) -> Result<Bytes, Malformed> {
    at_most("head.fields", head.fields.len(), FIELDS_MAX)?;
    let message = wire::RequestHead {
        method: head.method.name().into(),
        path: head.path,
        query: head.query,
        fields: write_fields(head.fields),
        message_id: head.message_id.unwrap_or_default(),
        user_id: head.user_id.unwrap_or_default(),
        issue: head.issue.unwrap_or_default(),
    };
    at_most("head", message.encoded_len(), HEAD_BYTES_MAX)?;
    Ok(message.encode_to_vec().into())
}

/// Reads `Open.head` of an answer.
pub fn read_answer_head(bytes: &[u8]) -> Result<AnswerHead, Malformed> {
    at_most("head", bytes.len(), HEAD_BYTES_MAX)?;
    let head = wire::AnswerHead::decode(bytes).map_err(|why| Malformed::new("head", why))?;
    let status = u16::try_from(head.status).ok().filter(|status| (200..600).contains(status));
    Ok(AnswerHead {
        status: status.ok_or_else(|| Malformed::new("head.status", "want 200 to 599"))?,
        fields: read_fields("head.fields", head.fields)?,
        detail: head.detail,
    })
}

/// `Open.head` of an answer, or what makes it too large to carry.
pub fn write_answer_head(head: AnswerHead) -> Result<Bytes, Malformed> {
    at_most("head.fields", head.fields.len(), FIELDS_MAX)?;
    let message = wire::AnswerHead {
        status: head.status.into(),
        fields: write_fields(head.fields),
        detail: head.detail,
    };
    at_most("head", message.encoded_len(), HEAD_BYTES_MAX)?;
    Ok(message.encode_to_vec().into())
}

/// Reads `Close.tail`.
pub fn read_trailers(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    at_most("tail", bytes.len(), TAIL_BYTES_MAX)?;
    let trailers = wire::Trailers::decode(bytes).map_err(|why| Malformed::new("tail", why))?;
    read_fields("tail.fields", trailers.fields)
}

/// `Close.tail`, empty for no trailers; or what makes it too large to carry.
pub fn write_trailers(fields: Vec<Field>) -> Result<Bytes, Malformed> {
    at_most("tail.fields", fields.len(), FIELDS_MAX)?;
    let message = wire::Trailers { fields: write_fields(fields) };
    at_most("tail", message.encoded_len(), TAIL_BYTES_MAX)?;
    Ok(message.encode_to_vec().into())
}

fn read_fields(name: &'static str, fields: Vec<wire::Field>) -> Result<Vec<Field>, Malformed> {
    at_most(name, fields.len(), FIELDS_MAX)?;
    let read = |field: wire::Field| {
        // RFC 9110 §5.6.2 `token`, in lower case; §5.5 for values.
        let token =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
        let visible = |b: &u8| *b == b'\t' || (0x20..0x7f).contains(b) || 0x80 <= *b;
        if field.name.is_empty() || !field.name.bytes().all(token) {
            return Err(Malformed::new(name, "has a name that is no lower-case token"));
        }
        if !field.value.iter().all(visible) {
            return Err(Malformed::new(name, "has a value with a control character"));
        }
        Ok(Field { name: field.name, value: field.value })
    };
    fields.into_iter().map(read).collect()
}

fn write_fields(fields: Vec<Field>) -> Vec<wire::Field> {
    fields.into_iter().map(|Field { name, value }| wire::Field { name, value }).collect()
}

/// Reads a text that goes into an HTTP field: visible ASCII and spaces, absent when empty.
fn read_text(field: &'static str, text: String) -> Result<Option<String>, Malformed> {
    if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return Err(Malformed::new(field, "has a character that no HTTP field carries"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RequestHead {
        RequestHead {
            method: Method::Post,
            path: "/persons/match".into(),
            query: Some("a=%20&b".into()),
            fields: vec![Field { name: "accept".into(), value: Bytes::from_static(b"*/*") }],
            message_id: Some("m 1".into()),
            user_id: None,
            issue: Some("i".into()),
        }
    }

    #[test]
    fn heads_read_as_they_were_written() {
        let bytes = write_request_head(request()).unwrap();
        assert_eq!(read_request_head(&bytes), Ok(request()));
        let answer = AnswerHead {
            status: 404,
            fields: vec![Field { name: "etag".into(), value: Bytes::from_static(b"\xd8\xb3") }],
            detail: String::new(),
        };
        let bytes = write_answer_head(answer.clone()).unwrap();
        assert_eq!(read_answer_head(&bytes), Ok(answer.clone()));
        let bytes = write_trailers(answer.fields.clone()).unwrap();
        assert_eq!(read_trailers(&bytes), Ok(answer.fields));
    }

    #[test]
    fn refuses_heads_that_could_smuggle() {
        type Change = fn(&mut wire::RequestHead);
        let cases: &[(&str, Change)] = &[
            ("head.method", |h| h.method = "get".into()),
            ("head.path", |h| h.path = "/a/../b".into()),
            ("head.path", |h| h.path = "/a HTTP/1.1\r\n".into()),
            ("head.query", |h| h.query = Some("a b".into())),
            ("head.fields: has a name", |h| h.fields[0].name = "Accept".into()),
            ("head.fields: has a name", |h| h.fields[0].name = "a:".into()),
            ("head.fields: has a name", |h| h.fields[0].name.clear()),
            ("head.fields: has a value", |h| h.fields[0].value = Bytes::from_static(b"a\r\nb: c")),
            ("head.fields: is 129", |h| h.fields = vec![h.fields[0].clone(); 129]),
            ("head.message_id", |h| h.message_id = "a\nb".into()),
            ("head.user_id", |h| h.user_id = "ک".into()),
        ];
        for (want, change) in cases {
            let bytes = write_request_head(request()).unwrap();
            let mut head = wire::RequestHead::decode(bytes).unwrap();
            change(&mut head);
            let error = read_request_head(&head.encode_to_vec()).expect_err(want).to_string();
            assert!(error.starts_with(want), "{error:?} does not say {want:?}");
        }
    }

    #[test]
    fn says_when_a_head_is_too_large() {
        let mut head = request();
        head.fields[0].value = vec![b'x'; HEAD_BYTES_MAX].into();
        assert!(write_request_head(head).is_err());
    }
}
