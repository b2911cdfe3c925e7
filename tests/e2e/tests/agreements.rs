//! No agreement, no route: proposed, signed, suspended, resumed and revoked while others ask, on
//! real processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::Bed;
use e2e::bed::{CARDS, DESK, HOPS};
use tokio::time::{sleep, timeout};

/// A service that the desk may not use at first.
const SECRET: &str = "ir/gov/care/cards/secret.v1";

/// Only ends a test that hangs.
const HANG_MAX: Duration = Duration::from_secs(30);

/// How often a node is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// Status and reason of one inquiry.
async fn ask(bed: &Bed, service: &str, path: &str) -> (u16, String) {
    let answer = bed.ask_of(service, "GET", path).send().await;
    let reason = answer.headers.get("x-road-error").and_then(|value| value.to_str().ok());
    (answer.status, reason.unwrap_or_default().to_owned())
}

/// Waits until the inquiry is told `want`, the reason or nothing.
async fn until(bed: &Bed, service: &str, path: &str, want: &str) {
    let seen = async {
        while ask(bed, service, path).await.1 != want {
            sleep(PAUSE).await;
        }
    };
    timeout(HANG_MAX, seen).await.unwrap_or_else(|_| panic!("{service} never told {want:?}"));
}

fn complaint(bed: &Bed, args: &[&str]) -> String {
    let printed = tokio::task::block_in_place(|| bed.nation.hubctl(args)).expect("hubctl runs");
    assert!(!printed.success, "{printed:?}");
    printed.err
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_of_all_three_is_in_force_and_one_of_two_is_not() {
    let bed = Bed::start().await;
    assert_eq!(ask(&bed, SECRET, "/").await, (403, "NOT_PERMITTED".into()));
    let id = bed.agree(&format!(
        "[[agreements]]\ntitle = \"desk-secret\"\nconsumer = \"{DESK}\"\nservice = \"{SECRET}\"\n\
         operations = [\"get\"]\npurposes = [\"licence-issue\"]\n"
    ));
    // The service behind it has no path `/`; it is the service that says so.
    until(&bed, SECRET, "/", "").await;
    assert_eq!(ask(&bed, SECRET, "/").await.0, 404);

    let shown = bed.hubctl(&["agreement", "show", &id[..12]]);
    println!("{shown}");
    for words in ["active until 2034", "desk-secret", "licence-issue, by a test", "secretariat"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let file = bed.scratch().join(format!("{}.agreement", &id[..16])).display().to_string();
    let trust = bed.nation.layout.members_trust().display().to_string();
    let verified = bed.hubctl(&["agreement", "verify", &file, "--trust", &trust]);
    println!("{verified}");
    assert_eq!(verified.matches("sound").count(), 4, "terms and three signatures: {verified}");

    // One bit of one signature.
    let mut bytes = std::fs::read(&file).expect("it is there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let said = complaint(&bed, &["agreement", "verify", &file, "--trust", &trust]);
    assert!(said.contains("1 of 3 signatures are not believed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_what_is_asked_and_not_what_is_under_way() {
    let bed = Arc::new(Bed::start().await);
    let id = bed.agreement("desk-cards").to_string();
    let (stop, load) = (Arc::new(AtomicBool::new(false)), Arc::clone(&bed));
    let stopped = Arc::clone(&stop);
    // Everybody is answered or refused with the reason of the moment; nothing else ever.
    let load = tokio::spawn(async move {
        let mut seen = std::collections::BTreeMap::<String, u64>::new();
        while !stopped.load(Ordering::Relaxed) {
            let (status, reason) = ask(&load, CARDS, "/cards/1").await;
            *seen.entry(format!("{status} {reason}")).or_default() += 1;
        }
        seen
    });
    until(&bed, CARDS, "/cards/1", "").await;

    for office in ["ir/gov/tax", "ir/gov/care", "centre"] {
        let said = bed.act("suspend", &id, office, &[]);
        println!("{said}");
        until(&bed, CARDS, "/cards/1", "AGREEMENT_SUSPENDED").await;
        let answer = bed.ask("GET", "/cards/1").send().await;
        let detail = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(detail.contains("only who suspends can resume"), "{detail}");
        // Nobody else can lift it.
        let other = if office == "centre" { "ir/gov/tax" } else { "centre" };
        let key = bed.nation.layout.officer(other).display().to_string();
        let said = complaint(&bed, &["agreement", "resume", &id, "--key", &key]);
        assert!(said.contains("each lifts only its own suspension"), "{said}");
        bed.act("resume", &id, office, &[]);
        until(&bed, CARDS, "/cards/1", "").await;
    }

    bed.act("revoke", &id, "centre", &[]);
    until(&bed, CARDS, "/cards/1", "AGREEMENT_REVOKED").await;
    // Each hop knows, not only the first one.
    for node in HOPS {
        let centre = bed.status("hub.centre")["directory_revision"].as_u64();
        let knows = async {
            while bed.status(node)["directory_revision"].as_u64() < centre {
                sleep(PAUSE).await;
            }
        };
        timeout(HANG_MAX, knows).await.unwrap_or_else(|_| panic!("{node} does not know"));
    }
    stop.store(true, Ordering::Relaxed);
    let seen = load.await.expect("the load ends");
    println!("{seen:?}");
    let known = ["200 ", "403 AGREEMENT_SUSPENDED", "403 AGREEMENT_REVOKED"];
    assert!(seen.keys().all(|what| known.contains(&what.as_str())), "{seen:?}");
    assert!(known.iter().all(|what| seen.contains_key(*what)), "{seen:?}");

    let said = complaint(&bed, &["agreement", "resume", &id, "--key", &key_of(&bed, "centre")]);
    assert!(said.contains("nobody can resume it: it is revoked by the centre"), "{said}");
}

fn key_of(bed: &Bed, office: &str) -> String {
    bed.nation.layout.officer(office).display().to_string()
}
