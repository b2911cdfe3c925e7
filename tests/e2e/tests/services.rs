//! Descriptions reach who may read them, and nobody else; and what is explained is what happens.

use e2e::Bed;
use e2e::bed::{CARDS, DESK, HOPS};
use nation::running::Printed;
use serde_json::Value;

const BRISK: &str = "ir/gov/care/cards/brisk.v1";

const DESCRIPTION: &str = "\
openapi: 3.1.0
info: { title: brisk, version: '1' }
paths:
  /act/{how}:
    get: { operationId: getPart, responses: { '200': { description: fine } } }
";

fn hubctl(bed: &Bed, args: &[&str]) -> Printed {
    tokio::task::block_in_place(|| bed.nation.hubctl(args)).expect("hubctl runs")
}

fn done(bed: &Bed, args: &[&str]) -> String {
    let printed = hubctl(bed, args);
    assert!(printed.success, "{args:?}: {printed:?}");
    printed.out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_reaches_who_may_read_it() {
    let bed = Bed::start().await;
    let file = bed.scratch().join("brisk.yaml");
    std::fs::write(&file, DESCRIPTION).expect("written");
    let file = file.display().to_string();
    let told = done(&bed, &["service", "attach", BRISK, &file]);
    assert!(told.contains("in force at"), "{told}");

    assert_eq!(done(&bed, &["service", "description", BRISK]), DESCRIPTION, "from the centre");
    let through = ["--node", HOPS[0], "service", "description", BRISK];
    assert_eq!(done(&bed, &through), DESCRIPTION, "through the consumer's agent and hub");
    let own = ["--node", HOPS[4], "service", "description", BRISK];
    assert_eq!(done(&bed, &own), DESCRIPTION, "through the provider's");

    // Who has nothing to do with the service learns nothing.
    let stranger = ["--node", "desk.care.gov.health", "service", "description", BRISK];
    let printed = hubctl(&bed, &stranger);
    assert!(!printed.success, "{printed:?}");
    assert!(!printed.out.contains("openapi"), "{printed:?}");
    let without = hubctl(&bed, &["service", "description", CARDS]);
    assert!(without.err.contains("DESCRIPTION_UNKNOWN"), "{without:?}");

    // What is described can be judged with it: nothing is compared that is not there.
    let report = done(&bed, &["service", "check", BRISK, "-o", "json"]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report[0]["described"], true, "{report}");
    let shown = done(&bed, &["service", "show", BRISK]);
    assert!(shown.contains("application/vnd.oai.openapi, "), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_is_what_happens() {
    let bed = Bed::start().await;
    let check = ["access", "check", DESK, CARDS, "getCard", "--purpose", "licence-issue"];
    let json = [&check[..], &["-o", "json"]].concat();
    let explained = |bed: &Bed, more: &[&str]| {
        let printed = hubctl(bed, &[more, &json[..]].concat());
        let answers: Value = serde_json::from_str(&printed.out).expect("JSON");
        (printed.success, answers)
    };
    let (allowed, answers) = explained(&bed, &[]);
    assert!(allowed, "{answers}");
    assert_eq!(answers[0]["way"], serde_json::json!(HOPS), "{answers}");
    let asked = bed.ask("GET", "/cards/1").send().await;
    assert_eq!((asked.status, asked.hops().len()), (200, HOPS.len()));

    let notice = ["--notice-fa", "تعمیر", "--notice-en", "repairs"];
    done(&bed, &[&["service", "disable", CARDS][..], &notice].concat());
    let asked = bed.ask("GET", "/cards/1").send().await;
    for node in ["hub.centre", HOPS[0], HOPS[4]] {
        let (allowed, answers) = explained(&bed, &["--node", node]);
        assert!(!allowed, "{node}: {answers}");
        assert_eq!(answers[0]["rule"], "service-state", "{node}: {answers}");
        assert_eq!(answers[0]["mender"], "provider", "{node}: {answers}");
        assert!(answers[0]["since"].is_string(), "{node}: {answers}");
        assert_eq!(
            (answers[0]["reason"].as_str().unwrap_or_default(), 503),
            (asked.problem().0.as_str(), asked.status)
        );
    }

    let unknown = ["access", "check", DESK, CARDS, "getCard", "--purpose", "census", "-o", "json"];
    let printed = hubctl(&bed, &unknown);
    assert!(printed.out.contains("PURPOSE_NOT_PERMITTED"), "{printed:?}");
}
