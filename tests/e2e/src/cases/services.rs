//! A service that is switched off, away, deprecated or gone; versions beside each other; and what
//! is not published. Each case decides with `hubctl`, looks, and lifts what it decided.

use std::path::PathBuf;

use mesh_core::reason::Reason::{
    NotPermitted, ServiceDisabled, ServiceMaintenance, ServiceRetired,
};
use mesh_proto::header::write_request;

use super::registration::hubctl;
use crate::bed::{Bed, CARDS};
use crate::client::Answer;
use crate::rogue::{put, request};
use crate::scenario::Act::Do;
use crate::scenario::At::{Centre, ConsumersAgent as Here};
use crate::scenario::Want::{Answered, Complains, Refused, Told};
use crate::scenario::{Group, Scenario, Seen, case};

pub const SERVICES: Group = Group {
    title: "Services in their life: disabled, in maintenance, deprecated, retired",
    cases: CASES,
    left_out: &[],
    breaks_links: false,
};

const SECRET: &str = "ir/gov/care/cards/secret.v1";
const NOTICE: [&str; 4] = ["--notice-fa", "تا اطلاع ثانوی", "--notice-en", "until further notice"];
const FAR: &str = "2099-01-01T00:00:00Z";
const FARTHER: &str = "2099-01-02T00:00:00Z";

/// A decision that must be taken, and is in force everywhere when this returns.
fn decided(bed: &Bed, verb: &str, service: &str, more: &[&str]) {
    let args = [&["service", verb, service], more].concat();
    let seen = hubctl(bed, &args);
    assert!(matches!(seen, Seen::GoesOn), "{args:?}: {seen:?}");
}

async fn ask(bed: &Bed, service: &str, path: &str) -> Answer {
    bed.ask_of(service, "GET", path).send().await
}

/// What a caller sees of `service` between two decisions.
async fn between(
    bed: &Bed,
    (service, path): (&str, &str),
    decision: (&str, &[&str]),
    lifting: (&str, &[&str]),
) -> Seen {
    decided(bed, decision.0, service, decision.1);
    let answer = ask(bed, service, path).await;
    decided(bed, lifting.0, service, lifting.1);
    Seen::Answer(answer)
}

async fn disabled_and_forged(bed: &Bed) -> Seen {
    decided(bed, "disable", CARDS, &NOTICE);
    let (header, head) = request(bed);
    let told = put(bed, write_request(&header), head).await;
    decided(bed, "enable", CARDS, &[]);
    Seen::Told(told)
}

async fn deprecated(bed: &Bed) -> Seen {
    decided(bed, "deprecate", CARDS, &["--retire-at", FAR, "--next", "2"]);
    Seen::Answer(ask(bed, CARDS, "/cards/1").await)
}

fn retire_early(bed: &Bed) -> Seen {
    decided(bed, "deprecate", CARDS, &["--retire-at", FAR, "--next", "2"]);
    hubctl(bed, &["service", "retire", CARDS])
}

async fn retired_beside_the_next(bed: &Bed) -> Seen {
    decided(bed, "retire", CARDS, &["--next", "2", "--force"]);
    let answer = ask(bed, "ir/gov/care/cards/cards.v2", "/cards/1").await;
    decided(bed, "enable", CARDS, &[]);
    Seen::Answer(answer)
}

fn tells_to_leave(answer: &Answer) -> bool {
    let field = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    field("deprecation").is_some_and(|since| since.starts_with('@'))
        && field("sunset") == Some("Thu, 01 Jan 2099 00:00:00 GMT")
        && field("link") == Some("</r1/ir/gov/care/cards/cards.v2>; rel=\"successor-version\"")
}

fn file(bed: &Bed, name: &str, text: &str) -> PathBuf {
    let path = bed.scratch().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn attach(bed: &Bed, text: &str) -> Seen {
    let file = file(bed, "description", text).display().to_string();
    hubctl(bed, &["service", "attach", CARDS, &file])
}

/// A service that calls a submission what only reads.
fn publish_wrong(bed: &Bed) -> Seen {
    let text = "[[services]]\naddress = \"ir/gov/care/cards/wrong.v1\"\noperations = [{ id = \
                \"getCard\", kind = \"submission\", method = \"GET\", path = \"/\" }]\n";
    let file = file(bed, "wrong.toml", text).display().to_string();
    hubctl(bed, &["apply", "-f", &file])
}

const OFF: (&str, &[&str]) = ("disable", &NOTICE);
const ON: (&str, &[&str]) = ("enable", &[]);
const OVER: (&str, &[&str]) = ("maintenance", &["--over"]);
const AWAY: (&str, &[&str]) =
    ("maintenance", &["--until", FAR, "--notice-fa", "تعمیر", "--notice-en", "repairs"]);
const AWAY_LATER: (&str, &[&str]) = (
    "maintenance",
    &["--from", FAR, "--until", FARTHER, "--notice-fa", "تعمیر", "--notice-en", "repairs"],
);

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("service_disabled_notice", "the service is switched off; the error carries the notice",
        Do(|bed| Box::pin(between(bed, (CARDS, "/cards/1"), OFF, ON))),
        Refused(503, ServiceDisabled, Here)),
    case("service_disabled_stranger", "it is switched off, and the one who asks may not use it",
        Do(|bed| Box::pin(between(bed, (SECRET, "/"), OFF, ON))), Refused(403, NotPermitted, Here)),
    case("service_disabled_forged", "it is switched off, and a forged agent asks all the same",
        Do(|bed| Box::pin(disabled_and_forged(bed))), Told(ServiceDisabled, Centre)),
    case("maintenance_mode", "the service is in maintenance; the error says for how long",
        Do(|bed| Box::pin(between(bed, (CARDS, "/cards/1"), AWAY, OVER))),
        Refused(503, ServiceMaintenance, Here)),
    case("maintenance_announced_ok", "maintenance is announced, and has not begun",
        Do(|bed| Box::pin(between(bed, (CARDS, "/cards/1"), AWAY_LATER, OVER))),
        Answered(200, |_| true)),
    case("maintenance_of_broker_refused", "maintenance of the centre itself is asked for: it is no \
        service, and leaves by draining",
        Do(|bed| Box::pin(async {
            hubctl(bed, &["service", "maintenance", "hub.centre", "--until", FAR])
        })), Complains("service address has 1 part, want")),
    case("service_deprecated_ok", "the version is deprecated: answers say since when, until when, \
        and what comes next",
        Do(|bed| Box::pin(deprecated(bed))), Answered(200, tells_to_leave)),
    case("service_retire_early", "the version is to retire before its date, while somebody uses it",
        Do(|bed| Box::pin(async { retire_early(bed) })),
        Complains("it retires at 2099-01-01T00:00:00Z")),
    case("service_retired", "the version is gone; the error names the next",
        Do(|bed| Box::pin(between(bed, (CARDS, "/cards/1"), ("retire", &["--force"]), ON))),
        Refused(410, ServiceRetired, Here)),
    case("service_version_parallel_ok", "one version is retired, and the next one asked",
        Do(|bed| Box::pin(retired_beside_the_next(bed))), Answered(200, |_| true)),
    case("contract_unparseable", "a description is attached that is no OpenAPI document",
        Do(|bed| Box::pin(async { attach(bed, "{") })), Complains("the description is no JSON")),
    case("contract_incomplete", "a description is attached that lacks declared operations",
        Do(|bed| Box::pin(async {
            attach(bed, r#"{"openapi": "3.1.0", "paths": {"/cards/{id}": {"get": {}}}}"#)
        })), Complains("description-operation")),
    case("standards_refused", "a service is published that calls a submission what only reads",
        Do(|bed| Box::pin(async { publish_wrong(bed) })), Complains("operation-kind")),
];
