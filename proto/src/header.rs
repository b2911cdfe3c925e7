//! Headers of requests and answers: bytes to values and back.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::agreement::AgreementId;
use mesh_core::exchange::{
    AnswerHeader, BodyDescriptor, DirectoryPosition, ExchangeId, Outcome, RequestHeader,
};
use mesh_core::limits::{DATA_BYTES_MAX, DEADLINE_MAX, HEADER_BYTES_MAX, INLINE_BODY_BYTES_MAX};
use mesh_core::operation::OperationKind;
use prost::Message;

use crate::malformed::{Malformed, absent, at_most, digest, exactly, parse, parse_optional};
use crate::wire::exchange::v1 as wire;

/// Reads the bytes of `Open.header` that begin a request.
pub fn read_request(bytes: &[u8]) -> Result<RequestHeader, Malformed> {
    at_most("header", bytes.len(), HEADER_BYTES_MAX)?;
    let header = wire::RequestHeader::decode(bytes).map_err(|why| Malformed::new("header", why))?;
    absent("sealing", header.sealing.is_none())?;
    absent("service_version", header.service_version.is_empty())?;
    let limit = DEADLINE_MAX.as_millis() as u64;
    if !(1..=limit).contains(&header.deadline_ms) {
        return Err(Malformed::new("deadline_ms", format!("want 1 to {limit}")));
    }
    let retry_of = if header.retry_of.is_empty() {
        None
    } else {
        Some(read_exchange_id("retry_of", &header.retry_of)?)
    };
    Ok(RequestHeader {
        exchange: read_exchange_id("exchange_id", &header.exchange_id)?,
        consumer: parse("consumer", &header.consumer)?,
        service: parse("service", &header.service)?,
        operation: parse("operation", &header.operation)?,
        kind: read_kind(header.kind)?,
        agreement: AgreementId(digest("agreement", &header.agreement)?),
        purpose: parse("purpose", &header.purpose)?,
        deadline: Duration::from_millis(header.deadline_ms),
        issued_at_unix_ms: header.issued_at_unix_ms,
        body: read_body(header.body)?,
        head_digest: digest("head_digest", &header.head_digest)?,
        operator: parse_optional("operator_pseudonym", &header.operator_pseudonym)?,
        idempotency_key: parse_optional("idempotency_key", &header.idempotency_key)?,
        retry_of,
        directory: read_position(header.directory)?,
    })
}

/// The bytes of `Open.header` for a request.
pub fn write_request(header: &RequestHeader) -> Bytes {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let message = wire::RequestHeader {
        exchange_id: write_exchange_id(header.exchange),
        consumer: header.consumer.to_string(),
        service: header.service.to_string(),
        operation: header.operation.to_string(),
        kind: write_kind(header.kind),
        agreement: Bytes::copy_from_slice(&header.agreement.0.0),
        purpose: header.purpose.to_string(),
        deadline_ms: header.deadline.as_millis() as u64,
        issued_at_unix_ms: header.issued_at_unix_ms,
        body: Some(write_body(header.body)),
        head_digest: Bytes::copy_from_slice(&header.head_digest.0),
        operator_pseudonym: text(header.operator.as_ref().map(|operator| operator.as_str())),
        idempotency_key: text(header.idempotency_key.as_ref().map(|key| key.as_str())),
        retry_of: header.retry_of.map_or(Bytes::new(), write_exchange_id),
        directory: Some(write_position(header.directory)),
        sealing: None,
        service_version: String::new(),
    };
    message.encode_to_vec().into()
}

/// Reads the bytes of `Open.header` that begin an answer.
pub fn read_answer(bytes: &[u8]) -> Result<AnswerHeader, Malformed> {
    at_most("header", bytes.len(), HEADER_BYTES_MAX)?;
    let header = wire::AnswerHeader::decode(bytes).map_err(|why| Malformed::new("header", why))?;
    absent("answer_nonce", header.answer_nonce.is_empty())?;
    absent("replica_key_id", header.replica_key_id.is_empty())?;
    Ok(AnswerHeader {
        exchange: read_exchange_id("exchange_id", &header.exchange_id)?,
        request_digest: digest("request_digest", &header.request_digest)?,
        outcome: read_outcome(header.outcome, &header.reason)?,
        answered_at_unix_ms: header.answered_at_unix_ms,
        body: read_body(header.body)?,
        head_digest: digest("head_digest", &header.head_digest)?,
        directory: read_position(header.directory)?,
    })
}

/// The bytes of `Open.header` for an answer.
pub fn write_answer(header: &AnswerHeader) -> Bytes {
    let (outcome, reason) = match header.outcome {
        Outcome::Answered => (wire::Outcome::Answered, String::new()),
        Outcome::Refused(reason) => (wire::Outcome::Refused, reason.to_string()),
        Outcome::Failed(reason) => (wire::Outcome::Failed, reason.to_string()),
    };
    let message = wire::AnswerHeader {
        exchange_id: write_exchange_id(header.exchange),
        request_digest: Bytes::copy_from_slice(&header.request_digest.0),
        outcome: outcome.into(),
        reason,
        answered_at_unix_ms: header.answered_at_unix_ms,
        body: Some(write_body(header.body)),
        head_digest: Bytes::copy_from_slice(&header.head_digest.0),
        directory: Some(write_position(header.directory)),
        answer_nonce: Bytes::new(),
        replica_key_id: Bytes::new(),
    };
    message.encode_to_vec().into()
}

pub(crate) fn read_exchange_id(field: &'static str, bytes: &[u8]) -> Result<ExchangeId, Malformed> {
    let version_7 = ExchangeId::from_bytes(exactly(field, bytes)?);
    version_7.ok_or_else(|| Malformed::new(field, "is no UUID of version 7"))
}

fn write_exchange_id(id: ExchangeId) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn read_outcome(outcome: i32, reason: &str) -> Result<Outcome, Malformed> {
    match wire::Outcome::try_from(outcome) {
        Ok(wire::Outcome::Answered) if reason.is_empty() => Ok(Outcome::Answered),
        Ok(wire::Outcome::Answered) => Err(Malformed::new("reason", "an answer has none")),
        Ok(wire::Outcome::Refused) => parse("reason", reason).map(Outcome::Refused),
        Ok(wire::Outcome::Failed) => parse("reason", reason).map(Outcome::Failed),
        Ok(wire::Outcome::Unspecified) | Err(_) => {
            Err(Malformed::new("outcome", format!("{outcome} is no outcome")))
        }
    }
}

pub(crate) fn read_kind(kind: i32) -> Result<OperationKind, Malformed> {
    match wire::OperationKind::try_from(kind) {
        Ok(wire::OperationKind::Inquiry) => Ok(OperationKind::Inquiry),
        Ok(wire::OperationKind::Submission) => Ok(OperationKind::Submission),
        Ok(wire::OperationKind::Unspecified) | Err(_) => {
            Err(Malformed::new("kind", format!("{kind} is no kind of operation")))
        }
    }
}

pub(crate) fn write_kind(kind: OperationKind) -> i32 {
    match kind {
        OperationKind::Inquiry => wire::OperationKind::Inquiry.into(),
        OperationKind::Submission => wire::OperationKind::Submission.into(),
    }
}

pub(crate) fn read_position(
    position: Option<wire::DirectoryPosition>,
) -> Result<DirectoryPosition, Malformed> {
    let position = position.ok_or(Malformed::missing("directory"))?;
    let root = match &position.root[..] {
        [] => None,
        root => Some(digest("directory.root", root)?),
    };
    Ok(DirectoryPosition { epoch: position.epoch, revision: position.revision, root })
}

/// A position as it stands in headers, hellos and status answers.
pub fn write_position(position: DirectoryPosition) -> wire::DirectoryPosition {
    let root = position.root.map_or(Bytes::new(), |root| Bytes::copy_from_slice(&root.0));
    wire::DirectoryPosition { epoch: position.epoch, revision: position.revision, root }
}

fn read_body(body: Option<wire::BodyDescriptor>) -> Result<BodyDescriptor, Malformed> {
    match body.and_then(|body| body.kind).ok_or(Malformed::missing("body"))? {
        wire::body_descriptor::Kind::Inline(body) => {
            at_most("body.length", body.length as usize, INLINE_BODY_BYTES_MAX)?;
            let digest = digest("body.digest", &body.digest)?;
            Ok(BodyDescriptor::Inline { digest, length: body.length })
        }
        wire::body_descriptor::Kind::Stream(body) => {
            if !(1..=DATA_BYTES_MAX as u32).contains(&body.chunk_bytes) {
                let why = format!("want 1 to {DATA_BYTES_MAX}");
                return Err(Malformed::new("body.chunk_bytes", why));
            }
            Ok(BodyDescriptor::Stream { chunk_bytes: body.chunk_bytes, length: body.length })
        }
    }
}

fn write_body(body: BodyDescriptor) -> wire::BodyDescriptor {
    let kind = match body {
        BodyDescriptor::Inline { digest, length } => {
            let digest = Bytes::copy_from_slice(&digest.0);
            wire::body_descriptor::Kind::Inline(wire::InlineBody { digest, length })
        }
        BodyDescriptor::Stream { chunk_bytes, length } => {
            wire::body_descriptor::Kind::Stream(wire::StreamBody { chunk_bytes, length })
        }
    };
    wire::BodyDescriptor { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_core::exchange::Digest;
    use mesh_core::reason::Reason;

    fn request() -> RequestHeader {
        RequestHeader {
            exchange: ExchangeId::new(1_795_000_000_000, [7; 10]),
            consumer: "ir/gov/tax/desk".parse().unwrap(),
            service: "ir/gov/civil/persons/identity.v1".parse().unwrap(),
            operation: "getPerson".parse().unwrap(),
            kind: OperationKind::Submission,
            agreement: AgreementId(Digest([3; 32])),
            purpose: "licence-issue".parse().unwrap(),
            deadline: Duration::from_secs(30),
            issued_at_unix_ms: 1_795_000_000_000,
            body: BodyDescriptor::Inline { digest: Digest([1; 32]), length: 9 },
            head_digest: Digest([2; 32]),
            operator: Some("desk-7".parse().unwrap()),
            idempotency_key: Some("k-1".parse().unwrap()),
            retry_of: Some(ExchangeId::new(1_795_000_000_000, [9; 10])),
            directory: DirectoryPosition { epoch: 1, revision: 5, root: Some(Digest([9; 32])) },
        }
    }

    #[test]
    fn a_request_header_reads_as_it_was_written() {
        let mut header = request();
        assert_eq!(read_request(&write_request(&header)), Ok(header.clone()));
        header.retry_of = None;
        header.operator = None;
        header.idempotency_key = None;
        header.body = BodyDescriptor::Stream { chunk_bytes: 16_384, length: Some(0) };
        assert_eq!(read_request(&write_request(&header)), Ok(header));
    }

    #[test]
    fn an_answer_header_reads_as_it_was_written() {
        for outcome in [
            Outcome::Answered,
            Outcome::Refused(Reason::OperationMismatch),
            Outcome::Failed(Reason::ProviderBrokeOff),
        ] {
            let header = AnswerHeader {
                exchange: request().exchange,
                request_digest: Digest([4; 32]),
                outcome,
                answered_at_unix_ms: 1,
                body: BodyDescriptor::Stream { chunk_bytes: 1, length: None },
                head_digest: Digest([5; 32]),
                directory: DirectoryPosition::default(),
            };
            assert_eq!(read_answer(&write_answer(&header)), Ok(header));
        }
    }

    #[test]
    fn refuses_a_header_that_is_not_whole() {
        type Change = fn(&mut wire::RequestHeader);
        let cases: &[(&str, Change)] = &[
            ("exchange_id: is 3 bytes long", |h| h.exchange_id = Bytes::from_static(b"abc")),
            ("exchange_id: is no UUID", |h| h.exchange_id = Bytes::from_static(&[0; 16])),
            ("consumer: system address has 1 part", |h| h.consumer = "tax".into()),
            ("service: ", |h| h.service.push('x')),
            ("operation: ", |h| h.operation.clear()),
            ("kind: 0 is no kind", |h| h.kind = 0),
            ("kind: 9 is no kind", |h| h.kind = 9),
            ("agreement: is 0 bytes", |h| h.agreement.clear()),
            ("purpose: ", |h| h.purpose.clear()),
            ("deadline_ms: want", |h| h.deadline_ms = 0),
            ("deadline_ms: want", |h| h.deadline_ms = 3_600_001),
            ("body: is missing", |h| h.body = None),
            ("body: is missing", |h| h.body = Some(wire::BodyDescriptor { kind: None })),
            ("body.chunk_bytes", |h| {
                h.body = Some(write_body(BodyDescriptor::Stream { chunk_bytes: 0, length: None }));
            }),
            ("body.length: is 65537", |h| {
                let digest = Digest([0; 32]);
                h.body = Some(write_body(BodyDescriptor::Inline { digest, length: 65_537 }));
            }),
            ("head_digest: is 0 bytes", |h| h.head_digest = Bytes::new()),
            ("operator_pseudonym: ", |h| h.operator_pseudonym = "a b".into()),
            ("idempotency_key: ", |h| h.idempotency_key = "x".repeat(129)),
            ("retry_of: ", |h| h.retry_of = Bytes::from_static(b"x")),
            ("directory: is missing", |h| h.directory = None),
            ("directory.root: is 31 bytes", |h| {
                h.directory.get_or_insert_default().root = Bytes::from_static(&[3; 31]);
            }),
            ("sealing: belongs to a later", |h| h.sealing = Some(wire::Sealing::default())),
            ("service_version: belongs to a later", |h| h.service_version = "1.4".into()),
        ];
        for (want, change) in cases {
            let whole = write_request(&request());
            let mut header = wire::RequestHeader::decode(whole).unwrap();
            change(&mut header);
            let error = read_request(&header.encode_to_vec()).expect_err(want).to_string();
            assert!(error.starts_with(want), "{error:?} does not say {want:?}");
        }
        assert!(read_request(&[0xff; 40]).is_err());
        assert!(read_request(&vec![0; HEADER_BYTES_MAX + 1]).is_err());
    }
}
