//! The sample nation at work: every cluster asks every other, through the centre and only so, and
//! every service answers.

use std::collections::BTreeSet;

use e2e::sample::SampleNation;
use nation::memory::memory;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_nation_works() {
    let sample = SampleNation::start().await;
    nodes_at_rest_are_small(&sample);
    every_cluster_asks_every_other_through_the_centre(&sample).await;
    every_service_answers(&sample).await;
}

fn nodes_at_rest_are_small(sample: &SampleNation) {
    let programs = memory(sample.nation.processes());
    print!("{}", nation::show::memory(&programs));
    for memory in programs {
        assert!(memory.is_held(), "{memory:?}");
    }
}

async fn every_cluster_asks_every_other_through_the_centre(sample: &SampleNation) {
    let secretariats = sample.secretariats();
    assert_eq!(secretariats.len(), 14);
    let before = sample.count("hub.centre", "exchanges_opened");
    let mut pairs = 0;
    for from in &secretariats {
        for to in secretariats.iter().filter(|to| to.cluster != from.cluster) {
            let answer = sample.ask(&from.system, &to.cards, ("GET", "/cards")).send().await;
            assert_eq!(answer.status, 200, "{from:?} asks {to:?}: {answer:?}");
            assert_eq!(answer.hops(), sample.way(from, to), "{from:?} asks {to:?}");
            let code = answer.json()["cards"][0]["code"].as_str().map(str::to_owned);
            let path = format!("/cards/{}", code.expect("each cluster publishes a card"));
            let card = sample.ask(&from.system, &to.cards, ("GET", &path)).send().await;
            assert_eq!(card.json()["publisher"], to.cluster, "whom it asked: {card:?}");
            pairs += 1;
        }
    }
    println!("{pairs} ordered pairs of clusters were answered, each through hub.centre");
    assert_eq!(pairs, 14 * 13);
    let after = sample.count("hub.centre", "exchanges_opened");
    assert_eq!(after - before, 2 * pairs, "the centre saw each of both requests");
}

/// One request: who asks which operation of what, and a field that the answer must have.
struct Case {
    consumer: &'static str,
    service: &'static str,
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    field: &'static str,
}

const COUNTER: &str = "ir/com/counter-1021/desk";
const E_FOLDER: &str = "ir/gov/e-government/e-folder";
const MOBILE: &str = "ir/gov/e-government/mobile";
const SUPPLIERS: &str = "ir/gov/procurement/suppliers";
const PAYMENTS: &str = "ir/gov/treasury/payments";
const TAX: &str = "ir/gov/tax/debts";
const SECRETARIAT: &str = "ir/gov/health-ministry/secretariat";

const IDENTITY: &str = "ir/gov/civil-registration/persons/identity.v1";
const KINSHIP: &str = "ir/gov/civil-registration/persons/kinship.v1";
const COMPANY: &str = "ir/gov/deeds-registration/legal-persons/company.v1";
const ADDRESS: &str = "ir/com/post/addresses/address.v1";
const TAX_DEBT: &str = "ir/gov/tax/debts/tax-debt.v1";
const PAYMENT: &str = "ir/gov/treasury/payments/payment.v1";
const SUPPLIER: &str = "ir/gov/procurement/suppliers/supplier.v1";
const LICENCE: &str = "ir/gov/business-licences/licences/licence.v1";
const RECORD: &str = "ir/gov/social-insurance/records/insurance-record.v1";
const ELIGIBILITY: &str = "ir/gov/health-insurance/coverage/eligibility.v1";
const DEGREE: &str = "ir/gov/science-ministry/degrees/degree.v1";
const CATALOGUE: &str = "ir/gov/administration/service-management/service-catalogue.v1";

fn get(
    consumer: &'static str,
    service: &'static str,
    path: &'static str,
    field: &'static str,
) -> Case {
    Case { consumer, service, method: "GET", path, body: None, field }
}

fn post(service: &'static str, path: &'static str, body: Value, field: &'static str) -> Case {
    Case { consumer: COUNTER, service, method: "POST", path, body: Some(body), field }
}

/// Every operation of every service but the cards, which the pairs have asked.
fn cases() -> Vec<Case> {
    vec![
        get(COUNTER, IDENTITY, "/persons/{national_id}", "/last_name"),
        post(
            IDENTITY,
            "/persons/match",
            json!({"national_id": "{national_id}", "first_name": "؟", "last_name": "؟"}),
            "/match",
        ),
        get(E_FOLDER, KINSHIP, "/persons/{national_id}/kin", "/children"),
        get(SUPPLIERS, COMPANY, "/companies/{legal_id}", "/name"),
        get(TAX, COMPANY, "/persons/{national_id}/companies", "/companies"),
        get(COUNTER, ADDRESS, "/addresses/{postal_code}", "/city"),
        post(
            ADDRESS,
            "/addresses/match",
            json!({"national_id": "{national_id}", "postal_code": "{postal_code}"}),
            "/match",
        ),
        get(MOBILE, TAX_DEBT, "/persons/{national_id}/debt", "/clear"),
        get(PAYMENTS, TAX_DEBT, "/companies/{legal_id}/debt", "/clear"),
        get(SUPPLIERS, PAYMENT, "/companies/{legal_id}/payments", "/references"),
        get(MOBILE, PAYMENT, "/payments/{reference}", "/amount_rial"),
        get(PAYMENTS, SUPPLIER, "/suppliers/{legal_id}", "/approved"),
        get(COUNTER, LICENCE, "/persons/{national_id}/licences", "/licences"),
        post(
            LICENCE,
            "/applications",
            json!({"national_id": "{national_id}", "licence_type": "bakery"}),
            "/application",
        ),
        get(COUNTER, LICENCE, "/applications/{application}", "/status"),
        get(E_FOLDER, RECORD, "/persons/{national_id}/record", "/months_paid"),
        get(MOBILE, ELIGIBILITY, "/persons/{national_id}/eligibility", "/valid"),
        get(E_FOLDER, DEGREE, "/persons/{national_id}/degrees", "/degrees"),
        get(SECRETARIAT, CATALOGUE, "/cards", "/cards"),
        get(SECRETARIAT, CATALOGUE, "/cards/{code}", "/title"),
    ]
}

/// What of an answer later cases ask for, and where it stands.
const LATER: [(&str, &str); 3] =
    [("reference", "/references/0"), ("application", "/application"), ("code", "/cards/0/code")];

async fn every_service_answers(sample: &SampleNation) {
    let mut known = sample.plan.story.given.clone();
    let mut asked: BTreeSet<String> =
        sample.secretariats().iter().map(|from| from.cards.to_string()).collect();
    for case in cases() {
        let consumer = case.consumer.parse().expect("an address");
        let service = case.service.parse().expect("an address");
        let filled = |text: &str| nation::story::fill(text, &known).expect(text);
        let mut ask = sample.ask(&consumer, &service, (case.method, &filled(case.path)));
        if let Some(body) = &case.body {
            ask = ask.header("content-type", "application/json").body(filled(&body.to_string()));
        }
        let answer = ask.send().await;
        println!("{:<61} {:<4} {:<33} {}", case.service, case.method, case.path, answer.status);
        assert!(matches!(answer.status, 200 | 201), "{}: {answer:?}", case.path);
        let answer = answer.json();
        let found = answer.pointer(case.field);
        assert!(found.is_some_and(|found| !found.is_null()), "{} of {answer}", case.field);
        for (name, place) in LATER {
            if let Some(value) = answer.pointer(place).and_then(Value::as_str) {
                known.insert(name.into(), value.into());
            }
        }
        asked.insert(case.service.into());
    }
    let services = sample.plan.objects.services.iter();
    let services: BTreeSet<_> = services.map(|service| service.address.to_string()).collect();
    assert_eq!(asked, services, "none is left out");
}
