//! What an agent or a hub puts on its link that it has no right to: the hubs check for themselves,
//! because an agent that is owned checks nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use e2e::Bed;
use e2e::bed::{CARDS, DESK};
use mesh_core::agreement::AgreementId;
use mesh_core::exchange::{BodyDescriptor, Digest, DirectoryPosition, ExchangeId, RequestHeader};
use mesh_core::node::NodeName;
use mesh_core::operation::OperationKind;
use mesh_core::reason::Problem;
use mesh_link::exchange::Incoming;
use mesh_link::lane::{Accept, Lane};
use mesh_node::directory::DirectoryKeys;
use mesh_node::upper::{Upper, start_uplink};
use mesh_node::{Knows, LiveDirectory, Named, Node, NodeFiles, Standing, Who};
use mesh_proto::frame::{Close, Hop, HopTime, LaneKind, Open};
use mesh_proto::header::write_request;
use mesh_rt::clock::SystemClock;
use mesh_rt::config::TlsFiles;
use mesh_rt::exit::Program;
use mesh_rt::tls::Trust;
use tokio::time::{Instant, sleep, timeout};

/// Only ends a test that hangs.
const HANG_MAX: Duration = Duration::from_secs(20);

/// The attacker takes nothing that comes down to it.
struct Nothing;

impl Accept for Nothing {
    fn accept(&self, _incoming: Incoming) {}
}

/// A link of `name`'s own, with its genuine certificate and key.
async fn link(bed: &Bed, name: &str, upper: &str) -> Lane {
    let layout = &bed.nation.layout;
    let issued = bed.node(name).issued.clone();
    let trust_file = issued.trust_file.clone();
    let tls = TlsFiles {
        chain_file: issued.chain_file,
        key_file: issued.key_file,
        trust_file: issued.trust_file,
    };
    let files = NodeFiles { mesh: &layout.mesh, tls: &tls };
    let program = Program { name: "attacker", version: "0" };
    let own: NodeName = bed.node(name).name.clone();
    let named = Named::load(&program, files, &Who::Node(own.clone())).expect("a certificate");
    let (clock, keys) = (Arc::new(SystemClock), DirectoryKeys::default());
    let directory = LiveDirectory::following(own, layout.mesh.clone(), keys);
    let standing = Standing::at_the_centre(clock.clone());
    let node = Node::new(named, Knows { directory, standing }, clock);
    let upper = Upper {
        address: bed.node(upper).mesh.expect("a hub listens"),
        node: bed.node(upper).name.clone(),
        trust: Trust::load(&trust_file).expect("a trust file"),
    };
    let uplink = start_uplink(&node, (upper, None), Arc::new(Nothing), 7).expect("it dials");
    let up = async {
        loop {
            if let Some(lane) = uplink.lane(LaneKind::Quick) {
                return lane;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(HANG_MAX, up).await.expect("the certificate is genuine, so the link comes up")
}

/// A header as the agent of `consumer` would make it.
fn header(consumer: &str, service: &str, agreement: AgreementId) -> RequestHeader {
    RequestHeader {
        exchange: ExchangeId::new(1_795_000_000_000, [3; 10]),
        consumer: consumer.parse().expect("a system"),
        service: service.parse().expect("a service"),
        operation: "getCard".parse().expect("an operation"),
        kind: OperationKind::Inquiry,
        agreement,
        purpose: "licence-issue".parse().expect("a purpose"),
        deadline: Duration::from_secs(5),
        issued_at_unix_ms: 1_795_000_000_000,
        body: BodyDescriptor::Inline { digest: Digest([0; 32]), length: 0 },
        head_digest: Digest([0; 32]),
        operator: None,
        idempotency_key: None,
        retry_of: None,
        directory: DirectoryPosition::default(),
    }
}

/// Puts `header` on the link, and answers how it was refused.
async fn put(lane: &Lane, header: Bytes, passed: &[&str]) -> Problem {
    let hops = passed
        .iter()
        .map(|hop| HopTime { hop: hop.parse().expect("a hop"), elapsed: Duration::ZERO });
    let open = Open {
        header,
        head: Bytes::new(),
        body: Bytes::new(),
        hop: Hop { remaining: Duration::from_secs(5), hops: hops.collect() },
        close: Some(Close::default()),
    };
    let deadline = Instant::now() + HANG_MAX;
    let exchange = lane.open("attacker".into(), open, deadline).expect("the lane takes it");
    exchange.receive().await.expect_err("it must be refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_lies_is_refused_by_its_hub_and_by_the_centre() {
    let bed = Bed::start().await;
    let any = AgreementId(Digest([0; 32]));
    let secret = "ir/gov/care/cards/secret.v1";
    let absent = "ir/gov/nobody/any/thing.v1";
    let across = link(&bed, "desk.tax.gov.economy", "hub.economy").await;
    let inside = link(&bed, "desk.care.gov.health", "hub.health").await;
    let (desk, care) = ("desk.tax.gov.economy", "ir/gov/care/desk");
    let cases = [
        // What,                    where,   header,                             reason and hop
        (
            "bypass_source_lie",
            &across,
            header(care, CARDS, bed.agreement("care-cards")),
            ("SOURCE_MISMATCH", desk),
        ),
        ("source_lie_no_oracle", &across, header(care, absent, any), ("SOURCE_MISMATCH", desk)),
        (
            "route_unknown_member",
            &across,
            header(DESK, absent, any),
            ("NOT_PERMITTED", "hub.economy"),
        ),
        (
            "authz_not_in_agreement",
            &across,
            header(DESK, secret, any),
            ("NOT_PERMITTED", "hub.centre"),
        ),
        (
            "authz_other_agreement",
            &across,
            header(DESK, CARDS, bed.agreement("desk-gone")),
            ("NOT_PERMITTED", "hub.centre"),
        ),
        (
            "authz_purpose_denied",
            &inside,
            header(care, CARDS, bed.agreement("care-cards")),
            ("PURPOSE_NOT_PERMITTED", "hub.health"),
        ),
        (
            "authz_inside_a_cluster",
            &inside,
            header(care, secret, any),
            ("NOT_PERMITTED", "hub.health"),
        ),
    ];
    for (name, lane, header, (reason, hop)) in cases {
        let problem = put(lane, write_request(&header), &[]).await;
        println!("{name:<28} {problem}");
        assert_eq!((problem.reason.name(), problem.hop.as_str()), (reason, hop), "{name}");
    }
    let garbage = put(&across, Bytes::from_static(b"\xff\xff\xff"), &[]).await;
    println!("{:<28} {garbage}", "header_malformed");
    assert_eq!((garbage.reason.name(), garbage.hop.as_str()), ("REQUEST_MALFORMED", desk));
    assert_eq!(bed.backend.requests(), 0, "no service was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_lies_is_refused_by_the_centre() {
    let bed = Bed::start().await;
    let lane = link(&bed, "hub.economy", "hub.centre").await;
    let lie = put(
        &lane,
        write_request(&header("ir/gov/care/desk", CARDS, bed.agreement("care-cards"))),
        &[],
    )
    .await;
    println!("bypass_source_lie            {lie}");
    assert_eq!((lie.reason.name(), lie.hop.as_str()), ("SOURCE_MISMATCH", "hub.economy"));
    bed.wait_log("hub.centre", &["false source", "hub.economy"], 1).await;

    let sound = || write_request(&header(DESK, CARDS, bed.agreement("desk-cards")));
    let looped = put(&lane, sound(), &["hub.economy", "hub.centre"]).await;
    println!("loop_refused                 {looped}");
    assert_eq!((looped.reason.name(), looped.hop.as_str()), ("LOOP_REFUSED", "hub.centre"));

    let far = put(&lane, sound(), &["a", "b", "c", "d", "e", "f"]).await;
    println!("loop_too_many_hops           {far}");
    assert_eq!(far.reason.name(), "LOOP_REFUSED");
    assert_eq!(bed.backend.requests(), 0, "no service was asked");
}
