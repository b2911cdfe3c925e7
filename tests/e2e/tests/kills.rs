//! Any process killed in the middle: the caller gets its exact reason, nothing hangs, and all
//! recovers by itself when the process is back.

use std::time::{Duration, Instant};

use e2e::bed::HOPS;
use e2e::{Answer, Bed};

/// Begins an exchange that would take for ever, and waits until the provider's service has it.
async fn under_way(bed: &Bed, method: &str, path: &str) -> tokio::task::JoinHandle<Answer> {
    let before = bed.backend.requests();
    let asking = tokio::spawn(bed.ask(method, path).send());
    while bed.backend.requests() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asking
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_is_killed_is_named() {
    let mut bed = Bed::start().await;
    // Killed, and the reason while nobody is there in its place.
    let cases = [
        ("hub.economy", "HUB_UNREACHABLE"),
        ("hub.centre", "CENTRE_UNREACHABLE"),
        ("hub.health", "CLUSTER_UNREACHABLE"),
        ("cards.care.gov.health", "PROVIDER_UNREACHABLE"),
    ];
    for (victim, absent) in cases {
        let asking = under_way(&bed, "GET", "/act/hang").await;
        bed.nation.process(victim).expect(victim).kill();
        let answer = asking.await.expect("the client runs");
        println!("{victim} killed: {} {:?}", answer.status, answer.problem());
        assert_eq!(answer.problem(), ("LINK_LOST".into(), victim.into()), "{answer:?}");
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");

        let refused = bed.ask("GET", "/cards/1").send().await;
        assert_eq!(refused.problem(), (absent.into(), victim.into()), "{refused:?}");

        bed.nation.restart(victim).expect(victim);
        bed.wait_ready();
        bed.wait_answered("/cards/1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_under_way_has_an_unknown_outcome() {
    let mut bed = Bed::start().await;
    let asking = under_way(&bed, "POST", "/submit/hang").await;
    bed.nation.process("hub.centre").expect("the centre").kill();
    let answer = asking.await.expect("the client runs");
    assert_eq!(answer.problem(), ("OUTCOME_UNKNOWN".into(), "hub.centre".into()), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumers_agent_killed_lets_the_provider_go() {
    let mut bed = Bed::start().await;
    let asking = tokio::spawn(bed.ask("GET", "/act/hang").try_head());
    while bed.backend.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bed.nation.process(HOPS[0]).expect("the agent").kill();
    assert!(asking.await.expect("the client runs").is_err(), "its connection is gone");
    let began = Instant::now();
    while bed.backend.abandoned() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the service still works for nobody");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_middle_of_a_body_breaks_and_says_so() {
    let mut bed = Bed::start().await;
    for victim in ["hub.economy", "hub.centre", "hub.health", "cards.care.gov.health"] {
        let mut head = bed.ask("GET", "/act/trickle").head().await;
        head.part().await.expect("a part").expect("it came");
        bed.nation.process(victim).expect(victim).kill();
        let answer = head.whole().await;
        println!("{victim} killed in the middle of a body: {:?}", answer.broken);
        assert!(answer.broken.is_some(), "{victim}: it looks whole: {answer:?}");
        bed.wait_log(HOPS[0], &["LINK_LOST", victim], 1).await;
        bed.nation.restart(victim).expect(victim);
        bed.wait_ready();
        bed.wait_answered("/cards/1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_centre_down_leaves_clusters_working() {
    let mut bed = Bed::start().await;
    bed.nation.process("hub.centre").expect("the centre").kill();
    let care = bed.local("desk.care.gov.health");
    let path = format!("/r1/{}/cards/1", e2e::bed::CARDS);
    for _ in 0..10 {
        let inside = e2e::Ask::new(care, "GET", &path).header("x-road-client", "ir/gov/care/desk");
        let inside = inside.send().await;
        assert_eq!(inside.status, 200, "inside a cluster work goes on: {inside:?}");
        let across = bed.ask("GET", "/cards/1").send().await;
        let want = ("CENTRE_UNREACHABLE".into(), "hub.centre".into());
        assert_eq!(across.problem(), want, "refused at once: {across:?}");
    }
    bed.nation.restart("hub.centre").expect("the centre");
    bed.wait_ready();
    bed.wait_answered("/cards/1").await;
}

/// A machine that hangs sends no reset: only the ping notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_freezes_is_noticed() {
    let mut bed = Bed::start().await;
    let asking = under_way(&bed, "GET", "/act/hang").await;
    bed.nation.process("hub.centre").expect("the centre").freeze();
    let answer = asking.await.expect("the client runs");
    bed.nation.process("hub.centre").expect("the centre").thaw();
    assert_eq!(answer.problem(), ("LINK_LOST".into(), "hub.centre".into()), "{answer:?}");
    bed.wait_ready();
    bed.wait_answered("/cards/1").await;
}
