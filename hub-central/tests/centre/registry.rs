//! The registry as an operator's program meets it: pages, change sets, and what is refused.

use mesh_core::change_set::{Body, CHANGE_SET_BYTES_MAX, State, Written};
use mesh_core::directory::change::{Change, Key};
use mesh_core::exchange::Digest;
use mesh_core::reason::Reason;
use mesh_proto::registry::Page;
use mesh_proto::wire::admin::v1::StatusRequest;
use mesh_proto::wire::admin::v1::admin_service_client::AdminServiceClient;
use mesh_registry::check::Check;
use mesh_registry::digest::seal;
use mesh_registry::layout;

use crate::files::{Files, Running};
use crate::operator::{Operator, add, answer, body, cluster, keys, remove, rename};

fn page(prefix: &str, limit: usize) -> Page {
    Page { prefix: prefix.into(), after: None, limit, of: None }
}

#[tokio::test]
async fn pages_follow_each_other_and_are_of_one_revision() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    sara.submit(["a", "b", "c", "d", "e"].map(add).into()).await.unwrap();

    let mut wanted = page("cluster/", 2);
    let mut found = Vec::new();
    loop {
        let answer = sara.read(&wanted).await.unwrap();
        assert_eq!((answer.epoch, answer.revision, &*answer.domain), (1, 2, "mesh.ir"));
        found.extend(keys(&answer));
        if answer.next_after.is_empty() {
            break;
        }
        wanted.after = Some(answer.next_after.parse::<Key>().unwrap());
        wanted.of = Some((answer.epoch, answer.revision));
    }
    assert_eq!(found, ["cluster/a", "cluster/b", "cluster/c", "cluster/d", "cluster/e"]);
    assert_eq!(sara.read(&page("link-key/", 9)).await.unwrap().objects.len(), 3);

    // Somebody changes it between two pages: the reader begins anew, and mixes nothing.
    sara.submit(vec![add("f")]).await.unwrap();
    let late = sara.read(&wanted).await.unwrap_err();
    assert_eq!(late.reason, Reason::RegistryConflict);
    centre.stop().await;
}

#[tokio::test]
async fn a_change_set_is_made_whole_or_not_at_all() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    assert_eq!(sara.rehearse(vec![add("a")]).await.unwrap().state, State::Proposed);
    assert!(keys(&sara.read(&page("cluster/", 9)).await.unwrap()).is_empty(), "only rehearsed");
    let made = sara.submit(vec![add("a")]).await.unwrap();
    assert!(matches!(made.state, State::Committed { epoch: 1, revision: 2, .. }), "{made:?}");
    // The same set again is no second one.
    assert_eq!(sara.submit(vec![add("a")]).await, Ok(made));

    let absent = Written {
        change: Change::Remove("cluster/z".parse().unwrap()),
        was: Some(Digest([0; 32])),
    };
    let never = Written { was: None, ..absent.clone() };
    #[rustfmt::skip]
    let cases = [
        ("it is there already",   vec![add("b"), add("a"), add("c")],    "REGISTRY_CONFLICT"),
        ("not what was seen",     vec![add("b"), rename("b", "B")],      "REQUEST_MALFORMED"),
        ("it is another by now",  vec![add("b"), rename("c", "C")],      "REGISTRY_CONFLICT"),
        ("it is gone",            vec![add("b"), absent],                "REGISTRY_CONFLICT"),
        ("nothing to remove",     vec![add("b"), never],                 "REGISTRY_REFUSED"),
        ("no change",             vec![],                                "REQUEST_MALFORMED"),
    ];
    for (why, wrong, want) in cases {
        let rehearsed = sara.rehearse(wrong.clone()).await.expect_err(why);
        let problem = sara.submit(wrong).await.expect_err(why);
        for problem in [rehearsed, problem] {
            let said = (problem.reason.name(), problem.hop.as_str());
            assert_eq!(said, (want, "hub.centre"), "{why}: {problem}");
        }
    }
    let foreign = Body { author: "omid".parse().unwrap(), ..body("sara", vec![add("d")]) };
    let ahead = Body { written_at_unix_ms: u64::MAX >> 20, ..body("sara", vec![add("d")]) };
    for wrong in [foreign, ahead] {
        let problem = sara.submit_body(&wrong, false).await.unwrap_err();
        assert_eq!(problem.reason, Reason::RequestMalformed, "{problem}");
    }
    assert_eq!(keys(&sara.read(&page("cluster/", 9)).await.unwrap()), ["cluster/a"]);
    // All of them are kept, but for those that could not be read.
    let states = sara.list(false).await.into_iter().map(|(_, state)| state);
    let mut states: Vec<i32> = states.collect();
    states.sort_unstable();
    assert_eq!(states, [2, 3, 5, 5, 5]);
    assert!(sara.list(true).await.is_empty());
    centre.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    for id in ["a", "b"] {
        sara.submit(vec![add(id)]).await.unwrap();
    }
    let id = sara.submit(vec![add("c")]).await.unwrap().id.to_string();
    centre.stop().await;

    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    let answer = sara.read(&page("cluster/", 9)).await.unwrap();
    assert_eq!((answer.revision, keys(&answer).len()), (4, 3));
    // A lost answer is found by the id, or by as much of it as no other begins with.
    let found = sara.change_set(&id).await.unwrap();
    assert!(matches!(found.state, State::Committed { revision: 4, .. }));
    let many = sara.change_set(&id[..12]).await.unwrap_err();
    assert_eq!(many.reason, Reason::ChangeSetUnknown);
    assert!(many.detail.contains("several"), "{many}");
    let none = sara.change_set("00").await.unwrap_err();
    assert_eq!(none.reason, Reason::ChangeSetUnknown);
    sara.submit(vec![rename("a", "A")]).await.unwrap();
    centre.stop().await;
}

#[tokio::test]
async fn what_the_store_holds_is_of_one_piece() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    for changes in [vec![add("a"), add("b")], vec![rename("a", "A")]] {
        sara.submit(changes).await.unwrap();
    }
    sara.submit(vec![remove(&cluster("b", "Cluster"))]).await.unwrap();
    sara.submit(vec![rename("a", "B")]).await.unwrap_err();
    let items = sara.dump().await;
    let report = |alter: &dyn Fn(&str) -> Option<&'static [u8]>| {
        let mut check = Check::begin(None);
        for item in &items {
            let key = item.key.parse().unwrap();
            match alter(&item.key) {
                None => check.item(&key, &item.value),
                Some(b"") => {}
                Some(other) => check.item(&key, &bytes::Bytes::from_static(other)),
            }
        }
        check.end()
    };
    let sound = report(&|_| None);
    assert_eq!(sound.findings, []);
    let counts = (sound.revision, sound.objects, sound.log_records, sound.change_sets);
    assert_eq!(counts, (4, 4, 3, 4));
    let object = "mesh/object/cluster/a";
    let log = layout::log(1, 3).to_string();
    let wrong: [(&str, &'static [u8]); 5] =
        [(object, b"\xff"), (object, b""), (&log, b""), ("mesh/head", b""), ("mesh/layout", b"2")];
    for (key, value) in wrong {
        let report = report(&|found: &str| (found == key).then_some(value));
        assert!(!report.findings.is_empty(), "{key} {value:?}");
    }
    centre.stop().await;
}

#[tokio::test]
async fn an_operator_whose_key_is_removed_is_out_on_every_open_connection() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    let mut nima = Operator::nima(&centre).await;
    let mut admin = AdminServiceClient::new(centre.dial(&files.second).await.unwrap());
    admin.status(StatusRequest {}).await.unwrap();
    nima.list(true).await;

    let key = files.key_of("nima.operators", &files.second);
    sara.submit(vec![remove(&key)]).await.unwrap();
    let refused = answer(admin.status(StatusRequest {}).await).unwrap_err();
    assert_eq!(refused.reason, Reason::NodeUnknown);
    let refused = nima.submit(vec![add("a")]).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NodeUnknown);
    centre.stop().await;
}

#[tokio::test]
async fn too_much_is_refused_with_its_reason() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut sara = Operator::sara(&centre).await;
    let name = "x".repeat(9 * 1024);
    let large = Written { change: Change::Put(cluster("a", &name)), was: None };
    let problem = sara.submit(vec![large]).await.unwrap_err();
    assert_eq!(problem.reason, Reason::ChangeSetTooLarge, "{problem}");
    for (bytes, want) in [
        (CHANGE_SET_BYTES_MAX + 1, Reason::ChangeSetTooLarge),
        (2 * CHANGE_SET_BYTES_MAX, Reason::AdminMessageTooLarge),
    ] {
        let problem = sara.submit_bytes(vec![0; bytes].into(), false).await.unwrap_err();
        assert_eq!(problem.reason, want, "{problem}");
    }
    let body = seal(&body("sara", vec![add("a")])).bytes;
    let mut refused = None;
    for _ in 0..5000 {
        if let Err(problem) = sara.submit_bytes(body.clone(), true).await {
            refused = Some(problem);
            break;
        }
    }
    assert_eq!(refused.map(|problem| problem.reason), Some(Reason::AdminRateLimited));
    // Each operator is counted alone.
    Operator::nima(&centre).await.list(true).await;
    centre.stop().await;
}
