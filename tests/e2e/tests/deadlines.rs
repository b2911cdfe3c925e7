//! Nobody works for an exchange that is over: its time ran out, or its caller went away.

use std::time::Duration;

use e2e::Bed;

/// Has 1.5 s.
const BRISK: &str = "ir/gov/care/cards/brisk.v1";

/// Only ends a test that hangs.
const ENDED_BY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_takes_too_long_is_let_go() {
    let bed = Bed::start().await;
    for (how, count) in [("hang", 1), ("trickle", 2)] {
        let ask = bed.ask_of(BRISK, "GET", &format!("/act/{how}"));
        let answer = ask.header("mesh-purpose", "licence-check").send().await;
        assert!(answer.status == 504 || answer.broken.is_some(), "{how}: {answer:?}");
        wait_abandoned(&bed, count).await;
    }
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
