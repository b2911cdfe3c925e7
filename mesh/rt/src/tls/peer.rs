//! Who is at the other end of a connection, read once from the certificates it showed.

use mesh_core::exchange::Digest;
use mesh_core::node::{MeshDomain, NodeName};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use super::identity::Trust;
use super::rules::{self, Rule};

/// A peer whose certificate was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerIdentity {
    pub node: NodeName,
    /// SHA-256 of the SubjectPublicKeyInfo: the key's name in the directory.
    pub spki: Digest,
    /// When the first certificate of the chain ends. The link must not outlive it.
    pub not_after_unix: u64,
}

impl PeerIdentity {
    /// Reads a chain, leaf first. This does not verify it: the handshake has.
    pub fn from_chain(mesh: &MeshDomain, chain: &[CertificateDer<'_>]) -> Result<Self, Rule> {
        let parsed = chain.iter().map(rules::parse).collect::<Result<Vec<_>, _>>()?;
        let [leaf, ..] = &parsed[..] else { return Err(Rule::ChainLength { found: 0 }) };
        Ok(Self {
            node: rules::leaf_node(mesh, leaf)?,
            spki: sha256(leaf.public_key().raw),
            not_after_unix: parsed.iter().map(ends_at).min().unwrap_or(0),
        })
    }

    /// The same, ending no later than the trusted authority above the chain.
    pub(super) fn below(mut self, trust: &Trust, chain: &[CertificateDer<'_>]) -> Self {
        let Some(Ok(top)) = chain.last().map(rules::parse) else { return self };
        let leaf_issuer = chain.first().map(rules::parse);
        let above = trust.certificates.iter().filter_map(|anchor| {
            let anchor = rules::parse(anchor).ok()?;
            let name = anchor.subject().as_raw();
            let direct = matches!(&leaf_issuer, Some(Ok(leaf)) if leaf.issuer().as_raw() == name);
            (direct || top.issuer().as_raw() == name).then(|| ends_at(&anchor))
        });
        // While an authority is being replaced, two anchors have one name. The later end counts, or
        // the old one would cut every link of the new one too.
        self.not_after_unix = self.not_after_unix.min(above.max().unwrap_or(u64::MAX));
        self
    }
}

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    Digest(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
}

fn ends_at(certificate: &X509Certificate<'_>) -> u64 {
    u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0)
}
