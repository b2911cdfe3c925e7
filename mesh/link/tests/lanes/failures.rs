//! Links that break: partitions, resets, and a reader that stops.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh_core::limits::{PING_DEAD, PING_INTERVAL};
use mesh_core::reason::Reason;
use mesh_link::Spawn;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::nodes::{
    answer_to, arrival, echo, eventually, hop, hub, hub_with, linked, lower, me, open, soon,
    whole_answer,
};

#[tokio::test(start_paused = true)]
async fn a_partition_is_noticed_within_seconds_at_both_ends() {
    let (mut hub, lower) = linked().await;
    let asked = open(&lower.lane(), "", true);
    let incoming = arrival(&mut hub.arrivals).await;
    sleep(Duration::from_millis(1234)).await;

    let began = Instant::now();
    lower.road.silence();
    let told = soon("the end", asked.receive()).await.unwrap_err();
    assert_eq!((told.reason, told.hop), (Reason::LinkLost, hop("hub.health")));
    let noticed = began.elapsed();
    assert!(PING_DEAD - PING_INTERVAL <= noticed && noticed <= PING_DEAD + PING_INTERVAL);
    let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
    assert_eq!(told.reason, Reason::LinkLost);
    assert!(began.elapsed() <= PING_DEAD + PING_INTERVAL);
    assert!(lower.uplink.lanes().is_empty() && hub.peers.lanes().is_empty());
    assert!(!*lower.uplink.up().borrow());
}

/// A quiet link is no dead one.
#[tokio::test(start_paused = true)]
async fn a_link_with_nothing_to_do_stays_up() {
    let (hub, lower) = linked().await;
    let lane = lower.lane();
    sleep(Duration::from_hours(1)).await;
    assert!(!lane.is_ended() && lane.round_trip().is_some());
    assert_eq!((hub.peers.lanes().len(), lower.road.dialled().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_noticed_at_once_and_the_link_comes_back() {
    let (mut hub, lower) = linked().await;
    for _ in 0..3 {
        let old = lower.lane();
        let asked = open(&old, "", true);
        let incoming = arrival(&mut hub.arrivals).await;
        let began = Instant::now();
        lower.road.cut();
        let told = soon("the end", asked.receive()).await.unwrap_err();
        assert_eq!((told.reason, told.hop), (Reason::LinkLost, hop("hub.health")));
        let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
        assert_eq!(told.reason, Reason::LinkLost);
        assert!(began.elapsed() < Duration::from_millis(2), "{:?}", began.elapsed());
        let refused = old.open("test".into(), incoming.open.clone(), began).unwrap_err();
        assert_eq!(refused.reason, Reason::LinkLost);

        eventually("both lanes fall", || !*lower.uplink.up().borrow()).await;
        lower.up().await;
        let asked = open(&lower.lane(), "again", true);
        let incoming = arrival(&mut hub.arrivals).await;
        incoming.exchange.answer(answer_to(&incoming.open, "yes", true)).unwrap();
        assert_eq!(soon("an answer", whole_answer(&asked)).await.unwrap(), b"yes");
    }
    eventually("nothing of the old remains", || hub.peers.lanes().len() == 2).await;
}

/// Attempts grow apart, up to a bound, and each lane has its own jitter.
#[tokio::test(start_paused = true)]
async fn attempts_back_off() {
    let gone = hub(me("hub.health")).door.clone();
    let closed = tokio::sync::mpsc::channel(1).0;
    let lower = lower(me("portal.tax.gov.health"), "hub.health", &closed);
    sleep(Duration::from_secs(60)).await;
    let dialled = lower.road.dialled();
    // Two lanes, 0 to 2 s between attempts in the long run.
    assert!((60..260).contains(&dialled.len()), "{} attempts", dialled.len());
    let pauses = dialled.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(pauses.max().unwrap() <= Duration::from_secs(2));
    // The upper neighbour comes up: the link follows, without help.
    lower.road.lead_to(gone);
    let began = Instant::now();
    lower.up().await;
    assert!(began.elapsed() <= Duration::from_secs(3));
}

/// Whoever stops the reader of a lane ends the lane: nobody waits for what nobody will read.
#[tokio::test(start_paused = true)]
async fn a_lane_does_not_outlive_its_reader() {
    let tasks: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
    let kept = Arc::clone(&tasks);
    let spawn = Spawn::new(move |task| {
        kept.lock().unwrap().push(tokio::spawn(task).abort_handle());
    });
    let mut hub = hub_with(me("hub.health"), spawn);
    let lower = lower(me("portal.tax.gov.health"), "hub.health", &hub.door);
    lower.up().await;
    let asked = open(&lower.lane(), "", true);
    let incoming = arrival(&mut hub.arrivals).await;
    let began = Instant::now();
    tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
    assert_eq!(told.reason, Reason::LinkLost);
    let told = soon("the end", asked.receive()).await.unwrap_err();
    assert_eq!(told.reason, Reason::LinkLost);
    assert!(began.elapsed() < Duration::from_millis(2), "{:?}", began.elapsed());
}

/// The uplink finds the lane that still stands when only one does.
#[tokio::test(start_paused = true)]
async fn a_drained_uplink_dials_no_more() {
    let (hub, lower) = linked().await;
    echo(hub.arrivals);
    soon("the drain", lower.uplink.drain(Duration::from_secs(5))).await;
    assert!(lower.uplink.lanes().is_empty());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lower.road.dialled().len(), 2);
    assert!(hub.peers.lanes().is_empty());
}
