//! Who may begin a lane, and with which words.

use std::time::Duration;

use mesh_core::limits::HANDSHAKE_MAX;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::frame::{Frame, Hello, LaneKind};
use mesh_proto::status::read_status;
use tokio::time::{Instant, sleep};
use tonic::Status;

use crate::nodes::{eventually, hub, lower, me, soon};
use crate::raw::{dial, hello, listen};

const AGENT: &str = "portal.tax.gov.health";

fn told(status: &Status) -> Problem {
    read_status(status).unwrap_or_else(|| panic!("no problem of the mesh: {status}"))
}

#[tokio::test(start_paused = true)]
async fn a_hub_refuses_what_it_cannot_believe_or_speak() {
    let hub = hub(me("hub.health"));
    let good = hello(AGENT);
    let cases = [
        (
            "another name",
            Hello { node: hello("hub.economy").node, ..good.clone() },
            Reason::SourceMismatch,
        ),
        (
            "a version too new",
            Hello { version_min: 2, version_max: 9, ..good.clone() },
            Reason::VersionUnsupported,
        ),
        (
            "too little credit",
            Hello { credit_bytes: 16_383, ..good.clone() },
            Reason::ProtocolViolation,
        ),
        ("no exchanges", Hello { exchanges_max: 0, ..good.clone() }, Reason::ProtocolViolation),
    ];
    for (why, bad, want) in cases {
        let refused = soon("a refusal", dial(AGENT, &hub.door, Some(bad))).await;
        assert_eq!(told(&refused.unwrap_err()).reason, want, "{why}");
    }
    // A range of versions that includes ours is fine.
    let wide = Hello { version_max: 9, ..good };
    let (_say, mut hear) = dial(AGENT, &hub.door, Some(wide)).await.unwrap();
    let Ok(Some(Frame::Hello(answer))) = hear.next().await else { panic!("no hello came back") };
    assert_eq!((answer.node.as_str(), answer.lane), ("hub.health.mesh.ir", LaneKind::Quick));
    assert_eq!(hub.peers.lanes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hub_waits_for_a_hello_only_so_long() {
    let hub = hub(me("hub.health"));
    let began = Instant::now();
    let refused = soon("a refusal", dial(AGENT, &hub.door, None)).await.unwrap_err();
    assert_eq!(told(&refused).reason, Reason::ProtocolViolation);
    assert!(HANDSHAKE_MAX <= began.elapsed());
    assert!(began.elapsed() < HANDSHAKE_MAX + Duration::from_millis(10));
    assert!(hub.peers.lanes().is_empty());
}

/// The dialler's side of the same: it drops the lane and tries again later.
#[tokio::test(start_paused = true)]
async fn a_dialler_believes_nobody_else_and_answers_only_for_its_lane() {
    type Answer = fn(Hello) -> Vec<Frame>;
    let say = |hello: Hello| vec![Frame::Hello(Box::new(hello))];
    let cases: [(&str, Answer); 5] = [
        ("another name", |heard| {
            vec![Frame::Hello(Box::new(Hello {
                link_id: heard.link_id,
                lane: heard.lane,
                ..hello("hub.economy")
            }))]
        }),
        ("another lane", |heard| {
            let other =
                if heard.lane == LaneKind::Quick { LaneKind::Bulk } else { LaneKind::Quick };
            let mine = hello("hub.health");
            vec![Frame::Hello(Box::new(Hello { link_id: heard.link_id, lane: other, ..mine }))]
        }),
        ("another link", |heard| {
            vec![Frame::Hello(Box::new(Hello { lane: heard.lane, ..hello("hub.health") }))]
        }),
        ("no hello", |_| vec![Frame::Ping { sequence: 1, reply: false }]),
        ("two frames", |heard| {
            let mine = Hello { link_id: heard.link_id, lane: heard.lane, ..hello("hub.health") };
            vec![Frame::Hello(Box::new(mine)), Frame::Ping { sequence: 1, reply: false }]
        }),
    ];
    for (why, answer) in cases {
        let (door, mut meets) = listen();
        let lower = lower(me(AGENT), "hub.health", &door);
        for _ in 0..6 {
            let (says, mut hears) = soon("an attempt", meets.recv()).await.unwrap();
            let Ok(Some(Frame::Hello(heard))) = hears.next().await else { panic!("{why}") };
            says.say(answer(*heard)).await;
            assert!(matches!(hears.next().await, Ok(None) | Err(_)), "{why}: it went on");
        }
        assert!(lower.uplink.lanes().is_empty() && !*lower.uplink.up().borrow(), "{why}");
    }
    // And with the right words it is up.
    let (door, mut meets) = listen();
    let lower = lower(me(AGENT), "hub.health", &door);
    let mut held = Vec::new();
    for _ in 0..2 {
        let (says, mut hears) = soon("an attempt", meets.recv()).await.unwrap();
        let Ok(Some(Frame::Hello(heard))) = hears.next().await else { panic!("no hello") };
        let mine = Hello { link_id: heard.link_id, lane: heard.lane, ..hello("hub.health") };
        says.say(say(mine)).await;
        held.push((says, hears));
    }
    eventually("it is up", || *lower.uplink.up().borrow()).await;
}

#[tokio::test(start_paused = true)]
async fn a_dialler_waits_for_a_hello_only_so_long() {
    let (door, mut meets) = listen();
    let lower = lower(me(AGENT), "hub.health", &door);
    let first = [meets.recv().await.unwrap(), meets.recv().await.unwrap()];
    sleep(HANDSHAKE_MAX + Duration::from_secs(1)).await;
    assert!(4 <= lower.road.dialled().len(), "it tried again");
    for (_say, mut hear) in first {
        assert!(matches!(hear.next().await, Ok(Some(Frame::Hello(_)))));
        assert!(matches!(hear.next().await, Ok(None) | Err(_)), "the first attempts are over");
    }
}
