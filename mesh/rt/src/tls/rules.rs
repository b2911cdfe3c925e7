//! The rules that a link certificate keeps, beyond what webpki checks of any certificate.
//!
//! webpki enforces DNS constraints on DNS names only, takes any number of names, and ignores key
//! usage, life, and of a trust anchor everything but key and name constraints. All that is here.

use std::time::Duration;

use mesh_core::node::{MeshDomain, NodeName, ParseNodeError, Subtree};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519, OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME,
};

/// Longest life of a link certificate: 14 days, and 5 minutes before it was issued.
pub const LEAF_LIFE_MAX: Duration = Duration::from_secs(14 * 24 * 3600 + 5 * 60);

/// The rule that a peer's certificate breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rule {
    #[error("the chain has {found} certificates, want the leaf and its intermediate")]
    ChainLength { found: usize },
    #[error("a certificate of the chain is not readable")]
    Unreadable,
    #[error("the second certificate of the chain did not sign the first")]
    StrayIntermediate,
    #[error("the leaf has a subject, want none beside its DNS name")]
    Subject,
    #[error("the leaf does not have exactly one name, a DNS name")]
    Names,
    #[error("the name of the leaf is no node of this mesh")]
    Node(#[from] ParseNodeError),
    #[error("the key of the leaf is not an ECDSA key on P-256")]
    Key,
    #[error("the leaf is an authority")]
    LeafIsAuthority,
    #[error("the key usage of the leaf is not digitalSignature alone")]
    KeyUsage,
    #[error("the extended key usage of the leaf is not that of {node}")]
    ExtendedKeyUsage { node: NodeName },
    #[error("the key of the leaf is not an Ed25519 key")]
    SigningKey,
    #[error("the leaf is for other purposes than signing documents")]
    SigningUsage,
    #[error("the life of the leaf is {seconds} s, want at most {}", LEAF_LIFE_MAX.as_secs())]
    Life { seconds: i64 },
    #[error("the issuer of the leaf is no authority that may sign certificates")]
    IssuerUsage,
    #[error("the issuer of the leaf does not have path length 0")]
    IssuerPathLength,
    #[error("the issuer of the leaf is not constrained to the DNS names below {subtree} alone")]
    IssuerConstraint { subtree: String },
    #[error("the trusted authority itself is not valid now, check the trust file and the clock")]
    AnchorLife,
    #[error("the trusted authority may not have an intermediate below it")]
    AnchorPathLength,
    #[error("the peer is {found}, expected {want}")]
    Unexpected { found: Box<NodeName>, want: Box<NodeName> },
    #[error("{node} may not dial this listener")]
    NotAdmitted { node: NodeName },
    #[error(
        "the key of {node} is not active in our directory, check that the directory is the \
         current one and that its link_keys list this key"
    )]
    KeyNotActive { node: NodeName },
}

/// Reads a certificate that is one whole DER value.
pub(crate) fn parse<'c>(der: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, Rule> {
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Rule::Unreadable),
    }
}

/// The node that a leaf names, if the leaf keeps the rules.
pub(super) fn leaf_node(mesh: &MeshDomain, leaf: &X509Certificate<'_>) -> Result<NodeName, Rule> {
    let node = mesh.parse_node(&leaf_name(leaf)?)?;
    let key = &leaf.public_key().algorithm;
    let curve = key.parameters.as_ref().and_then(|any| any.as_oid().ok());
    if key.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) {
        return Err(Rule::Key);
    }
    check_signs_only(leaf)?;
    if !has_usage_of(leaf, &node) {
        return Err(Rule::ExtendedKeyUsage { node });
    }
    let validity = leaf.validity();
    let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
    if !(0..=LEAF_LIFE_MAX.as_secs().cast_signed()).contains(&seconds) {
        return Err(Rule::Life { seconds });
    }
    Ok(node)
}

/// The name of a leaf that signs documents, if it keeps the rules for those.
pub(crate) fn check_signing_leaf(leaf: &X509Certificate<'_>) -> Result<String, Rule> {
    let name = leaf_name(leaf)?;
    if leaf.public_key().algorithm.algorithm != OID_SIG_ED25519 {
        return Err(Rule::SigningKey);
    }
    check_signs_only(leaf)?;
    // webpki has seen that signing documents is among its purposes. There is no other.
    let Ok(Some(usage)) = leaf.extended_key_usage() else { return Err(Rule::SigningUsage) };
    let usage = usage.value;
    let is_of_tls = usage.client_auth || usage.server_auth;
    let is_alone = usage.other.len() == 1 && !is_of_tls && !has_named_purpose(usage);
    if is_alone { Ok(name) } else { Err(Rule::SigningUsage) }
}

fn check_signs_only(leaf: &X509Certificate<'_>) -> Result<(), Rule> {
    if leaf.is_ca() {
        return Err(Rule::LeafIsAuthority);
    }
    match leaf.key_usage() {
        Ok(Some(usage)) if usage.value.flags == DIGITAL_SIGNATURE => Ok(()),
        _ => Err(Rule::KeyUsage),
    }
}

/// Did the right authority sign for `node`: one of path length 0, for its subtree and no other?
pub(super) fn check_issuer(
    mesh: &MeshDomain,
    node: &NodeName,
    issuer: &X509Certificate<'_>,
) -> Result<(), Rule> {
    check_issuer_of(mesh, &node.subtree(), issuer)
}

/// Is `issuer` an authority of path length 0, for this subtree and no other?
pub(crate) fn check_issuer_of(
    mesh: &MeshDomain,
    subtree: &Subtree,
    issuer: &X509Certificate<'_>,
) -> Result<(), Rule> {
    check_signs(issuer)?;
    if path_length(issuer) != Some(0) {
        return Err(Rule::IssuerPathLength);
    }
    // Compared as bytes, so that there is no second subtree, no excluded one and no bounds in them.
    let subtree = mesh.subtree(subtree);
    let base = der(SEQUENCE, &der(DNS_NAME, subtree.as_bytes()));
    let want = der(SEQUENCE, &der(PERMITTED_SUBTREES, &base));
    match issuer.get_extension_unique(&OID_X509_EXT_NAME_CONSTRAINTS) {
        Ok(Some(found)) if found.value == want => Ok(()),
        _ => Err(Rule::IssuerConstraint { subtree }),
    }
}

/// Is the trust anchor valid at `now`? webpki takes any anchor as it is.
pub(crate) fn check_anchor(anchor: &X509Certificate<'_>, now: UnixTime) -> Result<(), Rule> {
    check_signs(anchor)?;
    let validity = anchor.validity();
    let life = validity.not_before.timestamp()..=validity.not_after.timestamp();
    let now = i64::try_from(now.as_secs()).map_err(|_| Rule::AnchorLife)?;
    if life.contains(&now) { Ok(()) } else { Err(Rule::AnchorLife) }
}

/// May an intermediate stand below this anchor?
pub(crate) fn check_anchor_path(anchor: &X509Certificate<'_>) -> Result<(), Rule> {
    match path_length(anchor) {
        Some(0) => Err(Rule::AnchorPathLength),
        _ => Ok(()),
    }
}

fn check_signs(authority: &X509Certificate<'_>) -> Result<(), Rule> {
    let signs = matches!(authority.key_usage(), Ok(Some(usage)) if usage.value.key_cert_sign());
    if authority.is_ca() && signs { Ok(()) } else { Err(Rule::IssuerUsage) }
}

fn path_length(authority: &X509Certificate<'_>) -> Option<u32> {
    authority.basic_constraints().ok().flatten()?.value.path_len_constraint
}

/// The name of a leaf, which has no subject beside it.
fn leaf_name(leaf: &X509Certificate<'_>) -> Result<String, Rule> {
    if leaf.subject().iter().next().is_some() {
        return Err(Rule::Subject);
    }
    only_dns_name(leaf)
}

/// The DNS name of a leaf that has this name and no other of any kind.
fn only_dns_name(leaf: &X509Certificate<'_>) -> Result<String, Rule> {
    let names = leaf.subject_alternative_name().ok().flatten().ok_or(Rule::Names)?;
    let [GeneralName::DNSName(name)] = names.value.general_names[..] else {
        return Err(Rule::Names);
    };
    // A lenient parser may pass over what it does not know, so the bytes have to say the same.
    let raw = leaf.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME).ok().flatten();
    let want = der(SEQUENCE, &der(DNS_NAME, name.as_bytes()));
    if raw.is_some_and(|raw| raw.value == want) { Ok(name.into()) } else { Err(Rule::Names) }
}

fn has_usage_of(leaf: &X509Certificate<'_>, node: &NodeName) -> bool {
    let Ok(Some(usage)) = leaf.extended_key_usage() else { return false };
    let usage = usage.value;
    let others = has_named_purpose(usage) || !usage.other.is_empty();
    usage.client_auth == node.dials() && usage.server_auth == node.listens() && !others
}

/// Has it a purpose with a name of its own that is none of TLS?
fn has_named_purpose(usage: &ExtendedKeyUsage<'_>) -> bool {
    usage.any
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
}

/// The flag as x509-parser keeps it: bit 0 of the extension is bit 0 of the number.
const DIGITAL_SIGNATURE: u16 = 1;

// Tags of RFC 5280 §4.2.1.6 and §4.2.1.10.
const SEQUENCE: u8 = 0x30;
const DNS_NAME: u8 = 0x82;
const PERMITTED_SUBTREES: u8 = 0xa0;

/// One DER value of at most 65,535 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a DNS name is shorter than 64 KiB");
    let [high, low] = length.to_be_bytes();
    let mut value = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    value.extend_from_slice(content);
    value
}
