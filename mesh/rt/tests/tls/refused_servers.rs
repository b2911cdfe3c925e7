//! Every server that a dialling node must refuse.

use std::sync::Arc;

use mesh_rt::tls::{AdmitKey, Connector, HandshakeError, Identity, Rule, explain};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::nation::{Nation, Signed, cluster, set_days};

/// Dials a server that shows `identity` and asks for no certificate.
async fn dial(connector: &Connector, identity: &Identity) -> Result<(), HandshakeError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity.clone()));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = async {
        let socket = listener.accept().await.unwrap().0;
        TlsAcceptor::from(Arc::new(config)).accept(socket).await.is_ok()
    };
    let connect = async { connector.connect(TcpStream::connect(addr).await.unwrap()).await };
    let (_, outcome) = tokio::join!(serve, connect);
    outcome.map(|_link| ())
}

#[tokio::test]
async fn an_agent_talks_to_its_own_hub_only() {
    let nation = Nation::new();
    let health = nation.ca(&cluster("health"));
    let connector = nation.dialler("desk.licensing.gov.health", "hub.health");
    dial(&connector, &nation.identity("hub.health")).await.expect("its own hub");

    let agent = nation.leaf_params("other.licensing.gov.health");
    let mut serving_agent = agent.clone();
    serving_agent.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
    let hub = nation.leaf_params("hub.health");
    let mut expired = hub.clone();
    set_days(&mut expired, -10, -1);
    let show = |params| nation.show(&Signed::by(&health, params), &[&health]);
    let cases = [
        ("hub.economy", nation.identity("hub.economy"), "not in our trust file"),
        ("hub.centre", nation.identity("hub.centre"), "not in our trust file"),
        ("an agent", show(&agent), "we refused"),
        ("an agent with EKU serverAuth", show(&serving_agent), "extended key usage"),
        ("its hub, expired", show(&expired), "not valid at this time"),
        ("its hub, self-signed", nation.show(&Signed::by_itself(&hub), &[]), "trust file"),
    ];
    for (what, identity, why) in cases {
        let error = dial(&connector, &identity).await.expect_err(what);
        let reason = explain(&error).unwrap();
        assert!(reason.contains(why), "{what}: {reason:?} says {why:?}");
    }
}

#[tokio::test]
async fn a_hub_talks_to_the_centre_only() {
    let nation = Nation::new();
    let connector = nation.dialler("hub.health", "hub.centre");
    dial(&connector, &nation.identity("hub.centre")).await.expect("the centre");

    // Forged by the cluster's own authority: the anchor is the centre's intermediate, not the root.
    let health = nation.ca(&cluster("health"));
    let forged = Signed::by(&health, &nation.leaf_params("hub.centre"));
    let forged = nation.show(&forged, &[&health]);
    for identity in [forged, nation.identity("hub.economy"), nation.identity("hub.health")] {
        let error = dial(&connector, &identity).await.expect_err("not the centre");
        assert!(explain(&error).unwrap().contains("not in our trust file"), "{error:?}");
    }
}

#[tokio::test]
async fn another_node_below_the_same_anchor_is_not_the_one_expected() {
    let nation = Nation::new();
    let identity = nation.identity("desk.licensing.gov.health");
    let (want, found) = (nation.node("hub.health"), nation.node("hub.economy"));
    let trust = nation.trust(&nation.root());
    let connector = Connector::new(&identity, trust, want.clone(), nation.mesh.clone()).unwrap();
    dial(&connector, &nation.identity("hub.health")).await.expect("the one expected");
    let error = dial(&connector, &nation.identity("hub.economy")).await.unwrap_err();
    let rule = Rule::Unexpected { found: Box::new(found), want: Box::new(want) };
    assert_eq!(error.rule(), Some(&rule));

    // The root does not make a forged name right.
    let health = nation.ca(&cluster("health"));
    let forged = Signed::by(&health, &nation.leaf_params("hub.economy"));
    let forged = nation.show(&forged, &[&health]);
    let error = dial(&connector, &forged).await.unwrap_err();
    assert!(explain(&error).unwrap().contains("NameConstraint"), "{error:?}");
}

#[tokio::test]
async fn an_upper_whose_key_is_not_active_is_refused() {
    let nation = Nation::new();
    let active = nation.issue("hub.centre");
    let key = active.spki_sha256;
    let connector = nation.dialler("hub.health", "hub.centre");
    let connector = connector.with_admit_key(AdmitKey(Arc::new(move |peer| peer.spki == key)));
    let centre = Identity::load(&active.chain_file, &active.key_file).unwrap();
    dial(&connector, &centre).await.expect("the active key");

    // The same name from the same authority, with a key that was replaced or never listed.
    let error = dial(&connector, &nation.identity("hub.centre")).await.unwrap_err();
    assert_eq!(error.rule(), Some(&Rule::KeyNotActive { node: nation.node("hub.centre") }));
    let want = "we refused the peer's certificate: the key of hub.centre is not active in our \
                directory, check that the directory is the current one and that its link_keys \
                list this key";
    assert_eq!(explain(&error).unwrap(), want);
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_said_to_be_wrong() {
    let nation = Nation::new();
    let connector = nation.dialler("hub.health", "hub.centre");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = async {
        let mut socket = listener.accept().await.unwrap().0;
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await;
    };
    let connect = async { connector.connect(TcpStream::connect(addr).await.unwrap()).await };
    let ((), outcome) = tokio::join!(serve, connect);
    let error = outcome.unwrap_err();
    assert!(explain(&error).unwrap().contains("does not speak TLS"), "{error:?}");
}
