//! Bodies of one byte to 64 MiB, both ways, through every hop, with its memory bounded.

use bytes::Bytes;
use e2e::Bed;
use e2e::backend::{pattern, sha256};
use e2e::bed::HOPS;
use futures_util::StreamExt as _;
use futures_util::stream;

const MIB: usize = 1024 * 1024;

/// What any one process may use at its peak. A hop holds credit, never a body.
const PEAK_KIB_MAX: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_all_sizes_pass_both_ways() {
    let mut bed = Bed::start().await;
    let edge = 64 * 1024;
    for size in [0, 1, 600, edge - 1, edge, edge + 1, MIB, 64 * MIB] {
        let down = bed.ask("GET", &format!("/bytes/{size}")).send().await;
        assert_eq!((down.status, down.broken), (200, None), "{size} bytes down");
        assert!(down.body[..] == pattern(0, size)[..], "{size} bytes down are not what was sent");

        let body = pattern(0, size);
        let want = sha256(&body);
        let up = bed.ask("POST", "/digest").body(body.clone()).send().await;
        assert_eq!(up.status, 200, "{size} bytes up: {up:?}");
        assert_eq!(up.json()["length"], size);
        assert_eq!(up.json()["sha256"], want.as_str(), "{size} bytes up");

        let parts: Vec<Bytes> = body.chunks(50_000).map(Bytes::copy_from_slice).collect();
        let echo = bed.ask("POST", "/echo").stream(stream::iter(parts).boxed()).send().await;
        assert_eq!((echo.status, echo.broken), (200, None), "{size} bytes there and back");
        assert_eq!(sha256(&echo.body), want, "{size} bytes there and back, of unknown length");
    }
    for hop in HOPS {
        let process = bed.nation.process(hop).expect(hop);
        let (now, peak) = process.memory_kib().expect("the kernel counts it");
        println!("{hop}: {now} KiB resident, {peak} KiB at its peak");
        assert!(peak < PEAK_KIB_MAX, "{hop} used {peak} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_nobody_up_and_costs_little() {
    let mut bed = Bed::start().await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut head = bed.ask("GET", &format!("/bytes/{}", 8 * MIB)).head().await;
        assert_eq!(head.status, 200);
        // Reads one part, and then no more for as long as others ask.
        head.part().await.expect("a part").expect("it came whole");
        slow.push(head);
    }
    for _ in 0..20 {
        let answer = bed.ask("GET", &format!("/bytes/{MIB}")).send().await;
        assert_eq!((answer.status, answer.body.len()), (200, MIB));
    }
    for hop in HOPS {
        let process = bed.nation.process(hop).expect(hop);
        let (_, peak) = process.memory_kib().expect("the kernel counts it");
        println!("{hop}: {peak} KiB at its peak");
        assert!(peak < PEAK_KIB_MAX, "{hop} used {peak} KiB");
    }
    // What was held back is still whole.
    let first = slow.remove(0).whole().await;
    assert!(first.broken.is_none(), "{:?}", first.broken);
}
