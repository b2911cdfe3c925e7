//! SIGTERM: a node turns unready, finishes what it took on, and leaves with exit code 0.

use std::time::Duration;

use e2e::Bed;
use e2e::bed::HOPS;
use nation::process::left_in_order;

/// For a process to leave; only ends a test that hangs.
const LEFT_BY: Duration = Duration::from_secs(40);

const BODY_BYTES: usize = 40_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_finishes() {
    let mut bed = Bed::start().await;
    for name in HOPS {
        // Far more than sockets and credit hold, so that it is under way at every hop.
        let mut head = bed.ask("GET", &format!("/bytes/{BODY_BYTES}")).head().await;
        let first = head.part().await.expect("a part").expect("it came");
        let in_flight = &bed.status(name)["exchanges_in_flight"];
        assert!(in_flight.as_u64().is_some_and(|count| 1 <= count), "{name}: {in_flight}");
        bed.nation.process(name).expect(name).ask_to_stop();
        wait_draining(&bed, name).await;
        let rest = head.whole().await;
        assert_eq!(rest.broken, None, "{name} broke off what it had taken on");
        assert_eq!(first.len() + rest.body.len(), BODY_BYTES, "{name}");
        let process = bed.nation.process(name).expect(name);
        let status = tokio::task::block_in_place(|| process.wait(LEFT_BY));
        let status = status.unwrap_or_else(|| panic!("{name} did not leave"));
        assert!(left_in_order(status), "{name}: {status}");
        bed.nation.restart(name).expect(name);
        bed.wait_ready();
        bed.wait_answered("/cards/1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_nation_leaves_at_once() {
    let bed = Bed::start().await;
    let Bed { nation, backend: _backend, .. } = bed;
    let unruly = tokio::task::block_in_place(|| nation.stop(LEFT_BY));
    assert!(unruly.is_empty(), "did not leave in order: {unruly:?}");
}

/// Level-triggered: the node says that it drains, while it still has what it took on.
async fn wait_draining(bed: &Bed, name: &str) {
    for _ in 0..500 {
        if bed.status(name)["state"] == "draining" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} does not drain: {}", bed.status(name));
}
