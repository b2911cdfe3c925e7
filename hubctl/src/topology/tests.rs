//! The tree of fixed answers, to the letter.

use super::*;

const NOW_MS: u64 = 1_767_225_600_000;

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

fn node(name: &str) -> NodeName {
    mesh().parse_node(&format!("{name}.mesh.ir")).unwrap()
}

fn lane(lane: &str, link: u8) -> wire::LaneState {
    let quick = lane == "quick";
    wire::LaneState {
        lane: lane.into(),
        link_id: format!("{link:02x}"),
        since_unix_ms: NOW_MS - if quick { 7_320_000 } else { 61_000 },
        exchanges_in_flight: 2,
        exchanges_total: if quick { 1000 } else { 30 },
        round_trip_us: if quick { 412 } else { 1_250 },
        draining: false,
    }
}

fn neighbour(name: &str, side: wire::Side, lanes: Vec<wire::LaneState>) -> wire::Neighbour {
    let linked = if lanes.is_empty() { "" } else { "some 0.1.0" };
    wire::Neighbour {
        node: format!("{name}.mesh.ir"),
        side: side.into(),
        lanes,
        software: linked.into(),
    }
}

fn view(name: &str, neighbours: Vec<wire::Neighbour>) -> (NodeName, Result<NodeView, String>) {
    let answer = wire::TopologyResponse { node: format!("{name}.mesh.ir"), neighbours };
    (node(name), Ok(NodeView::read(&mesh(), &answer).unwrap()))
}

/// A centre with two hubs and an edge agent; one hub does not answer, one agent is not in the
/// configuration, one is expected and has no link.
fn nation() -> Place {
    use wire::Side::{Lower, Upper};

    let draining = wire::LaneState { draining: true, round_trip_us: 0, ..lane("quick", 3) };
    let both = || vec![lane("quick", 1), lane("bulk", 1)];
    tree(&[
        view(
            "hub.centre",
            vec![
                neighbour("hub.economy", Lower, both()),
                neighbour("hub.health", Lower, Vec::new()),
                neighbour("persons.civil-registration.gov.edge", Lower, vec![lane("quick", 2)]),
            ],
        ),
        view(
            "hub.economy",
            vec![
                neighbour("hub.centre", Upper, vec![lane("quick", 1)]),
                neighbour(
                    "desk.licensing.gov.economy",
                    Lower,
                    vec![lane("quick", 1), lane("bulk", 1), lane("quick", 2), draining],
                ),
                neighbour("tax.revenue.gov.economy", Lower, Vec::new()),
            ],
        ),
        (node("hub.health"), Err("127.0.0.1:7003 cannot be reached".into())),
        view("lab.tests.gov.health", vec![neighbour("hub.health", Upper, both())]),
        (node("desk.licensing.gov.economy"), Err("127.0.0.1:7105 gave no answer".into())),
        (node("ward.beds.gov.health"), Err("127.0.0.1:7106 gave no answer".into())),
    ])
}

#[test]
fn a_tree_for_eyes() {
    let table = table(&nation(), Part::All, NOW_MS);
    assert_eq!(table, include_str!("tree.txt"), "\n{table}");
}

#[test]
fn a_tree_of_what_is_down() {
    let table = table(&nation(), Part::Down, NOW_MS);
    assert_eq!(table, include_str!("down.txt"), "\n{table}");
    let names: Vec<String> =
        entries(&nation(), Part::Down).into_iter().map(|entry| entry.node).collect();
    let want = [
        "desk.licensing.gov.economy",
        "tax.revenue.gov.economy",
        "hub.health",
        "ward.beds.gov.health",
        "persons.civil-registration.gov.edge",
    ];
    assert_eq!(names, want, "without those that are only above them");
}

#[test]
fn who_asks_for_certain_nodes_sees_none_above_them() {
    let asked = [view("desk.licensing.gov.economy", Vec::new()), {
        (node("lab.tests.gov.health"), Err("127.0.0.1:7107 gave no answer".into()))
    }];
    let table = table(&tree(&asked), Part::DownAlone, NOW_MS);
    let lines: Vec<&str> = table.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[1].starts_with("lab.tests.gov.health  unknown"), "{table}");
    assert!(!table.contains("hub."), "{table}");
}

#[test]
fn a_terminal_of_80_columns_gets_what_fits() {
    let table = table_within(&nation(), Part::All, NOW_MS, Some(80));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("no room for "), "{table}");
    for name in ["persons.civil-registration.gov.edge", "not linked", "no answer"] {
        assert!(table.contains(name), "{name}\n{table}");
    }
}

#[test]
fn nothing_down_is_said_so() {
    let hub = neighbour("hub.health", wire::Side::Lower, vec![lane("quick", 1), lane("bulk", 1)]);
    let root = tree(&[view("hub.centre", vec![hub])]);
    let want = "all is as it should be\n\n2 nodes, 0 not linked, 0 gave no answer\n\
                software: 1 some 0.1.0\n";
    assert_eq!(table(&root, Part::Down, NOW_MS), want);
    assert!(entries(&root, Part::Down).is_empty());
}

#[test]
fn json_for_programs() {
    let entries = serde_json::to_value(entries(&nation(), Part::All)).unwrap();
    let names: Vec<_> = entries.as_array().unwrap().iter().map(|entry| &entry["node"]).collect();
    let want = [
        "hub.centre",
        "hub.economy",
        "desk.licensing.gov.economy",
        "tax.revenue.gov.economy",
        "hub.health",
        "ward.beds.gov.health",
        "lab.tests.gov.health",
        "persons.civil-registration.gov.edge",
    ];
    assert_eq!(names, want);
    let root = serde_json::json!({
        "node": "hub.centre",
        "answer": "answered",
        "error": null,
        "upper": null,
        "software": "some 0.1.0",
        "link": null,
        "seen_by": null,
        "lanes": [],
    });
    assert_eq!(entries[0], root);
    let health = serde_json::json!({
        "node": "hub.health",
        "answer": "unreachable",
        "error": "127.0.0.1:7003 cannot be reached",
        "upper": "hub.centre",
        "software": "some 0.1.0",
        "link": "not_linked",
        "seen_by": "hub.centre",
        "lanes": [],
    });
    assert_eq!(entries[4], health);
    let link = |index: usize| {
        let entry = &entries[index];
        (entry["link"].as_str(), entry["seen_by"].as_str(), entry["answer"].as_str())
    };
    assert_eq!(link(5), (Some("unknown"), None, Some("unreachable")));
    assert_eq!(link(6), (Some("linked"), Some("lab.tests.gov.health"), Some("answered")));
    assert_eq!(link(7), (Some("linked"), Some("hub.centre"), Some("not_asked")));
    let lane = serde_json::json!({
        "lane": "quick",
        "link_id": "03",
        "since_unix_ms": NOW_MS - 7_320_000,
        "exchanges_in_flight": 2,
        "exchanges_total": 1000,
        "round_trip_us": null,
        "draining": true,
    });
    assert_eq!(entries[2]["lanes"][3], lane);
}

#[test]
fn sixty_nodes_in_fourteen_clusters_stay_one_line_for_each() {
    use wire::Side::{Lower, Upper};

    let both = || vec![lane("quick", 1), lane("bulk", 1)];
    let clusters: Vec<String> = (0..14).map(|number| format!("cluster-{number:02}")).collect();
    let hubs = clusters.iter().map(|cluster| {
        let agents = ["archive.records", "desk.licensing", "persons.civil-registration"];
        let agents = agents.map(|at| neighbour(&format!("{at}.gov.{cluster}"), Lower, both()));
        let centre = neighbour("hub.centre", Upper, both());
        view(&format!("hub.{cluster}"), [vec![centre], agents.into()].concat())
    });
    let mut asked: Vec<_> = hubs.collect();
    let hubs = clusters.iter().map(|cluster| neighbour(&format!("hub.{cluster}"), Lower, both()));
    let edge = ["plots", "deeds", "portal"];
    let edge = edge.map(|at| neighbour(&format!("{at}.land.gov.edge"), Lower, both()));
    asked.push(view("hub.centre", hubs.chain(edge).collect()));
    let table = table(&tree(&asked), Part::All, NOW_MS);
    assert_eq!(table.lines().count(), 1 + 60 + 3, "{table}");
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "{table}");
    let mut usual = asked.clone();
    let Ok(view) = &mut usual[3].1 else { panic!("it answered") };
    view.neighbours[1].software = "some 0.0.9".into();
    let table = super::table(&tree(&usual), Part::All, NOW_MS);
    assert_eq!(table.matches("some 0.0.9").count(), 2, "in its line and in the summary: {table}");
}

#[test]
fn without_an_answer_there_is_still_the_place_of_a_node() {
    let desk = node("desk.licensing.gov.economy");
    let root = tree(&[(desk.clone(), Err("gone".into()))]);
    let hub = &root.below[0];
    assert_eq!((&hub.node, &hub.answer), (&node("hub.economy"), &Answer::NotAsked));
    assert_eq!((&hub.below[0].node, &hub.below[0].link), (&desk, &Link::Unknown));
}

#[test]
fn refuses_an_answer_that_fits_into_no_tree() {
    use wire::Side::{Lower, Unspecified, Upper};

    let odd = wire::LaneState { lane: "slow".into(), ..lane("quick", 1) };
    let foreign = wire::Neighbour { node: "hub.health.evil.ir".into(), ..Default::default() };
    #[rustfmt::skip]
    let cases = [
        (neighbour("hub.health", Upper, Vec::new()),
         "hub.economy cannot have hub.health as its upper neighbour"),
        (neighbour("hub.centre", Lower, Vec::new()),
         "hub.economy cannot have hub.centre as its lower neighbour"),
        (neighbour("a.b.gov.health", Lower, Vec::new()),
         "hub.economy cannot have a.b.gov.health as its lower neighbour"),
        (neighbour("hub.centre", Unspecified, Vec::new()),
         "hub.economy cannot have hub.centre as any neighbour"),
        (neighbour("hub.centre", Upper, vec![odd]),
         "\"slow\" is no lane"),
        (foreign,
         "\"hub.health.evil.ir\" is not below the mesh domain mesh.ir"),
    ];
    for (neighbour, want) in cases {
        let answer = wire::TopologyResponse {
            node: "hub.economy.mesh.ir".into(),
            neighbours: vec![neighbour],
        };
        let error = NodeView::read(&mesh(), &answer).expect_err(want);
        assert_eq!(error.to_string(), want);
    }
}
