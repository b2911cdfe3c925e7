//! Peers that do not keep to the rules: what an agent takes from its hub is checked here as well.

mod nation;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use mesh_core::exchange::{
    AnswerHeader, BodyDescriptor, Digest, DirectoryPosition, ExchangeId, Outcome, RequestHeader,
};
use mesh_core::operation::{Method, OperationKind};
use mesh_core::reason::Reason;
use mesh_link::exchange::{Event, Incoming};
use mesh_proto::frame::{Close, Hop, HopTime, Open};
use mesh_proto::head::{
    AnswerHead, Field, RequestHead, read_answer_head, write_answer_head, write_request_head,
};
use mesh_proto::header::{read_answer, read_request, write_answer, write_request};
use nation::client::{fetch, person};
use nation::{CONSUMER, FAULTY, IDENTITY, Nation, agreement_with};
use tokio::time::Instant;

fn sha256(bytes: &[u8]) -> Digest {
    Digest(digest(&SHA256, bytes).as_ref().try_into().unwrap())
}

/// An answer that is right in all parts.
fn answer_to(request: &Open, body: &Bytes) -> (AnswerHeader, Open) {
    let asked = read_request(&request.header).unwrap();
    let head = AnswerHead { status: 200, fields: Vec::new(), detail: "a sentence".into() };
    let head = write_answer_head(head).unwrap();
    let header = AnswerHeader {
        exchange: asked.exchange,
        request_digest: sha256(&request.header),
        outcome: Outcome::Answered,
        answered_at_unix_ms: 1,
        body: BodyDescriptor::Inline { digest: sha256(body), length: body.len() as u32 },
        head_digest: sha256(&head),
        directory: DirectoryPosition::default(),
    };
    let mut hops = request.hop.hops.clone();
    let hop = "persons.registry.gov.economy".parse().unwrap();
    hops.push(HopTime { hop, elapsed: Duration::ZERO });
    let hop = Hop { remaining: Duration::ZERO, hops };
    let close = Some(Close::default());
    (header, Open { header: Bytes::new(), head, body: body.clone(), hop, close })
}

/// A hub that answers by itself, in the way that the last part of the path says.
fn rogue(incoming: &Incoming) {
    let path = mesh_proto::head::read_request_head(&incoming.open.head).unwrap().path;
    let body = Bytes::from_static(b"hello");
    let (mut header, mut open) = answer_to(&incoming.open, &body);
    match path.rsplit('/').next().unwrap() {
        "other-exchange" => header.exchange = ExchangeId::new(1, [0; 10]),
        "other-request" => header.request_digest = sha256(b"another"),
        "other-head" => header.head_digest = sha256(b"another"),
        "other-body" => open.body = Bytes::from_static(b"hullo"),
        "short-body" => open.body = Bytes::from_static(b"hell"),
        "long-body" => open.body = Bytes::from_static(b"hello!"),
        "refused" => header.outcome = Outcome::Refused(Reason::BackendMissing),
        "failed" => header.outcome = Outcome::Failed(Reason::ProviderBrokeOff),
        stream @ ("short-stream" | "long-stream" | "endless-stream" | "good-stream") => {
            header.body = BodyDescriptor::Stream { chunk_bytes: 16_384, length: Some(5) };
            let length = match stream {
                "short-stream" => {
                    open.body = Bytes::from_static(b"hell");
                    Some(4)
                }
                "long-stream" => Some(6),
                "endless-stream" => None,
                _ => Some(5),
            };
            open.close = Some(Close { length, ..Close::default() });
        }
        _ => {}
    }
    open.header = if path.ends_with("no-header") { "x".into() } else { write_answer(&header) };
    incoming.exchange.answer(open).unwrap();
}

#[tokio::test]
async fn an_answer_that_is_not_the_one_is_not_seen() {
    let nation = Nation::with_rogue_hub(rogue).await;
    let me = "desk.licensing.gov.economy";
    let far = "persons.registry.gov.economy";
    let corrupt = format!("BODY_CORRUPT@{me} 502: the body");
    #[rustfmt::skip]
    let cases = [
        ("other-exchange", format!("ANSWER_MISMATCH@{far} 502: the answer names another exchange")),
        ("other-request",  format!("ANSWER_MISMATCH@{far} 502: the answer is bound to another")),
        ("other-head",     format!("ANSWER_MISMATCH@{far} 502: the answer's head is not the one")),
        ("no-header",      format!("ANSWER_MISMATCH@{far} 502: the answer's header cannot")),
        ("other-body",     format!("{corrupt} has another digest")),
        ("short-body",     format!("{corrupt} has 4 bytes instead of 5")),
        ("long-body",      format!("{corrupt} is longer than 5 bytes")),
        ("short-stream",   format!("BODY_CORRUPT@{me} 502: 4 body bytes came")),
        ("long-stream",    format!("BODY_CORRUPT@{me} 502: 5 body bytes came")),
        ("endless-stream", format!("BODY_CORRUPT@{me} 502: 5 body bytes came")),
        ("refused",        format!("BACKEND_MISSING@{far} 503: a sentence")),
        ("failed",         format!("PROVIDER_BROKE_OFF@{far} 502: a sentence")),
    ];
    for (way, want) in cases {
        let problem = fetch(nation.local, person(way)).await.problem();
        assert!(problem.starts_with(&want), "{way}: {problem}, want {want}");
    }
    for way in ["good", "good-stream"] {
        assert_eq!(fetch(nation.local, person(way)).await.body, "hello", "{way}");
    }
}

/// A request that is right in all parts.
fn request() -> (RequestHeader, RequestHead) {
    let head = RequestHead {
        method: Method::Get,
        path: "/persons/1".into(),
        query: None,
        fields: vec![Field { name: "x-road-client".into(), value: "forged".into() }],
        message_id: None,
        user_id: None,
        issue: None,
    };
    let header = RequestHeader {
        exchange: ExchangeId::new(1, [7; 10]),
        consumer: CONSUMER.parse().unwrap(),
        service: IDENTITY.parse().unwrap(),
        operation: "getPerson".parse().unwrap(),
        kind: OperationKind::Inquiry,
        agreement: agreement_with(IDENTITY),
        purpose: "licence-issue".parse().unwrap(),
        deadline: Duration::from_secs(5),
        issued_at_unix_ms: 1,
        body: BodyDescriptor::Inline { digest: sha256(b""), length: 0 },
        head_digest: sha256(b""),
        operator: None,
        idempotency_key: None,
        retry_of: None,
        directory: DirectoryPosition::default(),
    };
    (header, head)
}

/// Puts a request on the provider's link; gives its answer, or `REASON: detail`.
async fn put(nation: &Nation, header: &RequestHeader, (head, body): (Bytes, &[u8])) -> String {
    let hop = Hop { remaining: Duration::from_secs(2), hops: Vec::new() };
    let open = Open {
        header: write_request(header),
        head,
        body: Bytes::copy_from_slice(body),
        hop,
        close: Some(Close { length: Some(body.len() as u64), ..Close::default() }),
    };
    let until = Instant::now() + Duration::from_secs(5);
    let exchange = nation.lane_down().open("test".into(), open, until).unwrap();
    match exchange.receive().await {
        Ok(Event::Open(open)) => {
            let header = read_answer(&open.header).unwrap();
            assert_eq!(header.head_digest, sha256(&open.head));
            let status = read_answer_head(&open.head).unwrap().status;
            format!("{status} {}", String::from_utf8_lossy(&open.body))
        }
        Ok(other) => panic!("{other:?}"),
        Err(problem) => format!("{}: {}", problem.reason, problem.detail),
    }
}

#[tokio::test]
async fn a_request_that_is_not_permitted_reaches_no_service() {
    let nation = Nation::start().await;
    type Change = fn(&mut RequestHeader, &mut RequestHead);
    #[rustfmt::skip]
    let cases: &[(&str, Change)] = &[
        ("PURPOSE_NOT_PERMITTED: ", |header, _| header.purpose = "census".parse().unwrap()),
        ("NOT_PERMITTED: ",      |header, _| header.agreement = agreement_with(FAULTY)),
        ("OPERATION_NOT_PERMITTED: ", |header, _| header.operation = "hidden".parse().unwrap()),
        ("NOT_PERMITTED: ",      |header, _| {
            header.consumer = "ir/gov/registry/persons".parse().unwrap();
        }),
        ("ROUTE_STALE: this is", |header, _| header.service = "ir/gov/x/y/z.v1".parse().unwrap()),
        ("OPERATION_MISMATCH: ", |_, head| head.method = Method::Delete),
        ("OPERATION_MISMATCH: ", |_, head| head.path = "/echo".into()),
        ("OPERATION_MISMATCH: ", |_, head| head.path = "/persons/all".into()),
        ("OPERATION_MISMATCH: ", |header, _| header.kind = OperationKind::Submission),
        ("BODY_CORRUPT: the body has 0 bytes", |header, _| {
            header.body = BodyDescriptor::Inline { digest: sha256(b"x"), length: 1 };
        }),
        ("BODY_CORRUPT: the body has another digest", |header, _| {
            header.body = BodyDescriptor::Inline { digest: sha256(b"x"), length: 0 };
        }),
        ("200 GET /base/persons/1\n", |_, _| {}),
    ];
    for (want, change) in cases {
        let (mut header, mut head) = request();
        change(&mut header, &mut head);
        let head = write_request_head(head).unwrap();
        header.head_digest = sha256(&head);
        let said = put(&nation, &header, (head, b"")).await;
        assert!(said.starts_with(want), "{said:?} does not say {want:?}");
        assert!(!said.contains("forged"), "{said}");
    }
    nation.until_idle().await;
}

#[tokio::test]
async fn a_request_that_is_not_what_it_says_reaches_no_service() {
    let nation = Nation::start().await;
    let (mut header, head) = request();
    let head = write_request_head(head).unwrap();
    let said = put(&nation, &header, (head.clone(), b"")).await;
    assert!(said.starts_with("BODY_CORRUPT: the request's head is not"), "{said}");

    header.head_digest = sha256(b"x");
    let said = put(&nation, &header, ("x".into(), b"")).await;
    assert!(said.starts_with("REQUEST_MALFORMED: the request's head cannot be read"), "{said}");

    header.head_digest = sha256(&head);
    header.body = BodyDescriptor::Stream { chunk_bytes: 16_384, length: Some(3) };
    let said = put(&nation, &header, (head, b"ab")).await;
    assert!(said.starts_with("BODY_CORRUPT: 2 body bytes came"), "{said}");
    nation.until_idle().await;
}
