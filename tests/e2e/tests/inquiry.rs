//! One inquiry through five real processes, asked with curl; and what each way of asking comes to.

use std::process::Command;

use e2e::Bed;
use e2e::bed::{CARDS, DESK, HOPS};

#[tokio::test(flavor = "multi_thread")]
async fn curl_asks_through_five_processes() {
    let bed = Bed::start().await;
    let url = format!("http://{}/r1/{CARDS}/cards/17?full=yes", bed.local(HOPS[0]));
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "30"])
        .args(["--header", &format!("X-Road-Client: {DESK}")])
        .args(["--header", "X-Road-Id: message-1", "--header", "Accept-Language: fa"])
        .arg(&url)
        .output()
        .expect("curl is installed; `cargo xtask setup` installs it");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("x-road-id: message-1"), "{head}");
    assert!(head.contains(&format!("x-road-client: {DESK}")), "{head}");
    assert!(head.contains(&format!("x-road-service: {CARDS}")), "{head}");
    assert!(head.contains("x-road-request-id: "), "{head}");
    assert!(head.contains("etag: \"v1\""), "{head}");
    assert!(!head.contains("x-private"), "a hop-by-hop field came through: {head}");

    let told: serde_json::Value = serde_json::from_str(body).expect(body);
    assert_eq!(told["card"], "17");
    assert_eq!(told["query"], "full=yes");
    assert_eq!(told["headers"]["accept-language"], "fa");
    assert_eq!(told["headers"]["x-road-client"], DESK);
    assert_eq!(told["headers"]["x-road-id"], "message-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_passes_the_hops_that_the_law_wants() {
    let bed = Bed::start().await;
    let across = bed.ask("GET", "/cards/1").send().await;
    assert_eq!(across.status, 200, "{across:?}");
    assert_eq!(across.hops(), HOPS);

    let base = bed.ask_of("ir/gov/register/persons/identity.v1", "GET", "/cards/1").send().await;
    assert_eq!(base.status, 200, "{base:?}");
    assert_eq!(
        base.hops(),
        ["desk.tax.gov.economy", "hub.economy", "hub.centre", "persons.register.gov.edge"]
    );

    let path = format!("/r1/{CARDS}/cards/1");
    let care = bed.local("desk.care.gov.health");
    let inside = e2e::Ask::new(care, "GET", &path).header("x-road-client", "ir/gov/care/desk");
    let inside = inside.send().await;
    assert_eq!(inside.status, 200, "{inside:?}");
    assert_eq!(
        inside.hops(),
        ["desk.care.gov.health", "hub.health", "cards.care.gov.health"],
        "inside a cluster the centre is not touched"
    );

    let edge = bed.local("persons.register.gov.edge");
    let down = e2e::Ask::new(edge, "GET", &path).header("x-road-client", "ir/gov/register/persons");
    let down = down.send().await;
    assert_eq!(
        down.hops(),
        ["persons.register.gov.edge", "hub.centre", "hub.health", "cards.care.gov.health"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_the_service_is_handed_on_as_it_is() {
    let bed = Bed::start().await;
    let missing = bed.ask("GET", "/act/nothing").send().await;
    assert_eq!(missing.status, 404, "the service's own 404, not the mesh's: {missing:?}");
    assert!(!missing.headers.contains_key("x-road-error"), "{missing:?}");

    let head = bed.ask("HEAD", "/cards/1").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0), "{head:?}");
    assert_eq!(head.headers["etag"], "\"v1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hub_carries_it_does_not_log() {
    let bed = Bed::start().await;
    let marks = ["MARK-PATH", "MARK-QUERY", "MARK-FIELD", "MARK-USER", "MARK-BODY"];
    let answer = bed
        .ask("GET", &format!("/cards/{}?q={}", marks[0], marks[1]))
        .header("x-own", marks[2])
        .header("x-road-userid", marks[3])
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = bed.ask("POST", "/echo").body(marks[4]).send().await;
    assert_eq!(&echo.body[..], marks[4].as_bytes(), "{echo:?}");
    let id = answer.headers["x-road-request-id"].to_str().expect("an id");
    for node in HOPS {
        bed.wait_log(node, &[id], 1).await;
        let log = bed.log(node);
        for mark in marks {
            assert!(!log.contains(mark), "{mark} is in the log of {node}");
        }
    }
}
