//! The sample nation without its centre: clusters are islands that go on by themselves, whatever
//! crosses between them is refused at once, and all of it recovers by itself.

use e2e::Answer;
use e2e::sample::SampleNation;

/// What is asked inside a cluster: consumer, service, path.
const INSIDE: [(&str, &str, &str); 2] = [
    (
        "ir/com/omid-hospital/admissions",
        "ir/gov/health-insurance/coverage/eligibility.v1",
        "/persons/{national_id}/eligibility",
    ),
    ("ir/gov/treasury/payments", "ir/gov/tax/debts/tax-debt.v1", "/companies/{legal_id}/debt"),
];

#[tokio::test(flavor = "multi_thread")]
async fn clusters_go_on_without_the_centre() {
    let mut sample = SampleNation::start().await;

    let before = sample.count("hub.centre", "exchanges_opened");
    for _ in 0..5 {
        ask_inside(&sample).await;
    }
    let after = sample.count("hub.centre", "exchanges_opened");
    assert_eq!(before, after, "what stays in a cluster never touches the centre");

    sample.nation.process("hub.centre").expect("the centre").kill();
    for _ in 0..5 {
        ask_inside(&sample).await;
    }
    let secretariats = sample.secretariats();
    for (index, from) in secretariats.iter().enumerate() {
        let to = &secretariats[(index + 1) % secretariats.len()];
        let answer = sample.ask(&from.system, &to.cards, ("GET", "/cards")).send().await;
        let want = ("CENTRE_UNREACHABLE".to_owned(), "hub.centre".to_owned());
        assert_eq!(answer.problem(), want, "{from:?} asks {to:?}: {answer:?}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    ask_inside(&sample).await;

    sample.nation.restart("hub.centre").expect("the centre");
    sample.wait_ready();
    for (index, from) in secretariats.iter().enumerate() {
        let to = &secretariats[(index + 1) % secretariats.len()];
        let answer = sample.wait_answered(&from.system, &to.cards, "/cards").await;
        assert_eq!(answer.hops(), sample.way(from, to));
    }
    ask_inside(&sample).await;
}

async fn ask_inside(sample: &SampleNation) {
    for (consumer, service, path) in INSIDE {
        let path = nation::story::fill(path, &sample.plan.story.given).expect("it is given");
        let (consumer, service) =
            (consumer.parse().expect(consumer), service.parse().expect(service));
        let answer: Answer = sample.ask(&consumer, &service, ("GET", &path)).send().await;
        assert_eq!(answer.status, 200, "inside a cluster work goes on: {answer:?}");
        let hops = answer.hops();
        assert_eq!(hops.len(), 3, "agent, cluster hub, agent: {hops:?}");
        assert!(!hops.iter().any(|hop| hop == "hub.centre"), "{hops:?}");
    }
}
