//! Whom a port lets in: nobody but those whom the law of the crossing names. Each refused dialler
//! believes any server; its first read yields a fatal alert, and no application byte.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use e2e::Bed;
use e2e::dial::{Dialled, dial};
use e2e::forge::forge;
use mesh_certs::LocalPki;
use mesh_core::node::{NodeName, Subtree};

fn own(bed: &Bed, node: &str) -> (PathBuf, PathBuf) {
    let issued = &bed.node(node).issued;
    (issued.chain_file.clone(), issued.key_file.clone())
}

fn paths(pair: &(PathBuf, PathBuf)) -> Option<(&Path, &Path)> {
    Some((&pair.0, &pair.1))
}

fn refused(bed: &Bed, node: &str) -> u64 {
    bed.status(node)["handshakes_refused"].as_u64().expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn bypass_all_pairs() {
    let bed = Bed::start().await;
    for (from, to) in [("hub.economy", "hub.health"), ("hub.health", "hub.economy")] {
        let before = refused(&bed, to);
        let address = bed.node(to).mesh.expect("a hub listens");
        let dialled = dial(address, paths(&own(&bed, from))).await;
        println!("{from} dials {to}: {dialled:?}");
        assert!(matches!(dialled, Dialled::Alert(_)), "{dialled:?}");
        assert_eq!(refused(&bed, to), before + 1, "{to} counts it");
    }
    // Not even its own listener lets a hub in: only agents dial a hub.
    let own_port = bed.node("hub.health").mesh.expect("a hub listens");
    let dialled = dial(own_port, paths(&own(&bed, "hub.health"))).await;
    assert!(matches!(dialled, Dialled::Alert(_)), "{dialled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_port_lets_in_only_its_own() {
    let bed = Bed::start().await;
    let (desk, cards) = ("desk.tax.gov.economy", "cards.care.gov.health");
    let edge = "persons.register.gov.edge";
    let cases = [
        // Who         Where           Let in
        (desk, "hub.economy", true),
        (cards, "hub.health", true),
        (edge, "hub.centre", true),
        ("hub.health", "hub.centre", true),
        (desk, "hub.health", false),
        (desk, "hub.centre", false),
        (cards, "hub.centre", false),
        (edge, "hub.economy", false),
        ("hub.centre", "hub.economy", false),
        ("hub.centre", "hub.centre", false),
    ];
    for (who, at, let_in) in cases {
        let address = bed.node(at).mesh.expect("a hub listens");
        let dialled = dial(address, paths(&own(&bed, who))).await;
        println!("{who} dials {at}: {dialled:?}");
        if let_in {
            assert_eq!(dialled, Dialled::LetIn, "{who} at {at}");
        } else {
            assert!(matches!(dialled, Dialled::Alert(_)), "{who} at {at}: {dialled:?}");
        }
    }
    let nobody = dial(bed.node("hub.centre").mesh.expect("it listens"), None).await;
    assert!(matches!(nobody, Dialled::Alert(_)), "mtls_client_cert_missing: {nobody:?}");
    let admin = dial(bed.node("hub.centre").admin, paths(&own(&bed, "hub.economy"))).await;
    assert!(matches!(admin, Dialled::Alert(_)), "a hub is no operator: {admin:?}");
}

/// A cluster's own authority, in its owner's hands, mints what it has no right to.
#[tokio::test(flavor = "multi_thread")]
async fn bypass_forged_san() {
    let bed = Bed::start().await;
    let pki = LocalPki::open(&bed.nation.layout.pki).expect("the nation's PKI");
    let economy = Subtree::Cluster("economy".parse().expect("a cluster"));
    let economy = pki.authority(&economy).expect("its authority");
    for forged in ["hub.health", "cards.care.gov.health", "persons.register.gov.edge"] {
        let name = &bed.node(forged).name;
        let pair = forge(&bed.nation.layout.mesh, economy, name, bed.scratch());
        // The centre believes every cluster's authority, each for its own names alone; a cluster
        // hub believes its own authority alone.
        for (at, alert) in [("hub.centre", "CertificateUnknown"), ("hub.health", "UnknownCA")] {
            let address = bed.node(at).mesh.expect("a hub listens");
            let dialled = dial(address, paths(&pair)).await;
            println!("economy's authority as {forged} at {at}: {dialled:?}");
            assert_eq!(dialled, Dialled::Alert(alert.into()), "{forged} at {at}");
        }
    }
    // The name was the reason each time.
    bed.wait_log("hub.centre", &["NameConstraint"], 3).await;

    let centre = forge(&bed.nation.layout.mesh, economy, &NodeName::Centre, bed.scratch());
    for at in ["hub.centre", "hub.health"] {
        let dialled = dial(bed.node(at).mesh.expect("a hub listens"), paths(&centre)).await;
        assert!(matches!(dialled, Dialled::Alert(_)), "as the centre, at {at}: {dialled:?}");
    }
}

/// A genuine certificate for a genuine name, whose key the directory does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_not_sufficient() {
    let bed = Bed::start().await;
    let pki = LocalPki::open(&bed.nation.layout.pki).expect("the nation's PKI");
    let before = refused(&bed, "hub.economy");
    let node: &NodeName = &bed.node("desk.tax.gov.economy").name;
    let dir = bed.scratch().join("second");
    let second = pki.issue(node, &dir, SystemTime::now()).expect("the authority signs it");
    let address = bed.node("hub.economy").mesh.expect("a hub listens");
    let dialled = dial(address, Some((&second.chain_file, &second.key_file))).await;
    assert!(matches!(dialled, Dialled::Alert(_)), "{dialled:?}");
    assert_eq!(refused(&bed, "hub.economy"), before + 1);
}
