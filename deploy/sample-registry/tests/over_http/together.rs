//! Registers that are filled apart and yet agree on who is who.

use sample_registry::{Kind, Person};
use serde_json::{Value, json};

use crate::running::{Running, firms, people};

#[tokio::test]
async fn companies_and_their_officers_are_in_all_registers() {
    let civil = Running::start(Kind::Civil).await;
    let companies = Running::start(Kind::LegalPersons).await;
    let addresses = Running::start(Kind::Addresses).await;
    for firm in firms().iter().step_by(5) {
        let id = firm.legal_id.as_str();
        let reply = companies.look(&format!("/companies/{id}")).await;
        let entry = reply.answer(200);
        assert_eq!(entry["name"], firm.name);
        assert_eq!(entry["registration_date"], firm.registration_date);
        assert_eq!(entry["active"], firm.active);
        let officers = entry["officers"].as_array().unwrap();
        assert_eq!(officers.len(), firm.officers.len());
        for officer in officers {
            let person = officer["national_id"].as_str().unwrap();
            let reply = civil.look(&format!("/persons/{person}")).await;
            assert_eq!(reply.answer(200)["alive"], true);
            let reply = companies.look(&format!("/persons/{person}/companies")).await;
            let led = reply.answer(200)["companies"].as_array().unwrap().clone();
            let same = |led: &Value| led["legal_id"] == id && led["role"] == officer["role"];
            assert!(led.iter().any(same));
        }
        let seat = entry["postal_code"].as_str().unwrap();
        addresses.look(&format!("/addresses/{seat}")).await.answer(200);
    }
}

#[tokio::test]
async fn persons_live_where_the_post_says() {
    let addresses = Running::start(Kind::Addresses).await;
    let people = people();
    let claim = |person: &Person, home: &Person| {
        json!({
            "national_id": person.national_id.as_str(),
            "postal_code": home.postal_code.as_str(),
        })
    };
    for (person, other) in people.iter().zip(&people[1..]).take(20) {
        for (home, want) in [(person, true), (other, false)] {
            let reply = addresses.post("/addresses/match", &claim(person, home)).await;
            assert_eq!(*reply.answer(200), json!({"match": want}));
        }
        let reply = addresses.look(&format!("/addresses/{}", person.postal_code.as_str())).await;
        assert!(reply.answer(200)["plate"].as_u64().unwrap() <= 240);
    }
}

#[tokio::test]
async fn employers_are_companies() {
    let insurance = Running::start(Kind::Insurance).await;
    let firms = firms();
    let mut employed = 0;
    for person in people().iter().take(60) {
        let path = format!("/persons/{}/record", person.national_id.as_str());
        let record = insurance.look(&path).await.answer(200).clone();
        if let Some(employer) = record["employer"].as_str() {
            assert!(record["insured"].as_bool().unwrap());
            assert!(firms.iter().any(|firm| firm.legal_id.as_str() == employer));
            employed += 1;
        }
    }
    assert!(5 < employed, "{employed}");
}

#[tokio::test]
async fn the_treasury_knows_every_payment_that_it_lists() {
    let treasury = Running::start(Kind::Treasury).await;
    let mut paid = 0;
    for firm in firms().iter().take(10) {
        let path = format!("/companies/{}/payments", firm.legal_id.as_str());
        let references = treasury.look(&path).await.answer(200)["references"].clone();
        for reference in references.as_array().unwrap() {
            let path = format!("/payments/{}", reference.as_str().unwrap());
            let payment = treasury.look(&path).await.answer(200).clone();
            assert_eq!(
                (&payment["reference"], &payment["payer_kind"]),
                (reference, &json!("company"))
            );
            assert!(0 < payment["amount_rial"].as_u64().unwrap());
            paid += 1;
        }
    }
    assert!(5 < paid, "{paid}");
}
