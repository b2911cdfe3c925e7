//! Deadlines are total: a provider that trickles ends as one that hangs does.

use std::time::Duration;

use e2e::Bed;
use e2e::bed::HOPS;

const BRISK: &str = "ir/gov/care/cards/brisk.v1";

/// The service's own time is 1.5 s. Far less than the 30 s of a hang, and room for a busy machine.
const ENDED_BY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn backend_timeout() {
    let bed = Bed::start().await;
    let ask = bed.ask_of(BRISK, "GET", "/act/hang").header("mesh-purpose", "licence-check");
    let answer = ask.send().await;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(answer.problem(), ("DEADLINE_EXCEEDED".into(), HOPS[4].into()), "the farthest hop");
    assert!(answer.elapsed < ENDED_BY, "{:?}", answer.elapsed);
    assert!(Duration::from_millis(1000) < answer.elapsed, "{:?}", answer.elapsed);
    wait_abandoned(&bed, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backend_trickle_deadline() {
    let bed = Bed::start().await;
    let ask = bed.ask_of(BRISK, "GET", "/act/trickle").header("mesh-purpose", "licence-check");
    let answer = ask.send().await;
    assert_eq!(answer.status, 200, "the head came in time: {answer:?}");
    assert!(!answer.body.is_empty(), "some of it came");
    assert!(answer.broken.is_some(), "it must not look whole: {answer:?}");
    assert!(answer.elapsed < ENDED_BY, "{:?}", answer.elapsed);
    wait_abandoned(&bed, 1).await;
    bed.wait_log(HOPS[4], &["DEADLINE_EXCEEDED"], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_own_deadline_holds() {
    let bed = Bed::start().await;
    let ask = bed.ask("GET", "/act/hang").header("mesh-timeout-ms", "700");
    let answer = ask.send().await;
    assert_eq!(answer.problem().0, "DEADLINE_EXCEEDED", "{answer:?}");
    assert!(answer.elapsed < ENDED_BY, "{:?}", answer.elapsed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_is_not_worked_for() {
    let bed = Bed::start().await;
    let mut head = bed.ask("GET", "/act/trickle").head().await;
    head.part().await.expect("a part").expect("it came");
    drop(head);
    wait_abandoned(&bed, 1).await;
    let waiting = tokio::spawn(bed.ask("GET", "/act/hang").send());
    while bed.backend.requests() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    waiting.abort();
    wait_abandoned(&bed, 2).await;
}

/// The provider's service is let go too, within the time that anything may take here.
async fn wait_abandoned(bed: &Bed, count: u64) {
    let all_gone = async {
        while bed.backend.abandoned() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(ENDED_BY, all_gone).await.expect("the service was let go");
}
