//! Messages from the network: headers, heads, frames, snapshots and statuses.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use fuzz::{Dice, Shape, Target, values};
use mesh_core::change_set::Body;
use mesh_core::directory::history::{Entry, Head, Heartbeat};
use mesh_core::directory::scope::Scope;
use mesh_core::exchange::{AnswerHeader, RequestHeader};
use mesh_core::limits::DETAIL_BYTES_MAX;
use mesh_core::operation::RequestPath;
use mesh_core::reason::Problem;
use mesh_proto::directory::{
    ScopeSnapshot, Signature, read_entry, read_follow, read_heartbeat, read_scope_snapshot,
    read_signature, write_entry, write_follow, write_heartbeat, write_scope_snapshot,
    write_signature,
};
use mesh_proto::frame::{Frame, read_problem, write_problem};
use mesh_proto::head::{
    AnswerHead, Field, RequestHead, read_answer_head, read_request_head, read_trailers,
    write_answer_head, write_request_head, write_trailers,
};
use mesh_proto::header::{read_answer, read_request, write_answer, write_request};
use mesh_proto::registry::{Page, read_body, read_page, write_body, write_page};
use mesh_proto::status::{read_status, write_status};
use mesh_proto::wire::directory::v1 as directory;
use mesh_proto::wire::exchange::v1 as exchange;
use mesh_proto::wire::registry::v1 as registry;
use prost::Message;
use tonic::{Code, Status};

/// A decoder of one protobuf message that sets no limits of its own.
fn message<V: Debug + PartialEq>(
    name: &'static str,
    value: fn(&mut Dice) -> V,
    write: fn(&V) -> Option<Vec<u8>>,
    read: fn(&[u8]) -> Option<V>,
) -> Target<V> {
    Target { name, shape: Shape::Message, value, write, read, check: |_| Ok(()) }
}

#[test]
fn request_header() {
    let write = |header: &RequestHeader| Some(write_request(header).to_vec());
    let read = |bytes: &[u8]| read_request(bytes).ok();
    let target = message("request header", values::request_header, write, read);
    Target { check: values::check_request_header, ..target }.hold();
}

#[test]
fn answer_header() {
    let write = |header: &AnswerHeader| Some(write_answer(header).to_vec());
    let read = |bytes: &[u8]| read_answer(bytes).ok();
    let target = message("answer header", values::answer_header, write, read);
    Target { check: values::check_answer_header, ..target }.hold();
}

#[test]
fn request_head() {
    let write = |head: &RequestHead| write_request_head(head.clone()).ok().map(Vec::from);
    let read = |bytes: &[u8]| read_request_head(bytes).ok();
    let check = |head: &RequestHead| {
        RequestPath::new(&head.path).map_err(|why| why.to_string())?;
        let visible = |text: &String| text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        let texts = [&head.query, &head.message_id, &head.user_id, &head.issue];
        if let Some(text) = texts.into_iter().flatten().find(|text| !visible(text)) {
            return Err(format!("{text:?} cannot stand in an HTTP head"));
        }
        values::check_fields(&head.fields)
    };
    Target { check, ..message("request head", values::request_head, write, read) }.hold();
}

#[test]
fn answer_head() {
    let write = |head: &AnswerHead| write_answer_head(head.clone()).ok().map(Vec::from);
    let read = |bytes: &[u8]| read_answer_head(bytes).ok();
    let check = |head: &AnswerHead| {
        if !(200..600).contains(&head.status) {
            return Err(format!("its status is {}", head.status));
        }
        values::check_fields(&head.fields)
    };
    Target { check, ..message("answer head", values::answer_head, write, read) }.hold();
}

#[test]
fn trailers() {
    let write = |fields: &Vec<Field>| write_trailers(fields.clone()).ok().map(Vec::from);
    let read = |bytes: &[u8]| read_trailers(bytes).ok();
    let check = |fields: &Vec<Field>| values::check_fields(fields);
    Target { check, ..message("trailers", values::trailers, write, read) }.hold();
}

#[test]
fn batch() {
    let write = |frames: &Vec<Frame>| Some(values::write_batch(frames));
    let check = |frames: &Vec<Frame>| values::check_batch(frames);
    Target { check, ..message("batch", values::batch, write, values::read_batch) }.hold();
}

#[test]
fn problem() {
    let write = |problem: &Problem| Some(write_problem(problem).encode_to_vec());
    let read = |bytes: &[u8]| read_problem(exchange::Problem::decode(bytes).ok()?).ok();
    Target { check: check_problem, ..message("problem", values::problem, write, read) }.hold();
}

#[test]
fn status() {
    // The bytes of `grpc-status-details-bin`. gRPC sends code and message beside them too.
    let write = |problem: &Problem| Some(write_status(problem, None).details().to_vec());
    let read = |bytes: &[u8]| {
        let sent = tonic_types::Status::decode(bytes).unwrap_or_default();
        let details = Bytes::copy_from_slice(bytes);
        read_status(&Status::with_details(Code::from_i32(sent.code), sent.message, details))
    };
    Target { check: check_problem, ..message("status", values::problem, write, read) }.hold();
}

fn check_problem(problem: &Problem) -> Result<(), String> {
    let length = problem.detail.len();
    if length <= DETAIL_BYTES_MAX { Ok(()) } else { Err(format!("its detail has {length} bytes")) }
}

#[test]
fn snapshot() {
    let write = |snapshot: &values::Snapshot| Some(values::write_snapshot(snapshot));
    let target = message("snapshot", values::snapshot, write, values::read_snapshot);
    Target { check: values::check_snapshot, ..target }.hold();
}

#[test]
fn entry() {
    let write = |entry: &Entry| Some(write_entry(entry).to_vec());
    let read = |bytes: &[u8]| read_entry(bytes).ok();
    Target { check: values::check_entry, ..message("entry", values::entry, write, read) }.hold();
}

#[test]
fn follow() {
    let write = |have: &BTreeMap<Scope, Head>| Some(write_follow(have).encode_to_vec());
    let read = |bytes: &[u8]| read_follow(&directory::FollowRequest::decode(bytes).ok()?).ok();
    message("follow", values::heads, write, read).hold();
}

#[test]
fn heartbeat() {
    let write = |heartbeat: &Heartbeat| Some(write_heartbeat(heartbeat).to_vec());
    let read = |bytes: &[u8]| read_heartbeat(bytes).ok();
    message("heartbeat", values::heartbeat, write, read).hold();
}

#[test]
fn directory_signature() {
    let write = |signature: &Signature| Some(write_signature(signature).encode_to_vec());
    let read = |bytes: &[u8]| {
        read_signature(Some(&directory::DirectorySignature::decode(bytes).ok()?)).ok()
    };
    message("directory signature", values::signature, write, read).hold();
}

#[test]
fn scope_snapshot() {
    let write = |snapshot: &ScopeSnapshot| Some(write_scope_snapshot(snapshot).to_vec());
    let read = |bytes: &[u8]| read_scope_snapshot(bytes).ok();
    message("scope snapshot", values::scope_snapshot, write, read).hold();
}

#[test]
fn page() {
    let write = |page: &Page| Some(write_page(page).encode_to_vec());
    let read = |bytes: &[u8]| read_page(registry::ReadRequest::decode(bytes).ok()?).ok();
    message("page", values::page, write, read).hold();
}

#[test]
fn change_set_body() {
    let write = |body: &Body| Some(write_body(body).to_vec());
    let read = |bytes: &[u8]| read_body(bytes).ok();
    Target { check: values::check_body, ..message("change set", values::body, write, read) }.hold();
}
