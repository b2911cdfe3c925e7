//! Pictures of a nation of fourteen clusters and sixty nodes, to the letter.

use std::collections::BTreeMap;

use mesh_core::latency::{BUCKETS, bucket_of};
use mesh_core::node::{MeshDomain, NodeName};
use mesh_proto::wire::admin::v1 as wire;

use super::draw::Tone;
use super::sample::Sample;
use super::watch::Watched;
use super::*;
use crate::topology::{NodeView, upper};

const NOW_MS: u64 = 1_767_225_600_000;

#[rustfmt::skip]
const CLUSTERS: [&str; 14] = [
    "agriculture", "culture", "defence", "economy", "education", "energy", "foreign", "health",
    "industry", "interior", "justice", "labour", "roads", "science",
];

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

fn node(name: &str) -> NodeName {
    mesh().parse_node(&format!("{name}.mesh.ir")).unwrap()
}

/// The centre, its hubs with three agents each, and three agents at its edge.
fn names() -> Vec<NodeName> {
    let hubs = CLUSTERS.iter().map(|cluster| format!("hub.{cluster}"));
    let agents = CLUSTERS.iter().flat_map(|cluster| {
        ["archive.records", "desk.licensing", "tax.revenue"].map(|at| format!("{at}.gov.{cluster}"))
    });
    let edge = ["persons.civil-registration", "plots.land", "portal.citizens"];
    let edge = edge.iter().map(|at| format!("{at}.gov.edge"));
    let names = std::iter::once("hub.centre".to_owned()).chain(hubs).chain(agents).chain(edge);
    names.map(|name| node(&name)).collect()
}

/// What a node says at one moment. Changed by the tests, as a node's state changes.
#[derive(Clone)]
struct Said {
    status: wire::StatusResponse,
    topology: wire::TopologyResponse,
}

impl Said {
    fn sample(&self, at: Instant) -> Sample {
        let view = NodeView::read(&mesh(), &self.topology).unwrap();
        Sample::read(&self.status, view, at).unwrap()
    }

    fn counters(&mut self) -> &mut wire::Counters {
        self.status.counters.get_or_insert_default()
    }

    /// So many exchanges more, that took so long.
    fn answer(&mut self, count: u64, took: Duration) {
        let counters = self.counters();
        counters.exchanges_opened += count;
        counters.exchanges_answered += count;
        counters.answered_by_latency[bucket_of(took)] += count;
    }

    /// So many exchanges more that failed, at `hop` or here.
    fn fail(&mut self, count: u64, reason: &str, hop: Option<&str>) {
        let counters = self.counters();
        counters.exchanges_opened += count;
        counters.exchanges_failed += count;
        let [here, elsewhere] = if hop.is_some() { [0, count] } else { [count, 0] };
        counters.failures.push(wire::FailureCount {
            reason: reason.into(),
            here,
            elsewhere,
            elsewhere_last: hop.unwrap_or_default().into(),
        });
    }

    /// The neighbour `name` lost its link.
    fn unlink(&mut self, name: &str) {
        let full = format!("{name}.mesh.ir");
        let of = |neighbour: &&mut wire::Neighbour| neighbour.node == full;
        self.topology.neighbours.iter_mut().find(of).unwrap().lanes.clear();
    }
}

/// Everybody ready, linked and idle.
fn nation() -> BTreeMap<NodeName, Said> {
    let names = names();
    let lane = |lane: &str| wire::LaneState { lane: lane.into(), ..Default::default() };
    let neighbour = |name: &NodeName, side: wire::Side| wire::Neighbour {
        node: mesh().dns_name(name),
        side: side.into(),
        lanes: vec![lane("quick"), lane("bulk")],
        software: "some 0.1.0".into(),
    };
    let said = |name: &NodeName| {
        let lower = names.iter().filter(|other| upper(other).as_ref() == Some(name));
        let lower = lower.map(|other| neighbour(other, wire::Side::Lower));
        let upper = upper(name).map(|upper| neighbour(&upper, wire::Side::Upper));
        let status = wire::StatusResponse {
            node: mesh().dns_name(name),
            ready: true,
            started_at_unix_ms: NOW_MS - 60_000,
            counters: Some(wire::Counters {
                answered_by_latency: vec![0; BUCKETS],
                ..Default::default()
            }),
            resident_bytes: if upper.is_some() { 14 << 20 } else { 41 << 20 },
            ..Default::default()
        };
        let neighbours = upper.into_iter().chain(lower).collect();
        Said {
            status,
            topology: wire::TopologyResponse { node: mesh().dns_name(name), neighbours },
        }
    };
    names.iter().map(|name| (name.clone(), said(name))).collect()
}

/// What comes of hearing all nodes twice, a second apart. Who is not there the second time is
/// silent.
fn watched(before: &BTreeMap<NodeName, Said>, now: &BTreeMap<NodeName, Said>) -> Vec<Watched> {
    let began = Instant::now();
    let ended = began + Duration::from_secs(1);
    let watch = |name: NodeName| {
        let mut watched = Watched::new(name.clone());
        watched.hear(Ok(before[&name].sample(began)));
        let silent = || "127.0.0.1:7003 cannot be reached: connection refused; check it".into();
        watched.hear(now.get(&name).map(|said| said.sample(ended)).ok_or_else(silent));
        watched
    };
    names().into_iter().map(watch).collect()
}

/// A nation with traffic and with trouble of every kind.
fn troubled() -> Vec<Watched> {
    let before = nation();
    let mut now = before.clone();
    let mut of = |name: &str, change: &dyn Fn(&mut Said)| {
        change(now.get_mut(&node(name)).expect(name));
    };
    of("hub.centre", &|said| {
        said.answer(830, Duration::from_micros(700));
        said.answer(30, Duration::from_millis(12));
        said.counters().exchanges_in_flight = 17;
        said.counters().handshakes_refused = 3;
        said.fail(4, "CLUSTER_UNREACHABLE", Some("hub.health"));
        said.fail(2, "PROVIDER_UNREACHABLE", Some("plots.land.gov.edge"));
        said.unlink("hub.health");
    });
    of("hub.economy", &|said| {
        said.answer(720, Duration::from_micros(1_400));
        said.unlink("tax.revenue.gov.economy");
        said.fail(4, "CLUSTER_UNREACHABLE", Some("hub.health"));
        said.fail(2, "PROVIDER_UNREACHABLE", Some("plots.land.gov.edge"));
    });
    of("hub.justice", &|said| said.answer(140, Duration::from_micros(900)));
    of("plots.land.gov.edge", &|said| {
        said.fail(2, "PROVIDER_UNREACHABLE", None);
    });
    of("desk.licensing.gov.economy", &|said| said.fail(12, "NOT_PERMITTED", None));
    of("tax.revenue.gov.economy", &|said| {
        said.unlink("hub.economy");
        said.status.ready = false;
        said.status.waiting_for = vec!["link to hub.economy".into()];
    });
    of("hub.roads", &|said| {
        said.status.ready = false;
        said.status.draining = true;
    });
    now.remove(&node("hub.health"));
    watched(&before, &now)
}

fn text(nodes: &[Watched], agents: bool, size: Size) -> String {
    let at_unix_ms = NOW_MS + 45_296_000;
    let title = Title { mesh: "ir".into(), at_unix_ms, interval: Duration::from_secs(1) };
    let drawn = draw(&picture(nodes, agents), &title, size);
    drawn.iter().map(|line| line.text.clone() + "\n").collect()
}

#[test]
fn a_nation_in_trouble_without_bounds() {
    let found = text(&troubled(), false, Size::UNBOUNDED);
    assert_eq!(found, include_str!("plain.txt"), "\n{found}");
}

#[test]
fn a_nation_in_trouble_on_a_small_screen() {
    let found = text(&troubled(), false, Size { columns: 100, rows: 24 });
    assert_eq!(found, include_str!("screen.txt"), "\n{found}");
}

#[test]
fn a_quiet_nation_fits_the_smallest_usual_screen() {
    let nation = nation();
    let quiet = watched(&nation, &nation);
    let found = text(&quiet, false, Size { columns: 80, rows: 24 });
    // Agents at the edge have no line while they are quiet and well.
    assert_eq!(found.lines().count(), 1 + 1 + 15, "\n{found}");
    let each = text(&quiet, true, Size::UNBOUNDED);
    assert_eq!(each.lines().count(), 1 + 1 + 60, "\n{each}");
    for said in ["60 of 60 nodes ready, 59 of 59 links up", "4/4     3/3"] {
        assert!(found.contains(said) || each.contains(said), "{said}\n{found}\n{each}");
    }
}

#[test]
fn whatever_the_size_nothing_sticks_out() {
    let nodes = troubled();
    for agents in [false, true] {
        for (columns, rows) in [(0, 0), (1, 1), (20, 3), (60, 7), (80, 24), (120, 50), (200, 90)] {
            let found = text(&nodes, agents, Size { columns, rows });
            let widest = found.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            let size = (widest, found.lines().count());
            assert!(size.0 <= columns && size.1 <= rows, "{columns}x{rows}: {size:?}\n{found}");
        }
    }
}

#[test]
fn nodes_in_trouble_are_told_from_others() {
    let nodes = troubled();
    let title = Title { mesh: "ir".into(), at_unix_ms: NOW_MS, interval: Duration::from_secs(1) };
    let drawn = draw(&picture(&nodes, false), &title, Size::UNBOUNDED);
    let tone = |start: &str| drawn.iter().find(|line| line.text.starts_with(start)).unwrap().tone;
    let cases = [
        ("ir at", Tone::Plain),
        ("NODE", Tone::Head),
        ("hub.centre", Tone::Wrong),
        ("├─ hub.culture", Tone::Plain),
        ("├─ hub.health", Tone::Wrong),
        ("├─ hub.roads", Tone::Wrong),
        ("tax.revenue.gov.economy", Tone::Wrong),
        ("FAILED/S", Tone::Head),
    ];
    for (start, want) in cases {
        assert_eq!(tone(start), want, "{start}");
    }
}

#[test]
fn a_node_that_started_anew_or_was_silent_has_no_rates_of_that_time() {
    let mut nation = nation();
    let name = node("hub.economy");
    let said = nation.get_mut(&name).unwrap();
    said.answer(1_000, Duration::from_millis(1));
    let began = Instant::now();
    let after = |seconds| began + Duration::from_secs(seconds);
    let mut watched = Watched::new(name);
    assert!(watched.said().is_err() && watched.pace().is_none());
    watched.hear(Ok(said.sample(began)));
    assert!(watched.said().is_ok() && watched.pace().is_none(), "there is only one sample");
    watched.hear(Err("gone".into()));
    assert_eq!(watched.said().unwrap_err(), "gone");
    said.answer(500, Duration::from_millis(1));
    watched.hear(Ok(said.sample(after(5))));
    let pace = watched.pace().unwrap();
    assert_eq!((pace.answered, pace.per_second(pace.answered)), (500, 100.0), "over all the time");
    said.status.started_at_unix_ms += 1;
    watched.hear(Ok(said.sample(after(6))));
    assert!(watched.said().is_ok() && watched.pace().is_none(), "its counts began anew");
}

#[test]
fn latencies_of_another_number_are_refused_whole() {
    let mut said = nation().remove(&NodeName::Centre).unwrap();
    said.counters().answered_by_latency = vec![1; 3];
    let view = NodeView::read(&mesh(), &said.topology).unwrap();
    let error = Sample::read(&said.status, view, Instant::now()).unwrap_err();
    assert_eq!(error, "it counts 3 latencies, want 82");
}

#[test]
fn json_is_a_line_for_each_node() {
    let nodes = troubled();
    let lines = json::lines(&nodes, NOW_MS);
    let entries: BTreeMap<String, serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|entry| (entry["node"].as_str().unwrap().to_owned(), entry))
        .collect();
    assert_eq!(entries.len(), 60);
    let want = serde_json::json!({
        "at_unix_ms": NOW_MS,
        "node": "hub.economy",
        "state": "ready",
        "waiting_for": [],
        "error": null,
        "links_up": 3,
        "links_known": 4,
        "not_linked": ["tax.revenue.gov.economy"],
        "exchanges_in_flight": 0,
        "resident_bytes": 14_680_064,
        "interval_ms": 1000,
        "exchanges_opened": 726,
        "exchanges_answered": 720,
        "exchanges_failed": 6,
        "p50_us": 1408,
        "p95_us": 1408,
        "p99_us": 1408,
        "handshakes_refused": 0,
        "failures": [
            {
                "reason": "CLUSTER_UNREACHABLE",
                "here": 0,
                "elsewhere": 4,
                "elsewhere_last": "hub.health",
                "mender": "hop-operator",
            },
            {
                "reason": "PROVIDER_UNREACHABLE",
                "here": 0,
                "elsewhere": 2,
                "elsewhere_last": "plots.land.gov.edge",
                "mender": "provider",
            },
        ],
    });
    assert_eq!(entries["hub.economy"], want);
    let silent = &entries["hub.health"];
    assert_eq!(silent["state"], "unreachable");
    assert!(silent["exchanges_opened"].is_null() && silent["error"].is_string(), "{silent}");
    let names =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(silent), names(&want), "every name is always there");
}
