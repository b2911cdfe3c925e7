//! Links that must come about, and what both ends then know of each other.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mesh_certs::profile::{BACKDATE, LEAF_LIFE};
use mesh_core::node::Subtree;
use mesh_rt::tls::{
    Accepted, Acceptor, Admit, Connector, Dialled, Identity, LEAF_LIFE_MAX, TcpDialer, TlsError,
    Trust, UntilCut,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::nation::{Nation, Signed, cluster, set_days, write_key};

async fn link(
    acceptor: &Acceptor,
    connector: &Connector,
) -> (Accepted<TcpStream>, Dialled<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let accept = async { acceptor.accept(listener.accept().await.unwrap().0).await };
    let dial = async { connector.connect(TcpStream::connect(addr).await.unwrap()).await };
    let (accepted, dialled) = tokio::join!(accept, dial);
    (accepted.unwrap(), dialled.unwrap())
}

#[tokio::test]
async fn every_node_reaches_the_one_above_it() {
    let nation = Nation::new();
    let cases = [
        ("desk.licensing.gov.health", "hub.health", nation.listener("hub.health")),
        ("hub.health", "hub.centre", nation.listener("hub.centre")),
        ("persons.registry.gov.edge", "hub.centre", nation.listener("hub.centre")),
        ("sara.operators", "hub.centre", nation.admin_port()),
    ];
    for (from, to, acceptor) in cases {
        let (mut accepted, mut dialled) = link(&acceptor, &nation.dialler(from, to)).await;
        assert_eq!(accepted.peer().node, nation.node(from));
        assert_eq!(dialled.peer().node, nation.node(to));
        assert_eq!((acceptor.handshakes_ok(), acceptor.handshakes_failed()), (1, 0), "{from}");

        dialled.write_all(b"up").await.unwrap();
        accepted.write_all(b"down").await.unwrap();
        dialled.flush().await.unwrap();
        accepted.flush().await.unwrap();
        let (mut up, mut down) = ([0; 2], [0; 4]);
        accepted.read_exact(&mut up).await.unwrap();
        dialled.read_exact(&mut down).await.unwrap();
        assert_eq!((&up, &down), (b"up", b"down"), "{from}");

        let group = dialled.tls().get_ref().1.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), rustls::NamedGroup::X25519MLKEM768, "{from}");
    }
}

#[tokio::test]
async fn the_peer_is_known_by_key_and_end_of_life() {
    let nation = Nation::new();
    let issued = nation.issue("desk.licensing.gov.health");
    let identity = Identity::load(&issued.chain_file, &issued.key_file).unwrap();
    let trust = Trust::load(&issued.trust_file).unwrap();
    let hub = nation.node("hub.health");
    let connector = Connector::new(&identity, trust, hub, nation.mesh.clone()).unwrap();
    let (accepted, _dialled) = link(&nation.listener("hub.health"), &connector).await;
    assert_eq!(accepted.peer().spki, issued.spki_sha256);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let left = accepted.peer().not_after_unix - now;
    assert!((LEAF_LIFE.as_secs() - 60..=LEAF_LIFE.as_secs()).contains(&left), "{left} s");
    assert_eq!(identity.describe(&nation.mesh).unwrap(), *accepted.peer());
    assert_eq!(LEAF_LIFE_MAX, LEAF_LIFE + BACKDATE);
}

/// The dialling end asks for the key of its peer as long as the connection lives.
#[tokio::test]
async fn a_connection_is_broken_off_when_its_peer_may_no_longer_be_spoken_to() {
    let nation = Nation::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (revoke, revoked) = tokio::sync::watch::channel(false);
    let until_cut = UntilCut(Arc::new(move |peer| {
        assert_eq!(peer.node.to_string(), "hub.centre");
        let mut revoked = revoked.clone();
        Box::pin(async move {
            let _ = revoked.wait_for(|revoked| *revoked).await;
        })
    }));
    let dialler = TcpDialer::new(addr, nation.dialler("hub.health", "hub.centre"));
    let acceptor = nation.listener("hub.centre");
    let accept = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
    let dialler = dialler.with_cut(until_cut);
    let (mut accepted, dialled) = tokio::join!(accept, dialler.dial());
    let mut dialled = dialled.unwrap();
    accepted.write_all(b"down").await.unwrap();
    accepted.flush().await.unwrap();
    let mut down = [0; 4];
    dialled.read_exact(&mut down).await.unwrap();

    let reading = tokio::spawn(async move {
        let first = dialled.read_u8().await.unwrap_err().kind();
        (first, dialled.read_u8().await.unwrap_err().kind())
    });
    revoke.send(true).unwrap();
    let aborted = std::io::ErrorKind::ConnectionAborted;
    assert_eq!(reading.await.unwrap(), (aborted, aborted));
}

#[tokio::test]
async fn a_link_ends_with_the_first_authority_above_it() {
    let nation = Nation::new();
    let health = cluster("health");
    let mut params = nation.ca_params(&health);
    set_days(&mut params, -1, 1);
    let authority = Signed::by(&nation.root(), &params);
    let leaf = Signed::by(&authority, &nation.leaf_params("desk.licensing.gov.health"));
    // The leaf alone: its end and that of the authority, which the peer does not send.
    let identity = nation.show(&leaf, &[]);
    let hub = nation.identity("hub.health");
    let admit = Admit::HubListener("health".parse().unwrap());
    let acceptor = Acceptor::new(&hub, nation.trust(&authority), admit, nation.mesh.clone());
    let trust = nation.trust(&nation.ca(&health));
    let connector =
        Connector::new(&identity, trust, nation.node("hub.health"), nation.mesh.clone()).unwrap();
    let (accepted, _dialled) = link(&acceptor, &connector).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let left = accepted.peer().not_after_unix - now;
    assert!((23 * 3600..=24 * 3600).contains(&left), "{left} s");
}

#[tokio::test]
async fn a_renewed_identity_is_shown_without_a_restart() {
    let nation = Nation::new();
    let issued = nation.issue("hub.health");
    let identity = Identity::load(&issued.chain_file, &issued.key_file).unwrap();
    let trust = Trust::load(&issued.trust_file).unwrap();
    let centre = nation.node("hub.centre");
    let connector = Connector::new(&identity, trust, centre, nation.mesh.clone()).unwrap();
    let acceptor = nation.listener("hub.centre");
    let (accepted, _dialled) = link(&acceptor, &connector).await;
    assert_eq!(accepted.peer().spki, issued.spki_sha256);

    // Files that do not fit together change nothing.
    let renewed = nation.issue("hub.health");
    std::fs::copy(&renewed.chain_file, &issued.chain_file).unwrap();
    let refused = identity.reload();
    assert!(matches!(refused, Err(TlsError::KeyMismatch { .. })), "{refused:?}");
    let (accepted, _dialled) = link(&acceptor, &connector).await;
    assert_eq!(accepted.peer().spki, issued.spki_sha256);

    std::fs::copy(&renewed.key_file, &issued.key_file).unwrap();
    identity.reload().unwrap();
    let (accepted, _dialled) = link(&acceptor, &connector).await;
    assert_eq!(accepted.peer().spki, renewed.spki_sha256);
}

#[test]
fn an_identity_that_cannot_be_used_is_refused_with_its_file() {
    let nation = Nation::new();
    let dir = nation.temp.path();
    let issued = nation.issue("hub.health");
    let other = nation.issue("hub.health");
    let (chain, key) = (&issued.chain_file, &issued.key_file);
    let empty = dir.join("empty.pem");
    write_key(&empty, "nothing\n");
    let broken = dir.join("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nMA\n-----END CERTIFICATE-----\n")
        .unwrap();
    let missing = dir.join("missing.pem");

    let cases = [
        (&missing, key, "missing.pem: cannot be read"),
        (chain, &missing, "missing.pem: cannot be read"),
        (&empty, key, "empty.pem: has no certificate in PEM form"),
        (&broken, key, "broken.pem: certificate 1 is not readable"),
        (chain, &empty, "empty.pem: has no private key in PEM form"),
        (chain, &other.key_file, "is not the private key of the first certificate in"),
    ];
    for (chain, key, want) in cases {
        let error = Identity::load(chain, key).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} says {want:?}");
    }
    let error = Trust::load(chain).expect_err("a leaf is no anchor").to_string();
    assert!(error.contains("certificate 1 is of no authority"), "{error}");
    let error = Trust::load(&empty).expect_err("no certificate").to_string();
    assert!(error.contains("empty.pem: has no certificate"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let nation = Nation::new();
    let issued = nation.issue("hub.health");
    for mode in [0o640, 0o604, 0o660, 0o644] {
        let readable = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&issued.key_file, readable).unwrap();
        let refused = Identity::load(&issued.chain_file, &issued.key_file);
        assert!(matches!(refused, Err(TlsError::KeyReadable { mode: found, .. }) if found == mode));
    }
}

#[test]
fn only_what_listens_can_be_dialled() {
    let nation = Nation::new();
    let identity = nation.identity("hub.health");
    for name in ["desk.licensing.gov.health", "sara.operators"] {
        let trust = nation.trust(&nation.ca(&Subtree::Centre));
        let refused = Connector::new(&identity, trust, nation.node(name), nation.mesh.clone());
        assert!(matches!(refused, Err(TlsError::NoListener { .. })), "{name}");
    }
}
