//! A peer that breaks the rules loses the lane, at once and with a name for it.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::frame::{Close, Frame, Hello, LaneKind, Open};
use mesh_proto::status::read_status;
use tokio::time::{Instant, sleep};

use crate::nodes::{arrival, eventually, hop, hub, lower, me, open, opening, soon};
use crate::raw::{Hear, Say, dial, hello, listen};

const AGENT: &str = "portal.tax.gov.health";

fn data(exchange: u64, length: usize) -> Frame {
    Frame::Data { exchange, body: Bytes::from(vec![1; length]) }
}

fn close(exchange: u64) -> Frame {
    Frame::Close { exchange, close: Close::default() }
}

fn opens(exchange: u64) -> Frame {
    Frame::Open { exchange, open: opening("", false) }
}

/// What the dialler says to a hub that has asked it for exchange 2.
fn cases() -> Vec<(&'static str, Vec<Frame>)> {
    let large = |length: usize| Bytes::from(vec![1; length]);
    let broken = |open: Open| Frame::Open { exchange: 1, open };
    vec![
        ("body of nothing", vec![data(1, 1)]),
        ("body before the answer", vec![data(2, 1)]),
        ("body after the end", vec![opens(1), close(1), data(1, 1)]),
        ("body beyond credit", {
            let mut frames = vec![opens(1)];
            frames.extend(vec![data(1, 16_384); 5]);
            frames
        }),
        ("a part too large", vec![opens(1), data(1, 16_385)]),
        ("an empty part", vec![opens(1), data(1, 0)]),
        ("opened twice", vec![opens(1), opens(1)]),
        ("opened out of order", vec![opens(3), opens(1)]),
        ("number 0", vec![opens(0)]),
        ("answered twice", vec![opens(2), opens(2)]),
        ("an answer to nothing", vec![opens(4)]),
        ("closed twice", vec![opens(1), close(1), close(1)]),
        ("credit overflows", vec![opens(1), Frame::Credit { exchange: 1, bytes: 1 }]),
        ("no credit", vec![opens(1), Frame::Credit { exchange: 1, bytes: 0 }]),
        ("a second hello", vec![Frame::Hello(Box::new(hello(AGENT)))]),
        ("no header", vec![broken(Open { header: Bytes::new(), ..opening("", true) })]),
        ("a header too large", vec![broken(Open { header: large(8193), ..opening("", true) })]),
        ("a head too large", vec![broken(Open { head: large(32_769), ..opening("", true) })]),
        ("too many frames", vec![Frame::Ping { sequence: 1, reply: true }; 4097]),
        ("a batch too large", vec![data(1, 16_384); 13]),
    ]
}

async fn until_open(hear: &mut Hear) {
    while !matches!(hear.next().await, Ok(Some(Frame::Open { exchange: 2, .. }))) {}
}

#[tokio::test(start_paused = true)]
async fn a_hub_ends_the_lane_of_a_violator_and_says_why() {
    let hub = hub(me("hub.health"));
    for (why, frames) in cases() {
        let (say, mut hear) = dial(AGENT, &hub.door, Some(hello(AGENT))).await.unwrap();
        let lane = hub.lane(AGENT, LaneKind::Quick).await;
        let asked = open(&lane, "", true);
        until_open(&mut hear).await;
        let began = Instant::now();
        say.say(frames).await;

        let broken = soon("the exchange breaks", asked.receive());
        // What the violator rightly answered before may be read first.
        let problem = match broken.await {
            Err(problem) => problem,
            Ok(_) => soon("the exchange breaks", asked.receive()).await.unwrap_err(),
        };
        assert_eq!((problem.reason, problem.hop), (Reason::ProtocolViolation, hop(AGENT)), "{why}");
        let status = hear.end().await.expect_err(why);
        let told: Problem = read_status(&status).unwrap_or_else(|| panic!("{why}: {status}"));
        assert_eq!(told.reason, Reason::ProtocolViolation, "{why}");
        assert!(began.elapsed() < Duration::from_millis(5), "{why}: {:?}", began.elapsed());
        eventually("the hub forgets it", || hub.peers.lanes().is_empty()).await;
    }
}

async fn meet(meets: &mut tokio::sync::mpsc::Receiver<(Say, Hear)>) -> (LaneKind, Say, Hear) {
    let (say, mut hear) = soon("an attempt", meets.recv()).await.unwrap();
    let Ok(Some(Frame::Hello(heard))) = hear.next().await else { panic!("no hello") };
    let mine = Hello { link_id: heard.link_id, lane: heard.lane, ..hello("hub.health") };
    say.hello(mine).await;
    (heard.lane, say, hear)
}

/// A dialler drops the lane too, and dials again.
#[tokio::test(start_paused = true)]
async fn a_dialler_leaves_a_violator() {
    let (door, mut meets) = listen();
    let lower = lower(me(AGENT), "hub.health", &door);
    let mut held = [meet(&mut meets).await, meet(&mut meets).await];
    held.sort_by_key(|(kind, ..)| *kind);
    let [(_, say, mut hear), bulk] = held;
    lower.up().await;
    let asked = open(&lower.lane(), "", true);
    while !matches!(hear.next().await, Ok(Some(Frame::Open { exchange: 1, .. }))) {}
    say.say(vec![data(1, 1)]).await;
    let problem = soon("the exchange breaks", asked.receive()).await.unwrap_err();
    assert_eq!((problem.reason, problem.hop), (Reason::ProtocolViolation, hop("hub.health")));
    let (kind, ..) = meet(&mut meets).await;
    assert_eq!(kind, LaneKind::Quick);
    drop(bulk);
}

/// A peer that opens and cancels as fast as it can makes no heap of work here.
#[tokio::test(start_paused = true)]
async fn openings_that_are_cancelled_at_once_do_not_pile_up() {
    let mut upper = me("hub.health");
    upper.exchanges_max = 10;
    let mut hub = hub(upper);
    let (say, mut hear) = dial(AGENT, &hub.door, Some(hello(AGENT))).await.unwrap();
    let gone = Problem::new(Reason::Cancelled, hop(AGENT), "changed its mind");
    for turn in 0..100_u64 {
        let exchange = 2 * turn + 1;
        say.say(vec![opens(exchange), Frame::Cancel { exchange, problem: gone.clone() }]).await;
    }
    let mut held = Vec::new();
    while held.len() < 20 {
        held.push(arrival(&mut hub.arrivals).await);
    }
    sleep(Duration::from_millis(100)).await;
    assert!(hub.arrivals.try_recv().is_err(), "twice the limit is enough");
    drop(held);
    say.say(vec![opens(1001)]).await;
    let incoming = arrival(&mut hub.arrivals).await;
    incoming.exchange.answer(opening("welcome back", true)).unwrap();
    loop {
        match hear.next().await.unwrap().expect("the lane stands") {
            Frame::Open { exchange: 1001, open } => break assert_eq!(open.body, "welcome back"),
            Frame::Cancel { problem, .. } => assert_eq!(problem.reason, Reason::Overloaded),
            _ => {}
        }
    }
}
