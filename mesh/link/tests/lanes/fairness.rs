//! One flow's flood and another's small exchanges, on the same lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mesh_core::reason::Problem;
use mesh_link::exchange::Incoming;
use mesh_link::lane::Lane;
use tokio::time::Instant;

use crate::nodes::{Arrivals, HOUR, answer_to, linked, opening, soon, whole_answer};

const FLOODS: u64 = 64;

/// Body bytes that all floods may bring in while one small exchange goes there and back: a few
/// batches in each direction, and what the line holds.
const MEANWHILE_BYTES_MAX: u64 = 4 << 20;

/// Answers what is whole, and counts what is not.
fn serve(mut arrivals: Arrivals, flooded: Arc<AtomicU64>) {
    tokio::spawn(async move {
        while let Some(incoming) = arrivals.recv().await {
            tokio::spawn(answer(incoming, Arc::clone(&flooded)));
        }
    });
}

async fn answer(incoming: Incoming, flooded: Arc<AtomicU64>) -> Result<(), Problem> {
    let Incoming { open, exchange, .. } = incoming;
    if open.close.is_some() {
        return exchange.answer(answer_to(&open, open.body.clone(), true));
    }
    while let mesh_link::exchange::Event::Data(part) = exchange.receive().await? {
        flooded.fetch_add(part.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn flood(lane: &Lane) {
    let exchange = lane.open("flood".into(), opening("", false), Instant::now() + HOUR).unwrap();
    tokio::spawn(async move {
        while exchange.send(Bytes::from_static(&[0; 100_000])).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_flow_does_not_hold_up_another() {
    let (hub, lower) = linked().await;
    let flooded = Arc::new(AtomicU64::new(0));
    serve(hub.arrivals, Arc::clone(&flooded));
    let lane = lower.lane();
    (0..FLOODS).for_each(|_| flood(&lane));
    let mut worst = 0;
    for turn in 0..200 {
        let before = flooded.load(Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_secs(60);
        let asked = lane.open("small".into(), opening("small", true), deadline).unwrap();
        assert_eq!(soon("an answer", whole_answer(&asked)).await.unwrap(), b"small", "{turn}");
        worst = worst.max(flooded.load(Ordering::Relaxed) - before);
    }
    assert!(0 < flooded.load(Ordering::Relaxed), "the flood flows");
    assert!(worst <= MEANWHILE_BYTES_MAX, "{worst} bytes went before one small exchange");
}
