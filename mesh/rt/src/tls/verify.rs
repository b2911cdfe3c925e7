//! The verifier of both sides: webpki builds the path, our rules judge it.

use std::fmt;

use mesh_core::id::ClusterId;
use mesh_core::node::{Home, MeshDomain, NodeName};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tracing::info;
use webpki::aws_lc_rs::ECDSA_P256_SHA256;
use webpki::{EndEntityCert, KeyUsage};

use super::acceptor::AdmitKey;
use super::explain::from_webpki;
use super::identity::Trust;
use super::peer::PeerIdentity;
use super::rules::{self, Rule};

/// Who may dial a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Admit {
    /// The centre's: hubs of clusters, and agents at the edge. Its trust is the root.
    CentreListener,
    /// A cluster hub's: agents of this cluster; no hub, not even itself. Its trust is the
    /// cluster's intermediate alone.
    HubListener(ClusterId),
    /// An admin port: operators. Its trust is their intermediate alone.
    AdminPort,
}

impl Admit {
    pub fn admits(&self, node: &NodeName) -> bool {
        match (self, node) {
            (Self::CentreListener, NodeName::Hub(_)) => true,
            (Self::CentreListener, NodeName::Agent { home, .. }) => *home == Home::Centre,
            (Self::HubListener(own), NodeName::Agent { home: Home::Cluster(cluster), .. }) => {
                own == cluster
            }
            (Self::AdminPort, NodeName::Operator(_)) => true,
            _ => false,
        }
    }
}

/// Verifies who dials us.
#[derive(Clone)]
pub(super) struct ClientVerifier {
    pub(super) chain: ChainVerifier,
    pub(super) admit: Admit,
    pub(super) admit_key: Option<AdmitKey>,
}

/// Verifies whom we dialled.
#[derive(Clone, Debug)]
pub(super) struct ServerVerifier {
    pub(super) chain: ChainVerifier,
    pub(super) expect: NodeName,
    pub(super) admit_key: Option<AdmitKey>,
}

/// What both sides verify in the same way.
#[derive(Clone, Debug)]
pub(super) struct ChainVerifier {
    pub(super) mesh: MeshDomain,
    pub(super) trust: Trust,
}

impl ChainVerifier {
    /// The node that the chain certifies, for use at `now` in the direction `usage`.
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<NodeName, rustls::Error> {
        // First, since it bounds the work on what a stranger sent.
        if 1 < above.len() {
            return Err(broken(Rule::ChainLength { found: 1 + above.len() }));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(from_webpki)?;
        let anchors = &self.trust.anchors;
        let path = end_entity
            .verify_for_usage(ALGORITHMS.all, anchors, above, now, usage, None, None)
            .map_err(from_webpki)?;

        let anchor = self.trust.certificate(path.anchor()).ok_or(broken(Rule::Unreadable))?;
        let anchor = rules::parse(anchor).map_err(broken)?;
        let leaf = rules::parse(leaf).map_err(broken)?;
        let sent = above.first().map(rules::parse).transpose().map_err(broken)?;
        rules::check_anchor(&anchor, now).map_err(broken)?;
        let node = rules::leaf_node(&self.mesh, &leaf).map_err(broken)?;
        let issuer = match (path.intermediate_certificates().count(), sent) {
            (0, None) => anchor,
            // The anchor is the intermediate itself. That the peer sends it too is in order.
            (0, Some(sent)) if sent.public_key().raw == anchor.public_key().raw => anchor,
            (0, Some(_)) => return Err(broken(Rule::StrayIntermediate)),
            (_, Some(sent)) => {
                rules::check_anchor_path(&anchor).map_err(broken)?;
                sent
            }
            (_, None) => return Err(broken(Rule::StrayIntermediate)),
        };
        rules::check_issuer(&self.mesh, &node, &issuer).map_err(broken)?;
        Ok(node)
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = self.chain.verify(end_entity, intermediates, now, KeyUsage::server_auth())?;
        // The whole name is compared here, hence the one that TLS asked for has no further part.
        if found != self.expect {
            let (found, want) = (Box::new(found), Box::new(self.expect.clone()));
            return Err(broken(Rule::Unexpected { found, want }));
        }
        if let Some(AdmitKey(admit_key)) = &self.admit_key {
            let chain = [end_entity.clone()];
            let peer = PeerIdentity::from_chain(&self.chain.mesh, &chain).map_err(broken)?;
            if !admit_key(&peer) {
                return Err(broken(Rule::KeyNotActive { node: peer.node }));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // A node has one certificate, so a hint cannot help it to choose.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let node = self.chain.verify(end_entity, intermediates, now, KeyUsage::client_auth())?;
        if !self.admit.admits(&node) {
            return Err(broken(Rule::NotAdmitted { node }));
        }
        if let Some(AdmitKey(admit_key)) = &self.admit_key {
            let chain = [end_entity.clone()];
            let peer = PeerIdentity::from_chain(&self.chain.mesh, &chain).map_err(broken)?;
            if !admit_key(&peer) {
                // The alert for it tells the peer the reason; it does not tell our log who it was.
                info!(node = %peer.node, spki = %peer.spki, "key is not active in the directory");
                return Err(CertificateError::Revoked.into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier")
            .field("chain", &self.chain)
            .field("admit", &self.admit)
            .finish_non_exhaustive()
    }
}

/// Every signature of a handshake, in chain and transcript, is ECDSA on P-256.
static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[ECDSA_P256_SHA256],
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, &[ECDSA_P256_SHA256])],
};

fn broken(rule: Rule) -> rustls::Error {
    CertificateError::Other(rustls::OtherError(std::sync::Arc::new(rule))).into()
}

/// Never reached: neither side offers TLS 1.2.
fn no_tls12() -> rustls::Error {
    rustls::Error::General("TLS 1.2 is not spoken here".into())
}
