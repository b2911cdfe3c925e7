//! What all kinds have in common: known and unknown subjects, refusals, and digits of any keyboard.

use http::Method;
use sample_registry::{Kind, first_card_code, first_payment_reference};
use serde_json::json;

use crate::running::{
    NO_ADDRESS, NO_COMPANY, NO_PERSON, Running, SEED, arabic, firms, kind, people, persian,
};

/// One question about a subject: where it is asked, about whom, and about whom in vain.
struct Case {
    kind: &'static str,
    /// With `{}` for the identifier.
    path: &'static str,
    known: String,
    unknown: &'static str,
}

fn cases() -> Vec<Case> {
    let (people, firms) = (people(), firms());
    let person = people[0].national_id.as_str();
    let firm = firms[0].legal_id.as_str();
    let address = people[0].postal_code.as_str();
    let payment = &first_payment_reference(SEED);
    let card = &first_card_code(SEED, &"health".parse().unwrap());
    #[rustfmt::skip]
    let cases = [
        ("civil",         "/persons/{}",             person,  NO_PERSON),
        ("civil",         "/persons/{}/kin",         person,  NO_PERSON),
        ("legal-persons", "/companies/{}",           firm,    NO_COMPANY),
        ("legal-persons", "/persons/{}/companies",   person,  NO_PERSON),
        ("addresses",     "/addresses/{}",           address, NO_ADDRESS),
        ("tax",           "/persons/{}/debt",        person,  NO_PERSON),
        ("tax",           "/companies/{}/debt",      firm,    NO_COMPANY),
        ("degrees",       "/persons/{}/degrees",     person,  NO_PERSON),
        ("health",        "/persons/{}/eligibility", person,  NO_PERSON),
        ("insurance",     "/persons/{}/record",      person,  NO_PERSON),
        ("procurement",   "/suppliers/{}",           firm,    NO_COMPANY),
        ("treasury",      "/payments/{}",            payment, "0000000000000000"),
        ("treasury",      "/companies/{}/payments",  firm,    NO_COMPANY),
        ("cards",         "/cards/{}",               card,    "00000000000"),
        ("licences",      "/persons/{}/licences",    person,  NO_PERSON),
    ];
    let case = |(kind, path, known, unknown): (_, _, &str, _)| Case {
        kind,
        path,
        known: known.to_owned(),
        unknown,
    };
    cases.map(case).into()
}

#[tokio::test]
async fn every_question_knows_its_subjects() {
    for Case { kind: name, path, known, unknown } in cases() {
        let server = Running::start(kind(name)).await;
        let want = server.look(&path.replace("{}", &known)).await.answer(200).clone();
        for typed in [persian(&known), arabic(&known)] {
            let reply = server.look(&path.replace("{}", &typed)).await;
            assert_eq!(*reply.answer(200), want, "{path}");
        }
        let reply = server.look(&path.replace("{}", unknown)).await;
        assert_eq!(*reply.answer(404), json!({"found": false}), "{path}");
    }
}

#[tokio::test]
async fn every_question_refuses_bad_identifiers_without_repeating_them() {
    for Case { kind: name, path, known, .. } in cases() {
        let server = Running::start(kind(name)).await;
        let letter = format!("x{}", &known[1..]);
        #[rustfmt::skip]
        let bad = [
            "98765", &known[1..], &format!("{known}7"), &letter, "%FF%FE%FF%FE%FF",
            "%00%00%00%00", "x%27%20OR%201=1", "%2e%2e%2f%2e%2e",
        ];
        for id in bad {
            let reply = server.look(&path.replace("{}", id)).await;
            assert!(!reply.problem(400).is_empty(), "{path} {id}");
            assert!(!reply.body.to_string().contains(id), "{path} {id}");
        }
    }
}

#[tokio::test]
async fn every_question_names_its_method() {
    for Case { kind: name, path, known, .. } in cases() {
        let server = Running::start(kind(name)).await;
        let path = path.replace("{}", &known);
        for method in [Method::POST, Method::DELETE] {
            let reply = server.ask(method, &path, "").await;
            assert!(!reply.problem(405).is_empty());
            assert_eq!(reply.headers["allow"], "GET", "{path}");
        }
        let reply = server.look(&format!("{path}/")).await;
        assert!(!reply.problem(404).is_empty(), "{path}");
    }
}

#[tokio::test]
async fn every_body_is_bounded_json_of_its_form() {
    let of_civil = json!({"national_id": "0012345678", "first_name": "a", "last_name": "b"});
    let no_person = json!({"national_id": "0012345678", "postal_code": NO_ADDRESS});
    let no_address = json!({"national_id": NO_PERSON, "postal_code": "1345278901"});
    let of_licences = json!({"national_id": "0012345678", "licence_type": "bakery"});
    let cases = [
        ("civil", "/persons/match", of_civil),
        ("addresses", "/addresses/match", no_person),
        ("addresses", "/addresses/match", no_address),
        ("licences", "/applications", of_licences),
    ];
    for (name, path, bad_identifier) in cases {
        let server = Running::start(kind(name)).await;
        let reply = server.ask(Method::GET, path, "").await;
        assert!(!reply.problem(405).is_empty());
        assert_eq!(reply.headers["allow"], "POST", "{path}");

        let reply = server.post(path, &bad_identifier).await;
        assert!(!reply.problem(400).is_empty(), "{path}");
        for value in bad_identifier.as_object().unwrap().values() {
            let value = value.as_str().unwrap();
            assert!(value.len() < 2 || !reply.body.to_string().contains(value), "{path}");
        }

        let numbers = json!({"national_id": 12_345_679, "postal_code": 1});
        let bodies = [
            "",
            "{",
            "[]",
            "{}",
            "null",
            "{\"national_id\": \"0012345679\"}",
            &numbers.to_string(),
        ];
        for body in bodies {
            let reply = server.ask(Method::POST, path, body.to_owned()).await;
            assert!(reply.problem(400).contains("JSON object"), "{path} {body}");
            assert!(!reply.body.to_string().contains("12345679"), "{path} {body}");
        }

        let headers = [("content-type", "text/xml")];
        let reply = server.ask_with(Method::POST, path, &headers, "<a/>").await;
        assert!(reply.problem(415).contains("application/json"), "{path}");

        let long = " ".repeat(64 * 1024 + 1);
        let reply = server.ask(Method::POST, path, long).await;
        assert!(!reply.problem(413).is_empty(), "{path}");
    }
}

#[tokio::test]
async fn every_kind_tells_its_health_and_nothing_at_foreign_paths() {
    for name in Kind::NAMES {
        let server = Running::start(kind(name)).await;
        assert_eq!(*server.look("/health").await.answer(200), json!({"status": "ok"}), "{name}");
        for path in ["/", "/persons", "/nothing/0012345679", "/health/1"] {
            assert!(!server.look(path).await.problem(404).is_empty(), "{name} {path}");
        }
    }
}
