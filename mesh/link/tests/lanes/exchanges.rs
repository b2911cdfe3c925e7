//! Exchanges over a link that stands: bodies, ends, deadlines, credit and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mesh_core::limits::CREDIT_BYTES;
use mesh_core::reason::{Problem, Reason};
use mesh_link::exchange::Event;
use mesh_proto::frame::{Close, LaneKind};
use tokio::time::{Instant, sleep};

use crate::nodes::{
    HOUR, answer_to, arrival, body, echo, eventually, hop, linked, linked_as, me, open, opening,
    opening_for, rest, soon, whole_answer,
};

#[tokio::test(start_paused = true)]
async fn both_ends_ask_and_answer() {
    let (mut hub, mut lower) = linked().await;
    let asked = open(&lower.lane(), "up", true);
    let incoming = arrival(&mut hub.arrivals).await;
    assert_eq!(incoming.open.body, "up");
    assert_eq!(incoming.lane.peer().hop, hop("portal.tax.gov.health"));
    incoming.exchange.answer(answer_to(&incoming.open, "upper", true)).unwrap();
    assert_eq!(soon("an answer", whole_answer(&asked)).await.unwrap(), b"upper");

    for kind in [LaneKind::Quick, LaneKind::Bulk] {
        let down = hub.lane("portal.tax.gov.health", kind).await;
        let asked = open(&down, "down", true);
        let incoming = arrival(&mut lower.arrivals).await;
        assert_eq!((incoming.open.body, incoming.lane.kind()), (Bytes::from("down"), kind));
        incoming.exchange.answer(opening("lower", true)).unwrap();
        assert_eq!(soon("an answer", whole_answer(&asked)).await.unwrap(), b"lower");
    }
    drop((asked, incoming));
    let lanes = lower.uplink.lanes();
    eventually("all is over", || lanes.iter().all(|lane| lane.exchanges().0 == 0)).await;
    assert_eq!(lanes.iter().map(|lane| lane.exchanges().1).sum::<u64>(), 3);
}

#[tokio::test(start_paused = true)]
async fn bodies_of_any_size_arrive_as_they_were_sent() {
    let (hub, lower) = linked().await;
    echo(hub.arrivals);
    let sizes = [1, 100, 4095, 4096, 4097, 16_384, 16_385, 65_536, 65_537, 1 << 20, 4 << 20];
    for (seed, size) in sizes.into_iter().enumerate() {
        let sent = body(size, seed as u64);
        let exchange = open(&lower.lane(), "", false);
        // The echo reads all before it answers, so that sending need not be concurrent.
        soon("a body", exchange.send(sent.clone())).await.unwrap();
        exchange.close(Close::default()).unwrap();
        let got = soon("an answer", whole_answer(&exchange)).await.unwrap();
        assert!(got == sent, "{size} bytes came back otherwise");
    }
}

#[tokio::test(start_paused = true)]
async fn both_directions_stream_at_once_in_pieces_of_any_size() {
    let (mut hub, lower) = linked().await;
    let (up, down) = (body(3 << 20, 1), body(2 << 20, 2));
    let asked = open(&lower.lane(), up.slice(..5), false);
    let incoming = arrival(&mut hub.arrivals).await;
    incoming.exchange.answer(answer_to(&incoming.open, down.slice(..7), false)).unwrap();
    let send = async |exchange: &mesh_link::exchange::Exchange, mut body: Bytes| {
        let mut piece = 1;
        while !body.is_empty() {
            exchange.send(body.split_to(piece.min(body.len()))).await?;
            piece = (piece * 3) % 50_000 + 1;
        }
        exchange.close(Close::default())
    };
    let both = async {
        tokio::join!(
            send(&asked, up.slice(5..)),
            send(&incoming.exchange, down.slice(7..)),
            whole_answer(&asked),
            rest(&incoming.exchange),
        )
    };
    let (sent_up, sent_down, got_down, got_up) = soon("both bodies", both).await;
    sent_up.unwrap();
    sent_down.unwrap();
    assert!(got_down.unwrap() == down && got_up.unwrap() == up[5..]);
}

#[tokio::test(start_paused = true)]
async fn either_side_may_break_it_off() {
    let (mut hub, lower) = linked().await;
    let asked = open(&lower.lane(), "", false);
    let incoming = arrival(&mut hub.arrivals).await;
    asked.cancel(Problem::new(Reason::Cancelled, hop("portal.tax.gov.health"), "no more"));
    let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
    assert_eq!((told.reason, &*told.detail), (Reason::Cancelled, "no more"));
    assert!(incoming.exchange.answer(answer_to(&incoming.open, "", true)).is_err());

    let asked = open(&lower.lane(), "", false);
    let incoming = arrival(&mut hub.arrivals).await;
    incoming.exchange.cancel(Problem::new(Reason::NotPermitted, hop("hub.health"), "no"));
    let told = soon("the end", asked.receive()).await.unwrap_err();
    assert_eq!((told.reason, told.hop), (Reason::NotPermitted, hop("hub.health")));
    assert_eq!(asked.send("x".into()).await.unwrap_err().reason, Reason::NotPermitted);

    // Dropping says the same.
    let asked = open(&lower.lane(), "", false);
    let incoming = arrival(&mut hub.arrivals).await;
    drop(asked);
    let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
    assert_eq!(told.reason, Reason::Cancelled);
    assert_eq!(lower.lane().exchanges().0, 0);
}

/// A deadline is total: no trickle of body bytes moves it, slow or fast.
#[tokio::test(start_paused = true)]
async fn a_deadline_is_total() {
    for pause in [Duration::from_millis(700), Duration::from_millis(1)] {
        let (mut hub, lower) = linked().await;
        let limit = Duration::from_secs(5);
        let began = Instant::now();
        let asking = opening_for(limit, "", true);
        let asked = lower.lane().open("test".into(), asking, began + limit).unwrap();
        let incoming = arrival(&mut hub.arrivals).await;
        incoming.exchange.answer(answer_to(&incoming.open, "", false)).unwrap();
        let sender = tokio::spawn(async move {
            loop {
                if let Err(problem) = incoming.exchange.send(Bytes::from_static(b"drop")).await {
                    return problem.reason;
                }
                sleep(pause).await;
            }
        });
        let told = soon("the end", whole_answer(&asked)).await.unwrap_err();
        assert_eq!(told.reason, Reason::DeadlineExceeded);
        assert!(began.elapsed() < limit + Duration::from_millis(2), "{:?}", began.elapsed());
        assert_eq!(soon("the sender ends", sender).await.unwrap(), Reason::DeadlineExceeded);
    }
}

/// Not even a reader that never finds its queue empty is given more.
#[tokio::test(start_paused = true)]
async fn nothing_is_read_or_sent_behind_the_deadline() {
    let (mut hub, lower) = linked().await;
    let deadline = Instant::now() + Duration::from_secs(2);
    let asking = opening_for(Duration::from_secs(2), "", true);
    let asked = lower.lane().open("test".into(), asking, deadline).unwrap();
    let incoming = arrival(&mut hub.arrivals).await;
    incoming.exchange.answer(answer_to(&incoming.open, "early", false)).unwrap();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(asked.receive().await.unwrap_err().reason, Reason::DeadlineExceeded);
    let late = incoming.exchange.send("late".into()).await.unwrap_err();
    assert_eq!(late.reason, Reason::DeadlineExceeded);
}

/// What a slow reader has not read takes its own credit and nothing more.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_up_only_itself() {
    let (mut hub, lower) = linked().await;
    let slow = open(&lower.lane(), "", false);
    let incoming = arrival(&mut hub.arrivals).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let total = 1 << 20;
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        for _ in 0..total / 1024 {
            slow.send(Bytes::from_static(&[1; 1024])).await?;
            counter.fetch_add(1024, Ordering::Relaxed);
        }
        slow.close(Close::default())?;
        std::future::pending::<()>().await;
        Ok::<_, Problem>(())
    });
    let mut read = 0;
    while let Event::Data(part) = soon("a part", incoming.exchange.receive()).await.unwrap() {
        read += part.len();
        assert!(part.len() <= CREDIT_BYTES as usize);
        sleep(Duration::from_millis(10)).await;
        // What was read last and what is under way: never more than the credit.
        let under_way = sent.load(Ordering::Relaxed) - (read - part.len());
        assert!(under_way <= CREDIT_BYTES as usize + part.len(), "{under_way} are under way");

        let began = Instant::now();
        let quick = open(&lower.lane(), "quick", true);
        let other = arrival(&mut hub.arrivals).await;
        other.exchange.answer(answer_to(&other.open, "at once", true)).unwrap();
        assert_eq!(whole_answer(&quick).await.unwrap(), b"at once");
        assert!(began.elapsed() < Duration::from_millis(2), "the slow one holds it up");
    }
    assert_eq!(read, total);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_is_overloaded_and_below_it_works_again() {
    let mut upper = me("hub.health");
    upper.exchanges_max = 3;
    let (mut hub, lower) = linked_as(upper, me("portal.tax.gov.health")).await;
    let lane = lower.lane();
    for _ in 0..3 {
        let held: Vec<_> = (0..3).map(|_| open(&lane, "", true)).collect();
        let refused = lane.open("test".into(), opening("", true), Instant::now() + HOUR);
        assert_eq!(refused.unwrap_err().reason, Reason::Overloaded);
        let mut arrived = Vec::new();
        for _ in 0..3 {
            arrived.push(arrival(&mut hub.arrivals).await);
        }
        for incoming in arrived {
            incoming.exchange.answer(answer_to(&incoming.open, "", true)).unwrap();
        }
        for exchange in held {
            assert_eq!(soon("an answer", whole_answer(&exchange)).await.unwrap(), b"");
        }
    }
    // Let go without an answer: the room is free at once, at both ends.
    for _ in 0..10 {
        let held: Vec<_> = (0..3).map(|_| open(&lane, "", true)).collect();
        for _ in 0..3 {
            drop(arrival(&mut hub.arrivals).await);
        }
        drop(held);
    }
}

/// Both ends in one task, on threads: nothing depends on the paused clock's order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_exchanges_at_once_on_threads() {
    let (hub, lower) = linked().await;
    echo(hub.arrivals);
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 0..64_u64 {
        let lane = lower.lane();
        tasks.spawn(async move {
            for turn in 0..8 {
                let sent = body(((seed + 1) * 997 + turn * 8191) as usize, seed);
                let exchange = open(&lane, "", false);
                exchange.send(sent.clone()).await.unwrap();
                exchange.close(Close::default()).unwrap();
                assert!(whole_answer(&exchange).await.unwrap() == sent);
            }
        });
    }
    soon("all of them", async {
        while tasks.join_next().await.is_some_and(|done| done.is_ok()) {}
    })
    .await;
    assert!(tasks.is_empty(), "one of them failed");
}
