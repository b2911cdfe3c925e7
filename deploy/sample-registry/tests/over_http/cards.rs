//! Service cards: page by page, and one by one.

use sample_registry::{Kind, first_card_code};
use serde_json::Value;

use crate::running::{Running, SEED, persian};

async fn start(publisher: &str) -> Running {
    Running::start(Kind::Cards { publisher: publisher.parse().unwrap() }).await
}

/// Follows the pages to the last one.
async fn all(server: &Running) -> Vec<Value> {
    let mut cards = Vec::new();
    let mut path = "/cards".to_owned();
    loop {
        let page = server.look(&path).await.answer(200).clone();
        let found = page["cards"].as_array().unwrap();
        assert!(found.len() <= 10);
        cards.extend(found.iter().cloned());
        let Some(next) = page["next"].as_str() else { return cards };
        assert_eq!(next, found[9]["code"]);
        path = format!("/cards?after={next}");
    }
}

#[tokio::test]
async fn pages_lead_to_every_card_once() {
    let mut seen = Vec::new();
    for publisher in ["health", "justice", "north-pole"] {
        let server = start(publisher).await;
        let cards = all(&server).await;
        assert!((12..24).contains(&cards.len()), "{publisher} has {}", cards.len());
        let codes: Vec<&str> = cards.iter().map(|card| card["code"].as_str().unwrap()).collect();
        assert!(codes.is_sorted());
        assert_eq!(codes[0], first_card_code(SEED, &publisher.parse().unwrap()));
        let mut titles: Vec<&str> =
            cards.iter().map(|card| card["title"].as_str().unwrap()).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), cards.len(), "{publisher} gives a title twice");
        for listed in &cards {
            let path = format!("/cards/{}", listed["code"].as_str().unwrap());
            let card = server.look(&path).await.answer(200).clone();
            assert_eq!((&card["code"], &card["title"]), (&listed["code"], &listed["title"]));
            assert_eq!(card["publisher"], publisher);
        }
        seen.extend(codes.into_iter().map(str::to_owned));
    }
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all, "no two publishers share a code");
}

#[tokio::test]
async fn a_page_begins_after_any_code() {
    let server = start("health").await;
    let first = first_card_code(SEED, &"health".parse().unwrap());
    let second = server.look("/cards").await.body["cards"][1]["code"].clone();
    for after in [first.clone(), persian(&first)] {
        let page = server.look(&format!("/cards?lang=fa&after={after}")).await;
        assert_eq!(page.answer(200)["cards"][0]["code"], second);
    }
    let page = server.look("/cards?after=99999999999").await;
    let page = page.answer(200);
    assert!(page["cards"].as_array().unwrap().is_empty() && page["next"].is_null());
    for bad in ["", "1", "x", "1234567890x", "%27"] {
        let reply = server.look(&format!("/cards?after={bad}")).await;
        assert!(!reply.problem(400).is_empty(), "{bad}");
    }
}
