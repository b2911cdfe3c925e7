//! The rows of fixed answers, to the letter.

use mesh_core::node::{MeshDomain, NodeName};
use mesh_proto::wire::admin::v1::{self as wire, Counters, FailureCount, Following};
use mesh_proto::wire::exchange::v1::DirectoryPosition;

use super::{AskError, DAY_MS, Row, ServiceAway, StatusResponse, all_ready, table, table_within};
use crate::client::Unanswered;

const NOW_MS: u64 = 1_767_225_600_000;
const DAY: u64 = DAY_MS.cast_unsigned();

fn node(name: &str) -> NodeName {
    let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
    mesh.parse_node(&format!("{name}.mesh.ir")).unwrap()
}

fn answer() -> StatusResponse {
    StatusResponse {
        node: "hub.centre.mesh.ir".into(),
        software: "hub-central 0.1.0".into(),
        ready: true,
        waiting_for: Vec::new(),
        draining: false,
        started_at_unix_ms: NOW_MS - 2 * DAY - 3 * 3_600_000,
        directory: Some(DirectoryPosition { epoch: 1, revision: 7, root: Default::default() }),
        counters: Some(Counters {
            exchanges_opened: 120_010,
            exchanges_answered: 120_000,
            exchanges_failed: 6,
            exchanges_in_flight: 4,
            handshakes_accepted: 28,
            handshakes_refused: 2,
            answered_by_latency: Vec::new(),
            failures: vec![FailureCount {
                reason: "OVERLOADED".into(),
                here: 5,
                elsewhere: 1,
                elsewhere_last: "hub.health".into(),
            }],
        }),
        certificate_expires_unix_ms: NOW_MS + 9 * DAY + 1,
        resident_bytes: 24 << 20,
        following: None,
        services_away: Vec::new(),
    }
}

fn rows() -> Vec<Row> {
    let waiting = StatusResponse {
        ready: false,
        waiting_for: vec!["link to hub.centre".into(), "directory".into()],
        started_at_unix_ms: NOW_MS - 12_000,
        certificate_expires_unix_ms: NOW_MS + DAY - 1,
        counters: Some(Counters::default()),
        software: "hub-cluster 0.1.0".into(),
        following: Some(Following {
            freshness: wire::Freshness::Warned.into(),
            last_heartbeat_unix_ms: NOW_MS - 120_000,
            ..Following::default()
        }),
        ..answer()
    };
    let draining = StatusResponse {
        ready: false,
        draining: true,
        certificate_expires_unix_ms: NOW_MS - 1,
        following: None,
        ..waiting.clone()
    };
    let why = "connection refused".into();
    let reason = Unanswered::Unreachable { address: "127.0.0.1:7105".parse().unwrap(), why };
    let desk = node("desk.licensing.gov.economy");
    let lost = AskError { node: Box::new(desk.clone()), reason };
    vec![
        Row::new(&node("hub.centre"), &Ok(answer()), NOW_MS),
        Row::new(&node("hub.economy"), &Ok(waiting), NOW_MS),
        Row::new(&node("hub.health"), &Ok(draining), NOW_MS),
        Row::new(&desk, &Err(lost), NOW_MS),
    ]
}

#[test]
fn a_table_for_eyes() {
    let table = table(&rows(), NOW_MS);
    assert_eq!(table, include_str!("table.txt"), "\n{table}");
}

#[test]
fn a_terminal_of_80_columns_gets_what_fits() {
    let mut all = rows();
    let away = ServiceAway {
        service: "ir/gov/civil-registration/persons/identity.v1".into(),
        why: "refuses connections".into(),
        since_unix_ms: NOW_MS - 5_000,
    };
    let persons = StatusResponse { services_away: vec![away], ..answer() };
    all.push(Row::new(&node("persons.civil-registration.gov.edge"), &Ok(persons), NOW_MS));
    let table = table_within(&all, NOW_MS, Some(80));
    assert_eq!(table, include_str!("narrow.txt"), "\n{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let away = serde_json::to_value(&all[4]).unwrap()["services_away"].clone();
    let want = serde_json::json!([{
        "service": "ir/gov/civil-registration/persons/identity.v1",
        "why": "refuses connections",
        "since_unix_ms": NOW_MS - 5_000,
    }]);
    assert_eq!(away, want);
}

#[test]
fn json_for_programs() {
    let rows = rows();
    let want = serde_json::json!({
        "node": "hub.centre",
        "state": "ready",
        "waiting_for": [],
        "error": null,
        "software": "hub-central 0.1.0",
        "started_at_unix_ms": 1_767_042_000_000_u64,
        "exchanges_opened": 120_010,
        "exchanges_answered": 120_000,
        "exchanges_failed": 6,
        "exchanges_in_flight": 4,
        "handshakes_accepted": 28,
        "handshakes_refused": 2,
        "failures": [{
            "reason": "OVERLOADED",
            "here": 5,
            "elsewhere": 1,
            "elsewhere_last": "hub.health",
        }],
        "resident_bytes": 25_165_824,
        "certificate_expires_unix_ms": 1_768_003_200_001_u64,
        "certificate_days_left": 9,
        "directory_epoch": 1,
        "directory_revision": 7,
        "services_away": [],
        "directory_root": null,
        "following": null,
    });
    assert_eq!(serde_json::to_value(&rows[0]).unwrap(), want);
    let lost = serde_json::to_value(&rows[3]).unwrap();
    assert_eq!(lost["state"], "unreachable");
    assert!(lost["error"].as_str().unwrap().contains("connection refused"), "{lost}");
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect();
    let (lost, want): (Vec<String>, Vec<String>) = (names(&lost), names(&want));
    assert_eq!(lost, want, "every name is always there");
    let days: Vec<_> = rows.iter().map(|row| row.certificate_days_left).collect();
    assert_eq!(days, [Some(9), Some(0), Some(-1), None]);
}

#[test]
fn complains_of_those_that_are_not_ready() {
    let rows = rows();
    assert_eq!(all_ready(&rows[..1]), Ok(()));
    let complaint = all_ready(&rows).unwrap_err().to_string();
    let want = "3 of 4 nodes are not ready: hub.economy, hub.health, desk.licensing.gov.economy";
    assert_eq!(complaint, want);
    let one = all_ready(&rows[..2]).unwrap_err().to_string();
    assert_eq!(one, "1 of 2 nodes is not ready: hub.economy");
}
