//! Three nodes in a row: a consumer, a hub that relays, and a provider.

use std::time::Duration;

use bytes::Bytes;
use mesh_core::limits::CREDIT_BYTES;
use mesh_core::reason::{Problem, Reason};
use mesh_link::exchange::{Event, Exchange, Incoming};
use mesh_link::relay::{Flows, Relayed, relay};
use mesh_proto::frame::{Close, HopTime, LaneKind, Open};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::nodes::{
    HOUR, Hub, Lower, arrival, body, hop, hub, lower, me, opening, opening_for, rest, soon,
    whole_answer,
};

const CONSUMER: &str = "portal.tax.gov.health";
const PROVIDER: &str = "births.civil.gov.health";

/// A chain, and how what passed the hub ended.
struct Chain {
    consumer: Lower,
    provider: Lower,
    relayed: mpsc::Receiver<Relayed>,
}

async fn chain() -> Chain {
    let Hub { door, peers, mut arrivals } = hub(me("hub.health"));
    let consumer = lower(me(CONSUMER), "hub.health", &door);
    let provider = lower(me(PROVIDER), "hub.health", &door);
    consumer.up().await;
    provider.up().await;
    let (ends, relayed) = mpsc::channel(100);
    tokio::spawn(async move {
        while let Some(incoming) = arrivals.recv().await {
            let target = crate::nodes::node(PROVIDER);
            let lane = peers.lane(&target, LaneKind::Quick).expect("the provider is up");
            let ends = ends.clone();
            tokio::spawn(async move {
                let flows = Flows { request: "consumer".into(), answer: "provider".into() };
                let end = relay(incoming, &lane, &hop("hub.health"), flows, &|_| Ok(())).await;
                ends.send(end).await.unwrap();
            });
        }
    });
    Chain { consumer, provider, relayed }
}

impl Chain {
    fn ask(&self, body: impl Into<Bytes>, whole: bool) -> Exchange {
        let deadline = Instant::now() + HOUR;
        self.consumer.lane().open("test".into(), opening(body, whole), deadline).unwrap()
    }

    async fn arrival(&mut self) -> Incoming {
        arrival(&mut self.provider.arrivals).await
    }

    async fn end(&mut self) -> Relayed {
        soon("the relay ends", self.relayed.recv()).await.unwrap()
    }
}

/// The provider's answer, by the hops that its request passed and itself.
fn answer_to(request: &Open, body: impl Into<Bytes>, whole: bool) -> Open {
    let mut answer = crate::nodes::answer_to(request, body, whole);
    answer.hop.hops.push(HopTime { hop: hop(PROVIDER), elapsed: Duration::ZERO });
    answer
}

#[tokio::test(start_paused = true)]
async fn an_answer_carries_the_times_of_the_hops_that_it_passed() {
    let mut chain = chain().await;
    let asked = chain.ask("question", true);
    let incoming = chain.arrival().await;
    let Open { header, head, body, hop: passed, .. } = &incoming.open;
    assert_eq!(
        (&header[..], &head[..], &body[..]),
        (&b"header"[..], &b"head"[..], &b"question"[..])
    );
    let want = [HopTime { hop: hop("hub.health"), elapsed: Duration::ZERO }];
    assert_eq!(passed.hops, want);
    assert!(passed.remaining < HOUR && HOUR - Duration::from_secs(1) < passed.remaining);

    sleep(Duration::from_millis(250)).await;
    incoming.exchange.answer(answer_to(&incoming.open, "answer", true)).unwrap();
    drop(incoming);
    let Event::Open(answer) = soon("an answer", asked.receive()).await.unwrap() else { panic!() };
    assert_eq!((&answer.body[..], answer.close.is_some()), (&b"answer"[..], true));
    let [HopTime { hop: passed, elapsed }, last] = &answer.hop.hops[..] else { panic!("two") };
    assert_eq!((passed, &last.hop), (&hop("hub.health"), &hop(PROVIDER)));
    assert!(Duration::from_millis(250) <= *elapsed && *elapsed < Duration::from_millis(260));
    let end = chain.end().await;
    assert!(end.result.is_ok());
    assert_eq!(end.answered_after, *elapsed);
}

#[tokio::test(start_paused = true)]
async fn bodies_pass_both_ways_at_once() {
    let mut chain = chain().await;
    let (up, down) = (body(2 << 20, 1), body(3 << 20, 2));
    let asked = chain.ask("", false);
    let incoming = chain.arrival().await;
    incoming.exchange.answer(answer_to(&incoming.open, "", false)).unwrap();
    let send = async |exchange: &Exchange, body: Bytes| {
        exchange.send(body).await?;
        exchange.close(Close { length: None, tail: "tail".into() })
    };
    let both = async {
        tokio::join!(
            send(&asked, up.clone()),
            send(&incoming.exchange, down.clone()),
            whole_answer(&asked),
            rest(&incoming.exchange),
        )
    };
    let (sent_up, sent_down, got_down, got_up) = soon("both bodies", both).await;
    sent_up.unwrap();
    sent_down.unwrap();
    assert!(got_down.unwrap() == down && got_up.unwrap() == up);
    assert!(chain.end().await.result.is_ok());
}

/// A provider may answer before it has read the request; the answer arrives whole.
#[tokio::test(start_paused = true)]
async fn an_early_answer_arrives_whole_while_the_request_still_streams() {
    for length in [0, 10, 100_000] {
        let mut chain = chain().await;
        let asked = chain.ask("begin", false);
        let incoming = chain.arrival().await;
        let answer = body(length, 3);
        let early = answer.clone();
        let answering = tokio::spawn(async move {
            let whole = early.len() < 100;
            let first = if whole { early.clone() } else { Bytes::new() };
            incoming.exchange.answer(answer_to(&incoming.open, first, whole))?;
            if !whole {
                incoming.exchange.send(early).await?;
                incoming.exchange.close(Close::default())?;
            }
            Ok::<_, Problem>(())
        });
        let endless = async {
            loop {
                if let Err(problem) = asked.send(Bytes::from_static(&[0; 5000])).await {
                    return problem;
                }
            }
        };
        let (stopped, got) =
            soon("both", async { tokio::join!(endless, whole_answer(&asked)) }).await;
        assert!(got.unwrap() == answer, "{length} bytes were cut");
        assert_eq!(stopped.reason, Reason::Cancelled, "the request is stopped: {stopped}");
        answering.await.unwrap().unwrap();
        assert!(chain.end().await.result.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_goes_away_stops_the_provider() {
    let mut chain = chain().await;
    for answered in [false, true] {
        let asked = chain.ask("", true);
        let incoming = chain.arrival().await;
        if answered {
            incoming.exchange.answer(answer_to(&incoming.open, "", false)).unwrap();
            assert!(matches!(soon("it", asked.receive()).await, Ok(Event::Open(_))));
        }
        drop(asked);
        let told = if answered {
            // It may be waiting for credit, or to be told.
            soon("the end", incoming.exchange.send(vec![0; 1 << 20].into())).await.unwrap_err()
        } else {
            let Err(told) = soon("the end", incoming.exchange.receive()).await else { panic!() };
            told
        };
        assert_eq!(told.reason, Reason::Cancelled);
        assert_eq!(chain.end().await.result.unwrap_err().reason, Reason::Cancelled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_beyond_the_hub_is_named() {
    let mut chain = chain().await;
    let asked = chain.ask("", true);
    let incoming = chain.arrival().await;
    chain.provider.road.cut();
    let told = soon("the end", asked.receive()).await.unwrap_err();
    assert_eq!((told.reason, told.hop), (Reason::LinkLost, hop(PROVIDER)));
    let told = soon("the end", incoming.exchange.receive()).await.unwrap_err();
    assert_eq!((told.reason, told.hop), (Reason::LinkLost, hop("hub.health")));
    assert!(!chain.consumer.lane().is_ended(), "the consumer's link is none of it");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_back_with_its_own_words() {
    let mut chain = chain().await;
    let asked = chain.ask("", false);
    let incoming = chain.arrival().await;
    let no = Problem::new(Reason::NotPermitted, hop(PROVIDER), "not to you");
    incoming.exchange.cancel(no.clone());
    assert_eq!(soon("the end", asked.receive()).await.unwrap_err(), no);
    assert_eq!(chain.end().await.result.unwrap_err(), no);
}

/// What an agent says of others would put blame on them.
#[tokio::test(start_paused = true)]
async fn an_agent_speaks_for_itself_alone() {
    let mut chain = chain().await;
    let asked = chain.ask("", false);
    let incoming = chain.arrival().await;
    let lie = Problem::new(Reason::CentreUnreachable, hop("hub.centre"), "it is away");
    incoming.exchange.cancel(lie);
    let told = soon("the end", asked.receive()).await.unwrap_err();
    let said =
        format!("CENTRE_UNREACHABLE at {PROVIDER}: {PROVIDER} says of hub.centre: it is away");
    assert_eq!(told.to_string(), said);
    assert!(chain.end().await.result.is_err());

    let hops: [fn(&mut Vec<HopTime>); 4] = [
        |hops| hops.clear(),
        |hops| hops.truncate(1),
        |hops| hops.push(HopTime { hop: hop("hub.centre"), elapsed: Duration::ZERO }),
        |hops| hops.swap(0, 1),
    ];
    for change in hops {
        let asked = chain.ask("", true);
        let incoming = chain.arrival().await;
        let mut answer = answer_to(&incoming.open, "", true);
        change(&mut answer.hop.hops);
        incoming.exchange.answer(answer).unwrap();
        let told = soon("the end", asked.receive()).await.unwrap_err();
        assert_eq!((told.reason, told.hop), (Reason::AnswerMismatch, hop(PROVIDER)));
        assert!(chain.end().await.result.is_err());
    }
}

/// The farthest hop runs out first, so that the error names it.
#[tokio::test(start_paused = true)]
async fn a_deadline_fires_at_the_farthest_hop_first() {
    for limit in [Duration::from_secs(2), Duration::from_millis(300)] {
        let mut chain = chain().await;
        let deadline = Instant::now() + limit;
        let asking = opening_for(limit, "", true);
        let asked = chain.consumer.lane().open("test".into(), asking, deadline).unwrap();
        let incoming = chain.arrival().await;
        assert!(incoming.exchange.deadline() < deadline);
        tokio::spawn(async move {
            // A provider that waits for its backend, and watches its own deadline.
            let end = incoming.exchange.receive().await;
            assert_eq!(end.unwrap_err().hop, hop(PROVIDER));
        });
        let told = soon("the end", asked.receive()).await.unwrap_err();
        assert_eq!((told.reason, told.hop), (Reason::DeadlineExceeded, hop(PROVIDER)));
        assert!(Instant::now() < deadline + Duration::from_millis(2));
    }
}

/// A provider that does not watch the clock is overtaken by the hub, and a hub that is gone by the
/// consumer itself.
#[tokio::test(start_paused = true)]
async fn a_deadline_fires_without_those_beyond() {
    let mut chain = chain().await;
    let limit = Duration::from_secs(2);
    let deadline = Instant::now() + limit;
    let asking = opening_for(limit, "", true);
    let asked = chain.consumer.lane().open("test".into(), asking, deadline).unwrap();
    let _silent = chain.arrival().await;
    let told = soon("the end", asked.receive()).await.unwrap_err();
    assert_eq!(told.reason, Reason::DeadlineExceeded);
    assert_ne!(told.hop, hop(PROVIDER));
    assert!(Instant::now() < deadline + Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn what_passed_a_hop_before_is_refused_there() {
    let mut chain = chain().await;
    let passed = |name: &str| HopTime { hop: name.parse().unwrap(), elapsed: Duration::ZERO };
    let many = (0..6).map(|index| passed(&format!("hub.h{index}"))).collect();
    for hops in [vec![passed("hub.centre"), passed("hub.health")], many] {
        let mut asking = opening("", true);
        asking.hop.hops = hops;
        let deadline = Instant::now() + HOUR;
        let asked = chain.consumer.lane().open("test".into(), asking, deadline).unwrap();
        let told = soon("the end", asked.receive()).await.unwrap_err();
        assert_eq!((told.reason, told.hop), (Reason::LoopRefused, hop("hub.health")));
        assert_eq!(chain.end().await.result.unwrap_err().reason, Reason::LoopRefused);
    }
    assert!(chain.provider.arrivals.try_recv().is_err());
}

/// Nobody on the way holds more than his credit for a consumer that does not read.
#[tokio::test(start_paused = true)]
async fn a_slow_consumer_holds_the_provider_back() {
    let mut chain = chain().await;
    let asked = chain.ask("", true);
    let incoming = chain.arrival().await;
    incoming.exchange.answer(answer_to(&incoming.open, "", false)).unwrap();
    let mut sent = 0;
    let piece = Bytes::from_static(&[0; 1024]);
    let wait = Duration::from_secs(1);
    while tokio::time::timeout(wait, incoming.exchange.send(piece.clone())).await.is_ok() {
        sent += piece.len();
    }
    // A credit at each of two lanes, and what the hub has in its hand.
    assert!(sent <= 2 * CREDIT_BYTES as usize + 20_000, "{sent} bytes are on the way");
    drop(asked);
    assert_eq!(chain.end().await.result.unwrap_err().reason, Reason::Cancelled);
}
