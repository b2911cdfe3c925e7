//! The civil register: who is who, and whose child.

use sample_registry::{Kind, Person};
use serde_json::{Value, json};

use crate::running::{Running, arabic, people, persian};

fn relative(person: &Person) -> Value {
    json!({
        "national_id": person.national_id.as_str(),
        "first_name": person.first_name,
        "last_name": person.last_name,
    })
}

#[tokio::test]
async fn answers_about_a_person() {
    let server = Running::start(Kind::Civil).await;
    for person in people().iter().step_by(37) {
        let want = json!({
            "national_id": person.national_id.as_str(),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "birth_date": person.birth_date,
            "alive": person.alive,
        });
        let id = person.national_id.as_str();
        for id in [id, &persian(id), &arabic(id)] {
            assert_eq!(*server.look(&format!("/persons/{id}")).await.answer(200), want);
        }
    }
}

#[tokio::test]
async fn answers_about_kin() {
    let server = Running::start(Kind::Civil).await;
    let people = people();
    for person in people.iter().take(20) {
        let father = people.iter().find(|other| Some(&other.national_id) == person.father.as_ref());
        let mut children: Vec<&Person> = people
            .iter()
            .filter(|other| other.father.as_ref() == Some(&person.national_id))
            .collect();
        children.sort_by_key(|child| (&child.birth_date, &child.national_id));
        let want = json!({
            "father": father.map(relative),
            "children": children.into_iter().map(relative).collect::<Vec<_>>(),
        });
        let path = format!("/persons/{}/kin", person.national_id.as_str());
        assert_eq!(*server.look(&path).await.answer(200), want);
    }
    let first = people[0].national_id.as_str();
    let reply = server.look(&format!("/persons/{first}/kin")).await;
    assert!(!reply.body["children"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn matches_claims() {
    let server = Running::start(Kind::Civil).await;
    let people = people();
    let person = people.iter().find(|person| person.first_name.contains('ی')).unwrap();
    let (id, first, last) = (person.national_id.as_str(), person.first_name, person.last_name);
    let arabic_letters = format!(" {} ", first.replace('ی', "ي"));
    #[rustfmt::skip]
    let cases = [
        // Why                     National ID   First name       Last name  Want
        ("the register's words",   id,           first,           last,      true),
        ("Arabic letters",         id,           &arabic_letters, last,      true),
        ("another first name",     id,           "ناشناس",        last,      false),
        ("another last name",      id,           first,           "ناشناس",  false),
        ("names exchanged",        id,           last,            first,     false),
        ("no names",               id,           "",              "",        false),
        ("an unknown person",      "0012345679", first,           last,      false),
    ];
    for (why, national_id, first_name, last_name, want) in cases {
        let claim = json!({
            "national_id": national_id, "first_name": first_name, "last_name": last_name,
        });
        let reply = server.post("/persons/match", &claim).await;
        assert_eq!(*reply.answer(200), json!({"match": want}), "{why}");
    }
}
