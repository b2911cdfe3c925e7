//! Frames read as they were written, and refuse what their document forbids.

use mesh_core::limits::DETAIL_BYTES_MAX;

use super::*;
use wire::frame::Kind;

fn frames() -> Vec<Frame> {
    let hop: HopName = "hub.health".parse().unwrap();
    let open = Open {
        header: Bytes::from_static(b"header"),
        head: Bytes::from_static(b"head"),
        body: Bytes::from_static(b"body"),
        hop: Hop {
            remaining: Duration::from_micros(1_500),
            hops: vec![HopTime { hop: hop.clone(), elapsed: Duration::from_micros(3) }],
        },
        close: Some(Close { length: Some(4), tail: Bytes::from_static(b"tail") }),
    };
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        node: "hub.health.mesh.ir".into(),
        lane: LaneKind::Bulk,
        link_id: [5; 16],
        exchanges_max: 10,
        credit_bytes: 20,
        directory: DirectoryPosition::default(),
        software: "hub-cluster 0.1.0".into(),
    };
    vec![
        Frame::Open { exchange: 1, open },
        Frame::Data { exchange: 1, body: Bytes::from_static(b"more") },
        Frame::Close { exchange: 1, close: Close::default() },
        Frame::Cancel { exchange: 3, problem: Problem::new(Reason::Overloaded, hop, "full") },
        Frame::Credit { exchange: 1, bytes: 7 },
        Frame::Hello(Box::new(hello)),
        Frame::Ping { sequence: 2, reply: true },
        Frame::Drain { grace: Duration::from_millis(9) },
    ]
}

#[test]
fn a_batch_reads_as_it_was_written() {
    assert_eq!(read_batch(write_batch(frames())), Ok(frames()));
}

/// Reads each frame alone, and expects the error that begins as its case says.
fn expect_refused(cases: impl IntoIterator<Item = (&'static str, Option<Kind>)>) {
    for (want, kind) in cases {
        let batch = wire::Batch { frames: vec![wire::Frame { kind }] };
        let error = read_batch(batch).expect_err(want).to_string();
        assert!(error.starts_with(want), "{error:?} does not say {want:?}");
    }
}

/// The whole open of [`frames`], and then changed.
fn open(change: impl FnOnce(&mut wire::Open)) -> Option<Kind> {
    let mut frame = write_batch(frames()).frames.remove(0);
    let Some(Kind::Open(open)) = &mut frame.kind else { panic!("an open comes first") };
    change(open);
    frame.kind
}

#[test]
fn refuses_opens_that_break_a_rule() {
    expect_refused([
        ("exchange: is 0", open(|open| open.exchange = 0)),
        ("open.header: is missing", open(|open| open.header = Bytes::new())),
        ("open.header: is 8193", open(|open| open.header = vec![0; 8193].into())),
        ("open.head: is 32769", open(|open| open.head = vec![0; 32769].into())),
        ("open.body: is 16385", open(|open| open.body = vec![0; 16385].into())),
        ("open.signature: belongs", open(|open| open.signature = Some(Default::default()))),
        (
            "open.close.exchange: is not 0",
            open(|open| {
                open.close.get_or_insert_default().exchange = 1;
            }),
        ),
    ]);
}

#[test]
fn refuses_ends_that_break_a_rule() {
    let close = |change: fn(&mut wire::Close)| {
        let mut close = write_close(1, Close { length: Some(4), tail: Bytes::new() });
        change(&mut close);
        Some(Kind::Close(close))
    };
    let end = |body: Bytes, signature| {
        let end = Some(exchange::End { body, signature });
        Some(Kind::Close(wire::Close { exchange: 1, end, ..wire::Close::default() }))
    };
    let body = |change: fn(&mut exchange::EndBody)| {
        let mut body = exchange::EndBody { length: 4, ..exchange::EndBody::default() };
        change(&mut body);
        end(body.encode_to_vec().into(), None)
    };
    expect_refused([
        ("exchange: is 0", close(|close| close.exchange = 0)),
        ("close.tail: is 8193", close(|close| close.tail = vec![0; 8193].into())),
        ("close.stamp: belongs", close(|close| close.stamp = Some(Default::default()))),
        ("end.signature: belongs", end(Bytes::new(), Some(Default::default()))),
        ("end.body: is 257", end(vec![0; 257].into(), None)),
        ("end.body: ", end(Bytes::from_static(&[0xff]), None)),
        ("end.exchange_id: belongs", body(|end| end.exchange_id = vec![0; 16].into())),
        ("end.direction: belongs", body(|end| end.direction = exchange::Direction::Answer.into())),
        ("end.chunk_root: belongs", body(|end| end.chunk_root = vec![0; 32].into())),
        ("end.outcome: belongs", body(|end| end.outcome = exchange::Outcome::Failed.into())),
    ]);
}

#[test]
fn refuses_hop_sections_that_break_a_rule() {
    let hop = |change: fn(&mut exchange::HopSection)| {
        open(|open| change(open.hop.as_mut().expect("an open has a hop section")))
    };
    expect_refused([
        ("open.hop: is missing", open(|open| open.hop = None)),
        ("hop.hops: is 7", hop(|hop| hop.hops = vec![hop.hops[0].clone(); HOPS_MAX + 1])),
        ("hop.hops.hop: ", hop(|hop| hop.hops[0].hop.clear())),
        ("hop.stamp: belongs", hop(|hop| hop.stamp = Some(Default::default()))),
    ]);
}

#[test]
fn refuses_what_follows_an_open_and_breaks_a_rule() {
    let data =
        |exchange, length| Some(Kind::Data(wire::Data { exchange, body: vec![0; length].into() }));
    let problem = |reason: &str, hop: &str| {
        let problem = exchange::Problem {
            reason: reason.into(),
            hop: hop.into(),
            ..exchange::Problem::default()
        };
        Some(Kind::Cancel(wire::Cancel { exchange: 1, problem: Some(problem) }))
    };
    let signed = |change: fn(&mut exchange::Problem)| {
        let mut problem =
            write_problem(&Problem::new(Reason::Overloaded, "hub.health".parse().unwrap(), ""));
        change(&mut problem);
        Some(Kind::Cancel(wire::Cancel { exchange: 1, problem: Some(problem) }))
    };
    let no_problem = wire::Cancel { exchange: 1, problem: None };
    expect_refused([
        ("exchange: is 0", data(0, 1)),
        ("data.body: is empty", data(1, 0)),
        ("data.body: is 16385", data(1, DATA_BYTES_MAX + 1)),
        ("cancel.problem: is missing", Some(Kind::Cancel(no_problem))),
        ("problem.reason: ", problem("", "hub.health")),
        ("problem.reason: ", problem("who knows", "hub.health")),
        ("problem.reason: ", problem(&"A".repeat(65), "hub.health")),
        ("problem.hop: ", problem("OVERLOADED", "")),
        ("problem.hop: ", problem("WHO_KNOWS", "Hub Health")),
        ("problem.signed_body: belongs", signed(|p| p.signed_body = Bytes::from_static(b"x"))),
        ("problem.signature: belongs", signed(|p| p.signature = Some(Default::default()))),
        ("credit.bytes: is 0", Some(Kind::Credit(wire::Credit { exchange: 1, bytes: 0 }))),
    ]);
}

#[test]
fn a_newer_reason_costs_its_exchange_and_not_the_lane() {
    let read = |detail: &str| {
        let problem = exchange::Problem {
            reason: "QUOTA_2_SPENT".into(),
            hop: "hub.centre".into(),
            detail: detail.into(),
            ..exchange::Problem::default()
        };
        let cancel = wire::Cancel { exchange: 3, problem: Some(problem) };
        let frames = vec![wire::Frame { kind: Some(Kind::Cancel(cancel)) }];
        read_batch(wire::Batch { frames }).unwrap().remove(0)
    };
    let want = |detail: &str| {
        let hop = "hub.centre".parse().unwrap();
        Frame::Cancel { exchange: 3, problem: Problem::new(Reason::Internal, hop, detail) }
    };
    assert_eq!(read("until noon"), want("QUOTA_2_SPENT: until noon"));
    let long = "x".repeat(DETAIL_BYTES_MAX);
    assert_eq!(read(&long), want(&format!("QUOTA_2_SPENT: {long}")), "cut, not refused");
}

#[test]
fn refuses_frames_of_the_lane_that_break_a_rule() {
    let hello = |change: fn(&mut wire::Hello)| {
        let mut frame = write_batch(frames()).frames.remove(5);
        let Some(Kind::Hello(hello)) = &mut frame.kind else { panic!("a hello comes sixth") };
        change(hello);
        frame.kind
    };
    expect_refused([
        ("frame: is missing", None),
        ("hello.lane: 0", hello(|hello| hello.lane = 0)),
        ("hello.version_max: ", hello(|hello| hello.version_max = 0)),
        ("hello.credit_bytes: ", hello(|hello| hello.credit_bytes = 0)),
        ("hello.link_id: is 3", hello(|hello| hello.link_id = Bytes::from_static(b"abc"))),
        ("hello.node: is 254", hello(|hello| hello.node = "a".repeat(254))),
        ("hello.software: is 129", hello(|hello| hello.software = "a".repeat(129))),
        ("hello.replica: belongs", hello(|hello| hello.replica = "a".into())),
        (
            "directory.root: is 31",
            hello(|hello| {
                hello.directory.get_or_insert_default().root = vec![0; 31].into();
            }),
        ),
        ("witness: belongs", Some(Kind::Witness(wire::Witness::default()))),
        ("renewal: belongs", Some(Kind::Renewal(wire::Renewal::default()))),
    ]);
}

#[test]
fn refuses_a_batch_beyond_its_limits() {
    let ping = Frame::Ping { sequence: 1, reply: false };
    let many = vec![ping; BATCH_FRAMES_MAX + 1];
    assert!(read_batch(write_batch(many)).is_err());
    // 128 × (960 + 64) bytes are 131,072.
    let mut full = vec![Frame::Data { exchange: 1, body: vec![0; 960].into() }; 128];
    assert_eq!(read_batch(write_batch(full.clone())), Ok(full.clone()));
    full[0] = Frame::Data { exchange: 1, body: vec![0; 961].into() };
    let error = read_batch(write_batch(full)).expect_err("one byte too many");
    assert_eq!(error.to_string(), "batch: is 131073 long, limit 131072");
}
