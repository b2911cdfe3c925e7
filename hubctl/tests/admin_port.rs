//! The library and the program against admin ports that are served here, over real TCP and TLS.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hubctl::{Config, NodeClient, Unanswered};
use mesh_certs::LocalPki;
use mesh_core::node::{MeshDomain, NodeName, Subtree};
use mesh_proto::wire::admin::v1::{
    Counters, LaneState, Neighbour, Side, StatusResponse, TopologyResponse,
};
use mesh_rt::admin::{AdminBound, AdminPort, NodeView};
use mesh_rt::readiness::Readiness;
use mesh_rt::tls::{Acceptor, Admit, CONNECTIONS_MAX, Identity, Trust, serve};
use tokio::net::TcpListener;

const DESK: &str = "desk.licensing.gov.economy";

/// A centre behind TLS, an agent behind loopback alone, and who may ask them.
struct Nation {
    temp: tempfile::TempDir,
    pki: LocalPki,
    mesh: MeshDomain,
    readiness: Readiness,
    centre: SocketAddr,
    agent: SocketAddr,
}

struct Sample {
    node: String,
    readiness: Readiness,
}

impl NodeView for Sample {
    fn status(&self) -> StatusResponse {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        StatusResponse {
            node: self.node.clone(),
            software: "sample 0.1.0".into(),
            ready: self.readiness.ready(),
            waiting_for: self.readiness.waiting_for(),
            started_at_unix_ms: now,
            counters: Some(Counters::default()),
            certificate_expires_unix_ms: now + 5 * 86_400_000 + 60_000,
            ..StatusResponse::default()
        }
    }

    fn topology(&self) -> TopologyResponse {
        let lane = |lane: &str| LaneState { lane: lane.into(), ..LaneState::default() };
        let hub = Neighbour {
            node: "hub.economy.mesh.ir".into(),
            side: if self.node == "hub.centre.mesh.ir" { Side::Lower } else { Side::Upper }.into(),
            lanes: vec![lane("quick"), lane("bulk")],
            software: "hub-cluster 0.1.0".into(),
        };
        TopologyResponse { node: self.node.clone(), neighbours: vec![hub] }
    }
}

impl Nation {
    async fn start() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let clusters = ["economy".parse().unwrap()];
        let now = SystemTime::now();
        let pki = LocalPki::create(&temp.path().join("pki"), &mesh, clusters, now).unwrap();
        let readiness = Readiness::default();

        let issued = pki.issue(&NodeName::Centre, &temp.path().join("centre"), now).unwrap();
        let identity = Identity::load(&issued.chain_file, &issued.key_file).unwrap();
        let operators = Trust::load(&pki.ca_file(&Subtree::Operators)).unwrap();
        let acceptor = Acceptor::new(&identity, operators, Admit::AdminPort, mesh.clone());
        let bound = AdminBound::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let centre = bound.local_addr();
        let never = std::future::pending();
        let incoming = serve(bound.into_listener(), acceptor, CONNECTIONS_MAX, never);
        let port = port("hub.centre", &readiness);
        tokio::spawn(Box::pin(port.serve(incoming, std::future::pending())));

        let bound = AdminBound::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let agent = bound.local_addr();
        let port = self::port(DESK, &Readiness::default());
        tokio::spawn(
            async move { port.serve(bound.into_incoming(), std::future::pending()).await },
        );
        Self { temp, pki, mesh, readiness, centre, agent }
    }

    /// Writes a configuration for who has the certificate `name`.
    fn config_file(&self, name: &str, nodes: &[(&str, SocketAddr)]) -> PathBuf {
        let folder = self.temp.path().join(name);
        let node = self.mesh.parse_node(&format!("{name}.mesh.ir")).unwrap();
        if !folder.exists() {
            self.pki.issue(&node, &folder, SystemTime::now()).unwrap();
        }
        let mut text = "[mesh]\nid = \"ir\"\ndomain = \"mesh.ir\"\n\n[operator]\n\
                        chain_file = \"chain.pem\"\nkey_file = \"key.pem\"\n"
            .to_owned();
        for (name, address) in nodes {
            let node = self.mesh.parse_node(&format!("{name}.mesh.ir")).unwrap();
            write!(text, "[[nodes]]\nname = \"{name}\"\naddress = \"{address}\"\n").unwrap();
            if node.listens() {
                let trust_file = self.pki.ca_file(&node.subtree());
                writeln!(text, "trust_file = {trust_file:?}").unwrap();
            }
        }
        let file = folder.join("hubctl.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn config(&self, name: &str, nodes: &[(&str, SocketAddr)]) -> Config {
        Config::load(&self.config_file(name, nodes)).unwrap()
    }
}

fn port(name: &str, readiness: &Readiness) -> AdminPort {
    let (node, readiness) = (format!("{name}.mesh.ir"), readiness.clone());
    let view = Arc::new(Sample { node, readiness: readiness.clone() });
    AdminPort {
        hop: name.parse().unwrap(),
        view,
        readiness,
        services: Vec::new(),
        admits: None,
        catalogue: None,
        registry: None,
    }
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Runs the program on a thread of its own, so that the ports here go on answering.
async fn hubctl(config: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubctl"));
    command.arg("--config").arg(config).args(words);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_hub_answers_an_operator_over_tls() {
    let nation = Nation::start().await;
    let config = nation.config("sara.operators", &[("hub.centre", nation.centre)]);
    for name in ["hub.centre", "hub.centre.mesh.ir"] {
        let centre = NodeClient::connect(&config, name).unwrap();
        let status = centre.status().await.unwrap();
        assert_eq!((status.node.as_str(), status.ready), ("hub.centre.mesh.ir", true));
        assert_eq!(centre.topology().await.unwrap().neighbours[0].node, "hub.economy.mesh.ir");
        assert!(centre.health().await);
    }
    let centre = NodeClient::connect(&config, "hub.centre").unwrap();
    nation.readiness.turn_draining();
    assert!(!centre.status().await.unwrap().ready);
    // Health follows readiness in its own time.
    while centre.health().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_agent_answers_whoever_is_beside_it() {
    let nation = Nation::start().await;
    let config = nation.config("sara.operators", &[(DESK, nation.agent)]);
    let desk = NodeClient::connect(&config, DESK).unwrap();
    assert_eq!(desk.status().await.unwrap().node, format!("{DESK}.mesh.ir"));
    assert!(desk.health().await);
}

/// Often and on several threads, because a refusal can come before or after the question is under
/// way.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_node_that_refuses_our_certificate_says_so() {
    let nation = Nation::start().await;
    let config = nation.config("hub.economy", &[("hub.centre", nation.centre)]);
    for _ in 0..50 {
        let centre = NodeClient::connect(&config, "hub.centre").unwrap();
        let error = centre.status().await.unwrap_err();
        let line = error.to_string();
        assert!(matches!(error.reason, Unanswered::Handshake { .. }), "{line}");
        assert!(line.contains("the peer refused our certificate"), "{line}");
        assert!(!centre.health().await);
    }
}

#[tokio::test]
async fn tells_why_nobody_answers() {
    let nation = Nation::start().await;
    let free = nobody().await;
    let cases: &[(&str, SocketAddr, String)] = &[
        ("hub.centre", free, format!("hub.centre: {free} cannot be reached: connection refused; ")),
        (DESK, free, format!("{DESK}: {free} cannot be reached: connection refused; check that")),
        (
            "hub.centre",
            nation.agent,
            format!("hub.centre: no TLS with {}: the peer does not speak TLS; ", nation.agent),
        ),
        (DESK, nation.centre, format!("{DESK}: {} broke off: ", nation.centre)),
        (
            "hub.economy",
            nation.centre,
            format!(
                "hub.economy: no TLS with {}: we refused the peer's certificate: ",
                nation.centre
            ),
        ),
        (
            "tax.revenue.gov.economy",
            nation.agent,
            format!(
                "tax.revenue.gov.economy: {} is the admin port of \"{DESK}.mesh.ir\"; correct",
                nation.agent
            ),
        ),
    ];
    for (name, address, want) in cases {
        let config = nation.config("sara.operators", &[(name, *address)]);
        let client = NodeClient::connect(&config, name).unwrap();
        let line = client.status().await.expect_err(want).to_string();
        assert!(line.starts_with(want), "{line:?} does not begin {want:?}");
    }
}

#[tokio::test]
async fn status_exits_with_what_it_found() {
    let nation = Nation::start().await;
    let free = nobody().await;
    let nodes = [("hub.centre", nation.centre), (DESK, nation.agent), ("hub.economy", free)];
    let file = nation.config_file("sara.operators", &nodes);

    let output = hubctl(&file, &["status", "--node", "hub.centre", "--node", DESK]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("5 days"), "{text}");

    let waiting = nation.readiness.register("directory");
    let output = hubctl(&file, &["status", "-o", "json"]).await;
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint, "hubctl: 2 of 3 nodes are not ready: hub.centre, hub.economy\n");
    assert_eq!(output.status.code(), Some(1));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<_> = rows.as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["waiting", "ready", "unreachable"]);
    assert_eq!(rows[0]["waiting_for"], serde_json::json!(["directory"]));
    waiting.ready();
}

#[tokio::test]
async fn topology_puts_the_answers_together() {
    let nation = Nation::start().await;
    let nodes = [("hub.centre", nation.centre), (DESK, nation.agent)];
    let file = nation.config_file("sara.operators", &nodes);
    let output = hubctl(&file, &["topology", "-o", "json"]).await;
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    let entries: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |index: usize| {
        let entry = &entries[index];
        (entry["node"].as_str(), entry["answer"].as_str(), entry["seen_by"].as_str())
    };
    assert_eq!(of(0), (Some("hub.centre"), Some("answered"), None));
    assert_eq!(of(1), (Some("hub.economy"), Some("not_asked"), Some("hub.centre")));
    assert_eq!(of(2), (Some(DESK), Some("answered"), Some(DESK)));

    let nodes = [("hub.centre", nobody().await), (DESK, nation.agent)];
    let file = nation.config_file("sara.operators", &nodes);
    let output = hubctl(&file, &["topology"]).await;
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint, "hubctl: 1 of 2 nodes gave no answer\n");
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("\n   └─ desk.licensing.gov.economy  up "), "{tree}");
    assert!(tree.contains("\nhub.centre: 127.0.0.1:"), "{tree}");
}
