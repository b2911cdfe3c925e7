//! Every profile, read back from the certificate by another library than the one that wrote it.

use std::time::{Duration, SystemTime};

use mesh_certs::profile::{BACKDATE, INTERMEDIATE_LIFE, LEAF_LIFE, MEMBER_LIFE, ROOT_LIFE};
use mesh_certs::{AuthorityError, Intermediate, Leaf, Root, spki_sha256};
use mesh_core::node::{MeshDomain, NodeName, Subtree};
use rcgen::{CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_EC_P256, OID_SIG_ED25519, OID_X509_EXT_SUBJECT_ALT_NAME};

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

/// 2026-01-01T00:00:00Z.
const NOW_UNIX: u64 = 1_767_225_600;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_UNIX)
}

fn node(name: &str) -> NodeName {
    mesh().parse_node(name).unwrap()
}

fn authority(subtree: &Subtree) -> Intermediate {
    Root::create(&mesh(), now()).unwrap().certify(subtree, now()).unwrap()
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn parse<'c>(der: &'c CertificateDer<'_>) -> X509Certificate<'c> {
    x509_parser::parse_x509_certificate(der).unwrap().1
}

/// Seconds before and after [`NOW_UNIX`] that the certificate is valid.
fn life(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let now = NOW_UNIX.cast_signed();
    let validity = certificate.validity();
    (now - validity.not_before.timestamp(), validity.not_after.timestamp() - now)
}

fn seconds(life: Duration) -> i64 {
    life.as_secs().cast_signed()
}

#[test]
fn a_link_leaf_has_one_name_and_the_usages_of_its_kind() {
    #[rustfmt::skip]
    let cases = [
        // Name                                         Client Server
        ("hub.centre.mesh.ir",                          false, true),
        ("hub.health.mesh.ir",                          true,  true),
        ("desk.licensing.gov.economy.mesh.ir",          true,  false),
        ("persons.civil-registration.gov.edge.mesh.ir", true,  false),
        ("sara.operators.mesh.ir",                      true,  false),
    ];
    for (name, client, server) in cases {
        let node = node(name);
        let authority = authority(&node.subtree());
        let leaf = authority.issue(&node, now()).expect(name);
        let chain = chain(&leaf.chain_pem);
        assert_eq!(chain.len(), 2, "{name}");
        assert_eq!(chain[1], self::chain(authority.pem())[0], "{name}");
        let parsed = parse(&chain[0]);

        assert!(parsed.subject().iter().next().is_none(), "{name} has a subject");
        let san = parsed.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME).unwrap().unwrap();
        assert!(san.critical, "{name}");
        let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert_eq!(names[..], [GeneralName::DNSName(name)]);
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((usage.client_auth, usage.server_auth), (client, server), "{name}");
        assert!(usage.other.is_empty() && !usage.any, "{name}");
        let usage = parsed.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.flags == 1, "{name}: digitalSignature alone");
        let basic = parsed.basic_constraints().unwrap().unwrap();
        assert!(!basic.value.ca, "{name}");
        assert_eq!(life(&parsed), (seconds(BACKDATE), seconds(LEAF_LIFE)), "{name}");
        assert_eq!(parsed.raw_serial().len(), 20, "{name}");
        let curve = parsed.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
        assert_eq!(curve, OID_EC_P256, "{name}");
        assert_eq!(spki_sha256(&chain[0]).unwrap(), leaf.spki_sha256, "{name}");
        parsed.verify_signature(Some(parse(&chain[1]).public_key())).expect(name);
    }
}

#[test]
fn an_intermediate_has_one_subtree_and_signs_leaves_only() {
    let root = Root::create(&mesh(), now()).unwrap();
    let root_der = chain(root.pem()).remove(0);
    let root_parsed = parse(&root_der);
    let basic = root_parsed.basic_constraints().unwrap().unwrap();
    assert!(basic.critical && basic.value.ca);
    assert_eq!(basic.value.path_len_constraint, Some(1));
    assert_eq!(life(&root_parsed), (seconds(BACKDATE), seconds(ROOT_LIFE)));
    root_parsed.verify_signature(None).unwrap();

    let subtrees = [
        (Subtree::Centre, "centre.mesh.ir"),
        (Subtree::Cluster("health".parse().unwrap()), "health.mesh.ir"),
        (Subtree::Edge, "edge.mesh.ir"),
        (Subtree::Operators, "operators.mesh.ir"),
        (Subtree::Members, "members.mesh.ir"),
    ];
    for (subtree, below) in subtrees {
        let authority = root.certify(&subtree, now()).unwrap();
        let der = chain(authority.pem()).remove(0);
        let parsed = parse(&der);
        let basic = parsed.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca, "{below}");
        assert_eq!(basic.value.path_len_constraint, Some(0), "{below}");
        let constraints = parsed.name_constraints().unwrap().unwrap();
        assert!(constraints.critical, "{below}");
        assert_eq!(constraints.value.excluded_subtrees, None, "{below}");
        let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
        assert_eq!(permitted.len(), 1, "{below}");
        assert_eq!(permitted[0].base, GeneralName::DNSName(below));
        let usage = parsed.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
        assert_eq!(life(&parsed), (seconds(BACKDATE), seconds(INTERMEDIATE_LIFE)), "{below}");
        parsed.verify_signature(Some(root_parsed.public_key())).expect(below);
    }
}

#[test]
fn a_member_key_cannot_open_links() {
    let agency = "ir/gov/civil-registration".parse().unwrap();
    let leaf = authority(&Subtree::Members).issue_member(&agency, now()).unwrap();
    let chain = chain(&leaf.chain_pem);
    let parsed = parse(&chain[0]);
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names[..], [GeneralName::DNSName("civil-registration.gov.members.mesh.ir")]);
    assert_eq!(parsed.public_key().algorithm.algorithm, OID_SIG_ED25519);
    let usage = parsed.extended_key_usage().unwrap().map(|usage| usage.value);
    assert!(usage.is_none(), "a member certificate is of no use to TLS");
    assert_eq!(life(&parsed), (seconds(BACKDATE), seconds(MEMBER_LIFE)));
    assert!(mesh().parse_node("civil-registration.gov.members.mesh.ir").is_err());

    let other_mesh = "om/gov/civil-registration".parse().unwrap();
    let refused = authority(&Subtree::Members).issue_member(&other_mesh, now());
    assert!(matches!(refused, Err(AuthorityError::Name(_))), "{refused:?}");
}

#[test]
fn an_authority_certifies_its_own_subtree_while_it_is_valid() {
    let health = authority(&Subtree::Cluster("health".parse().unwrap()));
    for name in ["hub.centre.mesh.ir", "hub.economy.mesh.ir", "sara.operators.mesh.ir"] {
        let refused = health.issue(&node(name), now());
        assert!(matches!(refused, Err(AuthorityError::OtherAuthority { .. })), "{name}");
    }
    let late = now() + INTERMEDIATE_LIFE + Duration::from_secs(1);
    let refused = health.issue(&node("hub.health.mesh.ir"), late);
    assert!(matches!(refused, Err(AuthorityError::OutOfLife { .. })), "{refused:?}");

    // A day before its own end, an authority gives a day.
    let day = Duration::from_secs(24 * 3600);
    let leaf = health.issue(&node("hub.health.mesh.ir"), now() + INTERMEDIATE_LIFE - day).unwrap();
    assert_eq!(leaf.validity.not_after_unix, NOW_UNIX + INTERMEDIATE_LIFE.as_secs());
}

#[test]
fn of_a_request_nothing_but_the_key_is_taken() {
    let health = authority(&Subtree::Cluster("health".parse().unwrap()));
    let key = KeyPair::generate().unwrap();
    // Asks to be an authority named as the centre, for ever.
    let mut params = CertificateParams::new(vec!["hub.centre.mesh.ir".into()]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.insert_extended_key_usage(rcgen::ExtendedKeyUsagePurpose::Any);
    let csr = params.serialize_request(&key).unwrap().pem().unwrap();

    let node = node("desk.licensing.gov.health.mesh.ir");
    let leaf = health.issue_from_csr(&csr, &node, now()).unwrap();
    assert_eq!(leaf.key_pem, None);
    let chain = chain(&leaf.chain_pem);
    let parsed = parse(&chain[0]);
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names[..], [GeneralName::DNSName("desk.licensing.gov.health.mesh.ir")]);
    assert!(!parsed.is_ca() && parsed.subject().iter().next().is_none());
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert_eq!(life(&parsed), (seconds(BACKDATE), seconds(LEAF_LIFE)));
    assert_eq!(parsed.public_key().subject_public_key.data, key_bytes(&key));
}

#[test]
fn refuses_requests_that_are_not_sound() {
    let health = authority(&Subtree::Cluster("health".parse().unwrap()));
    let node = node("hub.health.mesh.ir");
    let request =
        |key: &KeyPair| CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
    let issue = |csr: &str| health.issue_from_csr(csr, &node, now());

    for kind in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let refused = issue(&request(&KeyPair::generate_for(kind).unwrap()));
        assert!(matches!(refused, Err(AuthorityError::RequestKey { .. })), "{refused:?}");
    }

    // Another key in the request than the one that signed it.
    let key = KeyPair::generate().unwrap();
    let other = KeyPair::generate().unwrap();
    let mut der = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    let at = der.windows(65).position(|window| window == key_bytes(&key)).unwrap();
    der[at..at + 65].copy_from_slice(key_bytes(&other));
    let refused = issue(&to_pem(&der));
    assert!(matches!(refused, Err(AuthorityError::Request(Some(_)))), "{refused:?}");

    let mut longer = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    longer.push(0);
    for csr in ["", "-----BEGIN CERTIFICATE REQUEST-----\n", &to_pem(&[0x30, 0]), &to_pem(&longer)]
    {
        let refused = issue(csr);
        assert!(matches!(refused, Err(AuthorityError::Request(_))), "{csr:?}: {refused:?}");
    }
}

#[test]
fn a_key_belongs_to_its_certificate() {
    let root = Root::create(&mesh(), now()).unwrap();
    let health = root.certify(&Subtree::Cluster("health".parse().unwrap()), now()).unwrap();
    let economy = root.certify(&Subtree::Cluster("economy".parse().unwrap()), now()).unwrap();
    let opened = Intermediate::open(&mesh(), health.pem(), &health.key_pem()).unwrap();
    assert_eq!(opened.subtree(), health.subtree());
    let crossed = Intermediate::open(&mesh(), health.pem(), &economy.key_pem());
    assert!(matches!(crossed, Err(AuthorityError::KeyMismatch)), "{crossed:?}");
    let root_as_intermediate = Intermediate::open(&mesh(), root.pem(), &root.key_pem());
    assert!(matches!(root_as_intermediate, Err(AuthorityError::NoSubtree)));
    let debug = format!("{:?}", health.issue(&node("hub.health.mesh.ir"), now()).unwrap());
    assert!(!debug.contains("PRIVATE"), "{debug}");
}

#[test]
fn serial_numbers_differ() {
    let health = authority(&Subtree::Cluster("health".parse().unwrap()));
    let serial = |leaf: &Leaf| parse(&chain(&leaf.chain_pem)[0]).raw_serial().to_vec();
    let one = health.issue(&node("hub.health.mesh.ir"), now()).unwrap();
    let two = health.issue(&node("hub.health.mesh.ir"), now()).unwrap();
    assert_ne!(serial(&one), serial(&two));
}

fn key_bytes(key: &KeyPair) -> &[u8] {
    key.public_key_raw()
}

fn to_pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    for chunk in der.chunks(3) {
        let mut bits = 0;
        for index in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0));
        }
        for index in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text + "\n-----END CERTIFICATE REQUEST-----\n"
}
