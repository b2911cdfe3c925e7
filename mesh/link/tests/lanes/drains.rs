//! Leaving without dropping anyone.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::reason::Reason;
use mesh_link::exchange::Event;
use mesh_proto::frame::{Close, LaneKind};
use tokio::time::{Instant, sleep};

use crate::nodes::{
    HOUR, Lower, answer_to, arrival, echo, hop, hub, linked, me, open, opening, soon, whole_answer,
};

const GRACE: Duration = Duration::from_secs(20);

#[tokio::test(start_paused = true)]
async fn what_is_open_finishes_and_the_link_moves_to_a_successor() {
    let (mut old, lower) = linked().await;
    let lane = lower.lane();
    let asked = open(&lane, "", true);
    let incoming = arrival(&mut old.arrivals).await;
    let successor = hub(me("hub.health"));
    lower.road.lead_to(successor.door.clone());

    let began = Instant::now();
    let peers = std::sync::Arc::clone(&old.peers);
    let drained = tokio::spawn(async move { peers.drain(GRACE).await });
    soon("the peer hears of it", lane.leaving()).await;
    let refused = lane.open("test".into(), opening("", true), Instant::now() + HOUR).unwrap_err();
    assert_eq!((refused.reason, refused.hop), (Reason::Draining, hop("hub.health")));

    // The successor takes what is new while the old one finishes.
    lower.up().await;
    echo(successor.arrivals);
    let other = open(&lower.lane(), "new", true);
    assert_eq!(soon("an answer", whole_answer(&other)).await.unwrap(), b"new");
    assert!(!drained.is_finished() && lane.is_draining() && !lane.is_ended());

    sleep(Duration::from_secs(3)).await;
    incoming.exchange.answer(answer_to(&incoming.open, "the last word", true)).unwrap();
    drop(incoming);
    assert_eq!(soon("an answer", whole_answer(&asked)).await.unwrap(), b"the last word");
    soon("the drain", drained).await.unwrap();
    soon("the old lane ends", lane.ended()).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(successor.peers.lanes().len(), 2);
}

/// A large answer is whole at the other end before the lane is closed.
#[tokio::test(start_paused = true)]
async fn the_last_answer_arrives_whole() {
    let (mut hub, lower) = linked().await;
    let asked = open(&lower.lane(), "", true);
    let incoming = arrival(&mut hub.arrivals).await;
    let answering = tokio::spawn(async move {
        incoming.exchange.answer(answer_to(&incoming.open, "", false)).unwrap();
        incoming.exchange.send(Bytes::from(vec![7; 3 << 20])).await.unwrap();
        incoming.exchange.close(Close::default()).unwrap();
    });
    let (_, answer) = tokio::join!(hub.peers.drain(GRACE), whole_answer(&asked));
    assert_eq!(answer.unwrap().len(), 3 << 20);
    answering.await.unwrap();
}

/// Whatever is opened while a drain begins is answered or refused, and never lost.
#[tokio::test(start_paused = true)]
async fn an_idle_lane_that_drains_loses_nothing_that_was_on_its_way() {
    for hesitation in 0..40 {
        let (hub, lower) = linked().await;
        echo(hub.arrivals);
        let peers = std::sync::Arc::clone(&hub.peers);
        let lane = lower.lane();
        let drained = tokio::spawn(async move { peers.drain(GRACE).await });
        for _ in 0..hesitation {
            tokio::task::yield_now().await;
        }
        let opened = lane.open("test".into(), opening("hello", true), Instant::now() + HOUR);
        let result = match opened {
            Ok(exchange) => soon("an end", whole_answer(&exchange)).await,
            Err(problem) => Err(problem),
        };
        match result {
            Ok(body) => assert_eq!(body, b"hello"),
            Err(problem) => assert_eq!(problem.reason, Reason::Draining, "{problem}"),
        }
        soon("the drain", drained).await.unwrap();
    }
}

/// Both ends may leave at once; an exchange between them finishes, and nobody spins.
#[tokio::test(start_paused = true)]
async fn both_ends_drain_at_once() {
    let (mut hub, lower) = linked().await;
    let asked = open(&lower.lane(), "", true);
    let incoming = arrival(&mut hub.arrivals).await;
    let Lower { uplink, .. } = lower;
    let peers = std::sync::Arc::clone(&hub.peers);
    let drained = tokio::spawn(async move {
        tokio::join!(peers.drain(GRACE), uplink.drain(GRACE));
    });
    sleep(Duration::from_secs(5)).await;
    incoming.exchange.answer(answer_to(&incoming.open, "still here", true)).unwrap();
    drop(incoming);
    assert_eq!(soon("an answer", whole_answer(&asked)).await.unwrap(), b"still here");
    drop(asked);
    soon("both drains", drained).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_grace_is_broken_off() {
    let (mut hub, lower) = linked().await;
    let lanes = hub.peers.lanes();
    let exchanges: Vec<_> = [LaneKind::Quick, LaneKind::Bulk]
        .map(|kind| open(&lower.uplink.lane(kind).unwrap(), "", true))
        .into();
    let held = [arrival(&mut hub.arrivals).await, arrival(&mut hub.arrivals).await];
    let began = Instant::now();
    hub.peers.drain(GRACE).await;
    assert!(began.elapsed() < GRACE + Duration::from_millis(2), "one grace for all lanes");
    assert!(lanes.iter().all(mesh_link::lane::Lane::is_ended));
    for exchange in exchanges {
        let told = soon("the end", exchange.receive()).await.unwrap_err();
        assert_eq!(told.reason, Reason::LinkLost);
    }
    for incoming in held {
        let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
        assert_eq!((told.reason, told.hop), (Reason::LinkLost, hop("hub.health")));
    }
}

/// A lane that a node had not met when its drain began is not left to stand.
#[tokio::test(start_paused = true)]
async fn a_lane_that_joins_during_a_drain_ends() {
    let (hub, lower) = linked().await;
    let mut up = lower.uplink.up();
    hub.peers.drain(GRACE).await;
    soon("it falls", up.wait_for(|up| !up)).await.unwrap();
    for _ in 0..5 {
        sleep(Duration::from_secs(3)).await;
        assert!(hub.peers.lanes().is_empty());
    }
    assert!(!up.has_changed().unwrap(), "it never seemed to be up");
    assert!(4 < lower.road.dialled().len(), "it tried again");
    assert!(lower.uplink.lane(LaneKind::Quick).is_none_or(|lane| lane.is_ended()));
}

/// Who drains may still ask for what it needs to finish.
#[tokio::test(start_paused = true)]
async fn the_end_that_drains_may_still_ask() {
    let (mut hub, mut lower) = linked().await;
    let unfinished = open(&lower.lane(), "", true);
    let work = arrival(&mut hub.arrivals).await;
    let down = hub.lane("portal.tax.gov.health", LaneKind::Quick).await;
    let draining = down.clone();
    let drained = tokio::spawn(async move { draining.drain(GRACE).await });
    soon("the peer hears of it", lower.lane().leaving()).await;
    let asked = open(&down, "one more", true);
    let incoming = arrival(&mut lower.arrivals).await;
    incoming.exchange.answer(opening("fine", true)).unwrap();
    let answer = soon("an answer", asked.receive()).await.unwrap();
    assert!(matches!(answer, Event::Open(open) if open.body == "fine"));
    work.exchange.answer(answer_to(&work.open, "done", true)).unwrap();
    assert_eq!(soon("an answer", whole_answer(&unfinished)).await.unwrap(), b"done");
    drop((asked, incoming));
    soon("the drain", drained).await.unwrap();
}
