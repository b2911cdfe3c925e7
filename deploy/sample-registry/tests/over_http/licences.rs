//! Applications for licences: taken once for each key, whatever happens on the way.

use std::sync::Arc;

use http::Method;
use sample_registry::Kind;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::running::{NO_PERSON, Reply, Running, people, persian};

async fn start() -> Running {
    Running::start(Kind::Licences).await
}

async fn apply(server: &Running, key: Option<&str>, wish: &Value) -> Reply {
    let headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    server.ask_with(Method::POST, "/applications", &headers, wish.to_string()).await
}

fn wish(person: usize, licence_type: &str) -> Value {
    json!({"national_id": people()[person].national_id.as_str(), "licence_type": licence_type})
}

#[tokio::test]
async fn an_application_is_taken_and_found_again() {
    let server = start().await;
    let taken = apply(&server, None, &wish(0, "bakery")).await.answer(201).clone();
    assert_eq!(taken["status"], "received");
    let number = taken["application"].as_str().unwrap();
    for typed in [number.to_owned(), persian(number)] {
        let reply = server.look(&format!("/applications/{typed}")).await;
        assert_eq!(*reply.answer(200), taken);
    }
    let reply = server.look("/applications/999999999999").await;
    assert_eq!(*reply.answer(404), json!({"found": false}));
    for bad in ["1", "x", "00000000000x", "0000000000001"] {
        let reply = server.look(&format!("/applications/{bad}")).await;
        assert!(!reply.problem(400).is_empty(), "{bad}");
    }
}

#[tokio::test]
async fn a_key_stands_for_one_application() {
    let server = start().await;
    let first = apply(&server, Some("k-1"), &wish(0, "bakery")).await.answer(201).clone();
    let again = apply(&server, Some("k-1"), &wish(0, "bakery")).await.answer(201).clone();
    assert_eq!(first, again);
    // The same wish, typed on another keyboard.
    let mut typed = wish(0, "bakery");
    let id = typed["national_id"].as_str().unwrap();
    let id: String =
        id.chars().map(|c| char::from_u32('۰' as u32 + c as u32 - 48).unwrap()).collect();
    typed["national_id"] = id.into();
    assert_eq!(*apply(&server, Some("k-1"), &typed).await.answer(201), first);

    for other in [wish(0, "pharmacy"), wish(1, "bakery")] {
        let reply = apply(&server, Some("k-1"), &other).await;
        assert!(reply.problem(422).contains("Idempotency-Key"));
    }
    // Neither refusal left anything behind.
    let second = apply(&server, Some("k-2"), &wish(0, "bakery")).await.answer(201).clone();
    assert_eq!(next(&first), second["application"]);
    let third = apply(&server, None, &wish(0, "bakery")).await.answer(201).clone();
    assert_eq!(next(&second), third["application"]);
    let fourth = apply(&server, None, &wish(0, "bakery")).await.answer(201).clone();
    assert_eq!(next(&third), fourth["application"], "no key is no promise");
}

#[tokio::test]
async fn a_restart_forgets_no_application_and_no_key() {
    let server = start().await;
    let taken = apply(&server, Some("k"), &wish(2, "bookshop")).await.answer(201).clone();
    let server = server.restart().await;
    let path = format!("/applications/{}", taken["application"].as_str().unwrap());
    assert_eq!(*server.look(&path).await.answer(200), taken);
    assert_eq!(*apply(&server, Some("k"), &wish(2, "bookshop")).await.answer(201), taken);
    apply(&server, Some("k"), &wish(2, "bakery")).await.problem(422);
}

fn next(application: &Value) -> String {
    let number: u64 = application["application"].as_str().unwrap().parse().unwrap();
    format!("{:012}", number + 1)
}

#[tokio::test]
async fn one_key_at_once_is_one_application() {
    let server = Arc::new(start().await);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let server = Arc::clone(&server);
        callers.spawn(async move {
            apply(&server, Some("k"), &wish(0, "grocery")).await.answer(201).clone()
        });
    }
    let mut taken: Vec<String> =
        callers.join_all().await.iter().map(|taken| taken["application"].to_string()).collect();
    taken.dedup();
    assert_eq!(taken.len(), 1);
}

#[tokio::test]
async fn wishes_that_cannot_be_granted_are_refused() {
    let server = start().await;
    let reply = apply(&server, None, &wish(0, "time-machine")).await;
    assert!(reply.problem(422).contains("restaurant, bakery"));
    assert!(!reply.body.to_string().contains("time-machine"));
    let unknown = json!({"national_id": NO_PERSON, "licence_type": "bakery"});
    assert_eq!(*apply(&server, Some("k"), &unknown).await.answer(404), json!({"found": false}));
    let long = "k".repeat(129);
    for key in ["", &long] {
        let reply = apply(&server, Some(key), &wish(0, "bakery")).await;
        assert!(reply.problem(400).contains("128"));
    }
    // A key that was never taken is still free.
    apply(&server, Some("k"), &wish(0, "bakery")).await.answer(201);
}

#[tokio::test]
async fn holders_see_their_licences() {
    let server = start().await;
    let mut held = 0;
    for person in people().iter().take(60) {
        let path = format!("/persons/{}/licences", person.national_id.as_str());
        let licences = server.look(&path).await.answer(200)["licences"].clone();
        for licence in licences.as_array().unwrap() {
            assert!(licence["issued"].as_str().unwrap() < licence["until"].as_str().unwrap());
            assert!(!licence["title"].as_str().unwrap().is_empty());
            held += 1;
        }
    }
    assert!(3 < held, "{held}");
}
