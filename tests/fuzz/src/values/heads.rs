//! Headers, heads and trailers.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::agreement::AgreementId;
use mesh_core::exchange::{
    AnswerHeader, BodyDescriptor, DirectoryPosition, OPAQUE_BYTES_MAX, Outcome, RequestHeader,
};
use mesh_core::limits::{DATA_BYTES_MAX, DEADLINE_MAX, INLINE_BODY_BYTES_MAX};
use mesh_core::operation::OperationKind;
use mesh_proto::head::{AnswerHead, FIELDS_MAX, Field, RequestHead};

use super::names::{
    characters, digest, exchange_id, graphic, label, method, parsed, path, reason, service, system,
    text, word,
};
use crate::Dice;

const TOKEN: &[u8] = b"abcxyz0189!#$%&'*+-.^_`|~";

pub fn request_header(dice: &mut Dice) -> RequestHeader {
    let kinds = [OperationKind::Inquiry, OperationKind::Submission];
    RequestHeader {
        exchange: exchange_id(dice),
        consumer: system(dice),
        service: service(dice),
        operation: parsed(&word(dice)),
        kind: *dice.pick(&kinds),
        agreement: AgreementId(digest(dice)),
        purpose: parsed(&label(dice)),
        deadline: Duration::from_millis(dice.within(1..=DEADLINE_MAX.as_millis() as u64)),
        issued_at_unix_ms: dice.within(0..=u64::MAX),
        body: body(dice),
        head_digest: digest(dice),
        operator: dice.maybe(|dice| parsed(&graphic(dice, OPAQUE_BYTES_MAX))),
        idempotency_key: dice.maybe(|dice| parsed(&graphic(dice, OPAQUE_BYTES_MAX))),
        retry_of: dice.maybe(exchange_id),
        directory: position(dice),
    }
}

pub fn check_request_header(header: &RequestHeader) -> Result<(), String> {
    if !(Duration::from_millis(1)..=DEADLINE_MAX).contains(&header.deadline) {
        return Err(format!("its deadline is {:?}", header.deadline));
    }
    let opaque = [
        header.operator.as_ref().map(|operator| operator.as_str()),
        header.idempotency_key.as_ref().map(|key| key.as_str()),
    ];
    if let Some(long) = opaque.into_iter().flatten().find(|text| OPAQUE_BYTES_MAX < text.len()) {
        return Err(format!("{long:?} is too long"));
    }
    check_body(&header.body)
}

pub fn answer_header(dice: &mut Dice) -> AnswerHeader {
    let outcome = match dice.below(3) {
        0 => Outcome::Answered,
        1 => Outcome::Refused(reason(dice)),
        _ => Outcome::Failed(reason(dice)),
    };
    AnswerHeader {
        exchange: exchange_id(dice),
        request_digest: digest(dice),
        outcome,
        answered_at_unix_ms: dice.within(0..=u64::MAX),
        body: body(dice),
        head_digest: digest(dice),
        directory: position(dice),
    }
}

pub fn check_answer_header(header: &AnswerHeader) -> Result<(), String> {
    check_body(&header.body)
}

pub(super) fn position(dice: &mut Dice) -> DirectoryPosition {
    DirectoryPosition {
        epoch: dice.within(0..=u64::MAX),
        revision: dice.within(0..=u64::MAX),
        root: None,
    }
}

fn body(dice: &mut Dice) -> BodyDescriptor {
    if dice.one_in(2) {
        let length = dice.within(0..=INLINE_BODY_BYTES_MAX as u64) as u32;
        BodyDescriptor::Inline { digest: digest(dice), length }
    } else {
        let chunk_bytes = dice.within(1..=DATA_BYTES_MAX as u64) as u32;
        BodyDescriptor::Stream { chunk_bytes, length: dice.maybe(|d| d.within(0..=u64::MAX)) }
    }
}

fn check_body(body: &BodyDescriptor) -> Result<(), String> {
    let fits = match *body {
        BodyDescriptor::Inline { length, .. } => length as usize <= INLINE_BODY_BYTES_MAX,
        BodyDescriptor::Stream { chunk_bytes, .. } => {
            (1..=DATA_BYTES_MAX).contains(&(chunk_bytes as usize))
        }
    };
    if fits { Ok(()) } else { Err("its body is too large".into()) }
}

pub fn request_head(dice: &mut Dice) -> RequestHead {
    let query = |dice: &mut Dice| graphic(dice, 4096).replace('#', "&");
    let text = |dice: &mut Dice| format!("{} {}", graphic(dice, 200), graphic(dice, 200));
    RequestHead {
        method: method(dice),
        path: path(dice),
        // Absent and empty differ.
        query: dice.maybe(|dice| if dice.one_in(4) { String::new() } else { query(dice) }),
        fields: trailers(dice),
        message_id: dice.maybe(text),
        user_id: dice.maybe(text),
        issue: dice.maybe(text),
    }
}

pub fn answer_head(dice: &mut Dice) -> AnswerHead {
    AnswerHead {
        status: dice.within(200..=599) as u16,
        fields: trailers(dice),
        detail: text(dice, 600),
    }
}

/// Fields, as heads and trailers have them.
pub fn trailers(dice: &mut Dice) -> Vec<Field> {
    (0..dice.length(FIELDS_MAX)).map(|_| field(dice)).collect()
}

fn field(dice: &mut Dice) -> Field {
    let length = 1 + dice.length(60);
    let name = characters(dice, length, TOKEN);
    let length = dice.length(200);
    let value = (0..length).map(|_| match dice.below(4) {
        0 => b'\t',
        1 => dice.within(0x80..=0xff) as u8,
        _ => dice.within(0x20..=0x7e) as u8,
    });
    Field { name, value: Bytes::from_iter(value) }
}

/// No field could be read as two, or as the end of a head.
pub fn check_fields(fields: &[Field]) -> Result<(), String> {
    if FIELDS_MAX < fields.len() {
        return Err(format!("it has {} fields", fields.len()));
    }
    let splits = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'\0');
    let unsafe_one = fields.iter().find(|Field { name, value }| {
        let bad_name = |byte: u8| byte <= b' ' || byte == b':' || byte.is_ascii_uppercase();
        name.is_empty() || name.bytes().any(bad_name) || value.iter().any(splits)
    });
    unsafe_one.map_or(Ok(()), |field| Err(format!("{field:?} is unsafe in HTTP/1")))
}
