//! Every client that a listener must refuse, by an attacker's client that believes any server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use mesh_core::node::Subtree;
use mesh_rt::tls::{Acceptor, Admit, AdmitKey, HandshakeError, Identity, Rule, explain};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SanType,
};
use rustls::AlertDescription::{
    self, CertificateExpired, CertificateRequired, CertificateRevoked, CertificateUnknown,
    DecryptError, UnknownCA, UnsupportedCertificate,
};
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::nation::{Nation, Signed, cluster, reckless, set_days};

/// Dials `acceptor` and sends at once; gives the server's error and the client's first alert.
async fn refusal(acceptor: &Acceptor, client: ClientConfig) -> (HandshakeError, AlertDescription) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let failed = acceptor.handshakes_failed();
    let accept = async {
        let outcome = acceptor.accept(listener.accept().await.unwrap().0).await;
        outcome.expect_err("the listener let the client in")
    };
    let dial = async {
        let name = "hub.health.mesh.ir".try_into().unwrap();
        let socket = TcpStream::connect(addr).await.unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let mut stream = connector.connect(name, socket).await.expect("the client's own end");
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let error = stream.read(&mut [0; 16]).await.expect_err("the server sent an answer");
        assert!(explain(&error).unwrap().starts_with("the peer"), "{error}");
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::AlertReceived(alert)) => alert,
            other => panic!("the client read {other:?} instead of an alert"),
        }
    };
    let refusal = tokio::join!(accept, dial);
    assert_eq!(acceptor.handshakes_failed(), failed + 1);
    assert_eq!(acceptor.handshakes_ok(), 0);
    refusal
}

async fn assert_refused(
    acceptor: &Acceptor,
    client: &Identity,
    why: &str,
    want: AlertDescription,
    what: &str,
) {
    let (error, alert) = refusal(acceptor, reckless(Some(client))).await;
    let reason = explain(&error).unwrap();
    assert!(reason.contains(why), "{what}: {reason:?} says {why:?}");
    assert_eq!(alert, want, "{what}");
}

#[tokio::test]
async fn a_node_reaches_no_listener_but_the_one_above_it() {
    let nation = Nation::new();
    let health = nation.listener("hub.health");
    let economy = nation.listener("hub.economy");
    let centre = nation.listener("hub.centre");
    let admin = nation.admin_port();
    let stranger = ("not in our trust file", UnknownCA);
    let excluded = ("may not dial this listener", CertificateUnknown);
    // Its certificate serves and does not dial.
    let server = ("extended key usage is not for this", UnsupportedCertificate);
    let cases = [
        ("hub.health", &economy, stranger),
        ("hub.economy", &health, stranger),
        ("hub.health", &health, excluded),
        ("desk.licensing.gov.health", &economy, stranger),
        ("persons.registry.gov.edge", &health, stranger),
        ("sara.operators", &health, stranger),
        ("desk.licensing.gov.health", &centre, excluded),
        ("sara.operators", &centre, excluded),
        ("hub.centre", &centre, server),
        ("hub.centre", &health, server),
        ("hub.health", &admin, stranger),
        ("hub.centre", &admin, server),
        ("desk.licensing.gov.health", &admin, stranger),
    ];
    for (name, acceptor, (why, alert)) in cases {
        assert_refused(acceptor, &nation.identity(name), why, alert, name).await;
    }
}

#[tokio::test]
async fn a_cluster_authority_speaks_for_its_cluster_alone() {
    let nation = Nation::new();
    let centre = nation.listener("hub.centre");
    let health = nation.ca(&cluster("health"));
    for name in ["hub.centre", "hub.economy", "persons.registry.gov.edge", "sara.operators"] {
        let mut params = nation.leaf_params(name);
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ClientAuth);
        let leaf = Signed::by(&health, &params);
        let forged = nation.show(&leaf, &[&health]);
        assert_refused(&centre, &forged, "NameConstraint", CertificateUnknown, name).await;
        // Neither does it help to send the chain of the one whose name it is.
        let economy = nation.ca(&cluster("economy"));
        let forged = nation.show(&leaf, &[&economy]);
        assert_refused(&centre, &forged, "trust file", UnknownCA, name).await;
    }
}

type Forgery = (&'static str, fn(&mut CertificateParams), &'static str, AlertDescription);

#[tokio::test]
async fn a_leaf_keeps_every_rule() {
    let forgeries: [Forgery; 19] = [
        ("two names", |p| p.subject_alt_names.push(p.subject_alt_names[0].clone()), NAMES, UNKNOWN),
        ("IP too", |p| p.subject_alt_names.push(ip()), NAMES, UNKNOWN),
        ("IP only", |p| p.subject_alt_names = vec![ip()], NAMES, UNKNOWN),
        ("URI too", |p| p.subject_alt_names.push(uri()), NAMES, UNKNOWN),
        ("URI only", |p| p.subject_alt_names = vec![uri()], NAMES, UNKNOWN),
        ("no name", |p| p.subject_alt_names.clear(), NAMES, UNKNOWN),
        ("wildcard", |p| p.subject_alt_names = vec![dns("*.health.mesh.ir")], NODE, UNKNOWN),
        ("upper case", |p| p.subject_alt_names = vec![dns("HUB.health.mesh.ir")], NODE, UNKNOWN),
        ("no node", |p| p.subject_alt_names = vec![dns("health.mesh.ir")], NODE, UNKNOWN),
        ("CN", |p| p.distinguished_name.push(DnType::CommonName, "hub"), "subject", UNKNOWN),
        ("server only", |p| p.extended_key_usages.clear_push(SERVER), "", UnsupportedCertificate),
        ("client only", |p| p.extended_key_usages.clear_push(CLIENT), USAGE, UNKNOWN),
        ("any too", |p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::Any), USAGE, UNKNOWN),
        ("no usage", |p| p.extended_key_usages.clear(), USAGE, UNKNOWN),
        ("signs", |p| p.key_usages.push(KeyUsagePurpose::KeyCertSign), "key usage", UNKNOWN),
        ("is a CA", |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "", UNKNOWN),
        ("expired", |p| set_days(p, -10, -1), "not valid at this time", CertificateExpired),
        ("not yet valid", |p| set_days(p, 1, 10), "not valid at this time", CertificateExpired),
        ("30 days", |p| set_days(p, -1, 29), "life of the leaf is 2592000 s", UNKNOWN),
    ];
    let nation = Nation::new();
    let centre = nation.listener("hub.centre");
    let health = nation.ca(&cluster("health"));
    for (what, forge, why, alert) in forgeries {
        let mut params = nation.leaf_params("hub.health");
        forge(&mut params);
        let forged = nation.show(&Signed::by(&health, &params), &[&health]);
        assert_refused(&centre, &forged, why, alert, what).await;
    }
}

const UNKNOWN: AlertDescription = CertificateUnknown;
const NAMES: &str = "exactly one name";
const NODE: &str = "no node of this mesh";
const USAGE: &str = "extended key usage of the leaf is not that of hub.health";
const CLIENT: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ClientAuth;
const SERVER: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ServerAuth;

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri() -> SanType {
    SanType::URI("spiffe://mesh.ir/hub/health".try_into().unwrap())
}

fn ip() -> SanType {
    SanType::IpAddress([127, 0, 0, 1].into())
}

trait ClearPush<T> {
    fn clear_push(&mut self, only: T);
}

impl<T> ClearPush<T> for Vec<T> {
    fn clear_push(&mut self, only: T) {
        self.clear();
        self.push(only);
    }
}

#[tokio::test]
async fn an_intermediate_keeps_every_rule() {
    let forgeries: [Forgery; 8] = [
        ("path length 1", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)), PATH, UNKNOWN),
        ("no path length", |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), PATH, UNKNOWN),
        ("no constraint", |p| p.name_constraints = None, SUBTREE, UNKNOWN),
        ("two subtrees", |p| p.permitted().push(below("economy.mesh.ir")), SUBTREE, UNKNOWN),
        ("the whole mesh", |p| *p.permitted() = vec![below("mesh.ir")], SUBTREE, UNKNOWN),
        ("an excluded subtree", |p| p.excluded().push(below("x.mesh.ir")), SUBTREE, UNKNOWN),
        ("signs nothing", |p| p.key_usages = vec![KeyUsagePurpose::CrlSign], "may sign", UNKNOWN),
        ("expired", |p| set_days(p, -9, -1), "not valid at this time", CertificateExpired),
    ];
    let nation = Nation::new();
    let centre = nation.listener("hub.centre");
    for (what, forge, why, alert) in forgeries {
        let mut params = nation.ca_params(&cluster("health"));
        forge(&mut params);
        let authority = Signed::by(&nation.root(), &params);
        let leaf = Signed::by(&authority, &nation.leaf_params("hub.health"));
        let forged = nation.show(&leaf, &[&authority]);
        assert_refused(&centre, &forged, why, alert, what).await;
    }
}

const PATH: &str = "does not have path length 0";
const SUBTREE: &str = "not constrained to the DNS names below health.mesh.ir alone";

fn below(name: &str) -> GeneralSubtree {
    GeneralSubtree::DnsName(name.into())
}

trait Constraints {
    fn permitted(&mut self) -> &mut Vec<GeneralSubtree>;
    fn excluded(&mut self) -> &mut Vec<GeneralSubtree>;
}

impl Constraints for CertificateParams {
    fn permitted(&mut self) -> &mut Vec<GeneralSubtree> {
        &mut self.name_constraints.as_mut().unwrap().permitted_subtrees
    }

    fn excluded(&mut self) -> &mut Vec<GeneralSubtree> {
        &mut self.name_constraints.as_mut().unwrap().excluded_subtrees
    }
}

#[tokio::test]
async fn a_chain_is_a_leaf_and_its_intermediate() {
    let nation = Nation::new();
    let centre = nation.listener("hub.centre");
    let root = nation.root();
    let health = nation.ca(&cluster("health"));
    let economy = nation.ca(&cluster("economy"));
    let params = nation.leaf_params("hub.health");
    let leaf = Signed::by(&health, &params);
    let alone = nation.show(&leaf, &[]);
    assert_refused(&centre, &alone, "trust file", UnknownCA, "no intermediate").await;
    let long = nation.show(&leaf, &[&health, &root]);
    assert_refused(&centre, &long, "has 3 certificates", UNKNOWN, "root sent too").await;
    let direct = nation.show(&Signed::by(&root, &params), &[]);
    assert_refused(&centre, &direct, PATH, UNKNOWN, "directly below the root").await;
    let itself = nation.show(&Signed::by_itself(&params), &[]);
    assert_refused(&centre, &itself, "trust file", UnknownCA, "self-signed").await;
    let impostor = Signed::by_itself(&nation.ca_params(&cluster("health")));
    let forged = nation.show(&Signed::by(&impostor, &params), &[&impostor]);
    assert_refused(&centre, &forged, "trust file", UnknownCA, "own authority").await;
    // Signed by a key that is not the one of the intermediate it shows.
    let forged = nation.show(&Signed::by(&impostor, &params), &[&health]);
    assert_refused(&centre, &forged, "", DecryptError, "foreign signature").await;

    // At the hub, where the intermediate is the anchor, another one beside it is stray.
    let hub = nation.listener("hub.health");
    let agent = Signed::by(&health, &nation.leaf_params("desk.licensing.gov.health"));
    let stray = nation.show(&agent, &[&economy]);
    assert_refused(&hub, &stray, "did not sign the first", UNKNOWN, "stray").await;

    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let other_key = nation.show(&Signed::by_for(&health, &params, p384), &[&health]);
    let (error, alert) = refusal(&centre, reckless(Some(&other_key))).await;
    // The listener takes signatures on P-256 alone, so the client has none to show.
    assert!(explain(&error).unwrap().contains("no certificate"), "{error:?}");
    assert_eq!(alert, CertificateRequired);
}

#[tokio::test]
async fn an_anchor_is_judged_too() {
    let years = Duration::from_secs(2 * 365 * 24 * 3600);
    let nation = Nation::founded(SystemTime::now() - years);
    let health = nation.ca(&cluster("health"));
    let agent = Signed::by(&health, &nation.leaf_params("desk.licensing.gov.health"));
    let fresh = Nation::new();
    let own = fresh.identity("hub.health");
    let mesh = nation.mesh.clone();
    let admit = Admit::HubListener("health".parse().unwrap());
    let hub = Acceptor::new(&own, nation.trust(&health), admit, mesh.clone());
    let identity = nation.show(&agent, &[]);
    assert_refused(&hub, &identity, "authority itself is not valid", UNKNOWN, "expired").await;

    // An intermediate as the anchor of a listener: no other may stand between it and a leaf.
    let health = fresh.ca(&cluster("health"));
    let below = Signed::by(&health, &fresh.ca_params(&cluster("health")));
    let leaf = Signed::by(&below, &fresh.leaf_params("hub.health"));
    let centre = Acceptor::new(&own, fresh.trust(&health), Admit::CentreListener, mesh);
    let identity = fresh.show(&leaf, &[&below]);
    assert_refused(&centre, &identity, "may not have an intermediate", UNKNOWN, "path").await;
}

#[tokio::test]
async fn without_a_usable_certificate_nobody_comes_in() {
    let nation = Nation::new();
    let centre = nation.listener("hub.centre");
    let (error, alert) = refusal(&centre, reckless(None)).await;
    assert!(explain(&error).unwrap().contains("showed no certificate"), "{error:?}");
    assert_eq!(alert, CertificateRequired);

    // A member key signs documents; TLS takes no Ed25519 here.
    let agency = "ir/gov/licensing".parse().unwrap();
    let member = nation.pki.issue_member(&agency, &nation.fresh_dir(), SystemTime::now()).unwrap();
    let member = Identity::load(&member.chain_file, &member.key_file).unwrap();
    let (_, alert) = refusal(&centre, reckless(Some(&member))).await;
    assert_eq!(alert, CertificateRequired);

    let operators = nation.ca(&Subtree::Operators);
    let mut params = nation.leaf_params("sara.operators");
    set_days(&mut params, -20, -6);
    let expired = nation.show(&Signed::by(&operators, &params), &[&operators]);
    let admin = nation.admin_port();
    assert_refused(&admin, &expired, "not valid", CertificateExpired, "expired operator").await;
}

#[tokio::test]
async fn nothing_is_resumed_so_that_a_revoked_key_stays_out() {
    let nation = Nation::new();
    let active = Arc::new(AtomicBool::new(true));
    let asked = Arc::new(AtomicU32::new(0));
    let admit_key = {
        let (active, asked) = (Arc::clone(&active), Arc::clone(&asked));
        AdmitKey(Arc::new(move |_peer| {
            asked.fetch_add(1, Ordering::Relaxed);
            active.load(Ordering::Relaxed)
        }))
    };
    let acceptor = nation.listener("hub.centre").with_admit_key(admit_key);
    let client = reckless(Some(&nation.identity("hub.health")));
    let connector = TlsConnector::from(Arc::new(client.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    for round in 1..=3 {
        let accept = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
        let dial = async {
            let name = "hub.centre.mesh.ir".try_into().unwrap();
            let socket = TcpStream::connect(addr).await.unwrap();
            connector.connect(name, socket).await.unwrap()
        };
        let (mut accepted, mut dialled) = tokio::join!(accept, dial);
        // A ticket would come with the first bytes of the server.
        accepted.write_all(b"x").await.unwrap();
        accepted.flush().await.unwrap();
        dialled.read_exact(&mut [0]).await.unwrap();
        let (_, connection) = accepted.tls().get_ref();
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(asked.load(Ordering::Relaxed), round);
    }

    active.store(false, Ordering::Relaxed);
    let acceptor = {
        let active = Arc::clone(&active);
        let admit_key = AdmitKey(Arc::new(move |_peer| active.load(Ordering::Relaxed)));
        nation.listener("hub.centre").with_admit_key(admit_key)
    };
    let (error, alert) = refusal(&acceptor, client).await;
    assert!(explain(&error).unwrap().contains("not active in the directory"), "{error:?}");
    assert_eq!(alert, CertificateRevoked);
}

#[tokio::test]
async fn what_does_not_speak_tls_is_cut() {
    let nation = Nation::new();
    let acceptor = nation.listener("hub.centre").with_handshake_max(Duration::from_millis(100));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();

    let mut http = TcpStream::connect(addr).await.unwrap();
    http.write_all(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n").await.unwrap();
    http.shutdown().await.unwrap();
    let error = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap_err();
    assert!(explain(&error).unwrap().contains("does not speak TLS"), "{error:?}");

    let _silent = TcpStream::connect(addr).await.unwrap();
    let error = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Timeout { .. }), "{error:?}");
    assert_eq!((acceptor.handshakes_ok(), acceptor.handshakes_failed()), (0, 2));
}

#[tokio::test]
async fn a_client_of_another_protocol_gets_no_link() {
    let nation = Nation::new();
    let acceptor = nation.listener("hub.centre");
    let identity = nation.identity("hub.health");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let cases = [(vec![], "no ALPN"), (vec![b"http/1.1".to_vec()], "HTTP/1.1")];
    for (protocols, what) in cases {
        let mut client = reckless(Some(&identity));
        client.alpn_protocols = protocols;
        let accept = async { acceptor.accept(listener.accept().await.unwrap().0).await };
        let dial = async {
            let name = "hub.centre.mesh.ir".try_into().unwrap();
            let socket = TcpStream::connect(addr).await.unwrap();
            TlsConnector::from(Arc::new(client)).connect(name, socket).await
        };
        let (accepted, _) = tokio::join!(accept, dial);
        assert!(accepted.is_err(), "{what}");
    }
    let rule = Rule::NotAdmitted { node: nation.node("hub.health") };
    assert_eq!(rule.to_string(), "hub.health may not dial this listener");
}
