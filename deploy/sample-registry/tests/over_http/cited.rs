//! The citizen of the worked example: what all registers say about him in the default nation.

use sample_registry::{
    Kind, PERSONS_DEFAULT, SEED_DEFAULT, first_legal_id, first_national_id,
    first_payment_reference, first_postal_code,
};
use serde_json::{Value, json};

use crate::running::{Running, kind};

/// Documents cite these: if this test fails, the seed has lost its meaning.
#[tokio::test]
async fn identifiers_stay_what_the_documents_cite() {
    let found = [
        first_national_id(SEED_DEFAULT),
        first_legal_id(SEED_DEFAULT),
        first_postal_code(SEED_DEFAULT),
        first_payment_reference(SEED_DEFAULT),
    ];
    assert_eq!(found, ["9941148996", "99669620167", "9391405530", "3000000091811864"]);
}

async fn look(name: &str, path: &str) -> Value {
    let server = Running::start_nation(kind(name), SEED_DEFAULT, PERSONS_DEFAULT).await;
    server.look(path).await.answer(200).clone()
}

#[tokio::test]
async fn registers_say_nothing_against_him() {
    let person = first_national_id(SEED_DEFAULT);
    let company = first_legal_id(SEED_DEFAULT);

    let entry = look("civil", &format!("/persons/{person}")).await;
    assert_eq!((&entry["alive"], &entry["birth_date"]), (&json!(true), &json!("1984-10-03")));

    let entry = look("legal-persons", &format!("/companies/{company}")).await;
    assert_eq!(entry["active"], true);
    assert_eq!(entry["officers"][0], json!({"national_id": person, "role": "مدیرعامل"}));
    let led = look("legal-persons", &format!("/persons/{person}/companies")).await;
    let led = led["companies"].as_array().unwrap().clone();
    assert!(led.iter().any(|led| led["legal_id"] == company.as_str()));

    for path in [format!("/persons/{person}/debt"), format!("/companies/{company}/debt")] {
        let want = json!({"debt_rial": 0, "as_of": "2025-03-20", "clear": true});
        assert_eq!(look("tax", &path).await, want);
    }

    let degrees = look("degrees", &format!("/persons/{person}/degrees")).await;
    assert_eq!(degrees["degrees"][0]["level"], "کارشناسی");

    let health = look("health", &format!("/persons/{person}/eligibility")).await;
    assert_eq!(health["valid"], true);
    assert!("2029" < health["until"].as_str().unwrap() && health["coverage"].is_string());

    let record = look("insurance", &format!("/persons/{person}/record")).await;
    assert_eq!((&record["insured"], &record["employer"]), (&json!(true), &json!(company)));
    assert!(96 <= record["months_paid"].as_u64().unwrap());

    let supplier = look("procurement", &format!("/suppliers/{company}")).await;
    assert_eq!((&supplier["approved"], &supplier["barred_until"]), (&json!(true), &Value::Null));

    let reference = first_payment_reference(SEED_DEFAULT);
    let payment = look("treasury", &format!("/payments/{reference}")).await;
    assert_eq!((&payment["status"], &payment["payer_kind"]), (&json!("paid"), &json!("person")));

    let licences = look("licences", &format!("/persons/{person}/licences")).await;
    let licences = licences["licences"].as_array().unwrap();
    assert!(licences.len() == 1 && licences[0]["valid"] == false, "an older licence");
}

#[tokio::test]
async fn he_lives_where_he_says() {
    let server = Running::start_nation(Kind::Addresses, SEED_DEFAULT, PERSONS_DEFAULT).await;
    let (person, home) = (first_national_id(SEED_DEFAULT), first_postal_code(SEED_DEFAULT));
    let claim = json!({"national_id": person, "postal_code": home});
    let reply = server.post("/addresses/match", &claim).await;
    assert_eq!(*reply.answer(200), json!({"match": true}));
    server.look(&format!("/addresses/{home}")).await.answer(200);
}
