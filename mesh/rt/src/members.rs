//! Who signed an agreement: officers' certificates and signatures, judged at the time of signing.

use std::path::Path;

use mesh_core::agreement::step::{self, Refused};
use mesh_core::agreement::{Act, Agreement, Officer, Party};
use mesh_core::directory::Directory;
use mesh_core::directory::change::{Change, Key, Object};
use mesh_core::node::{MeshDomain, ParseNodeError, Subtree};
use mesh_core::time::UnixMs;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::aws_lc_rs::{ECDSA_P256_SHA256, ED25519};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;

use crate::tls::rules::{self, Rule};
use crate::tls::{TlsError, Trust};

/// id-kp-documentSigning (RFC 9336), the value of the DER object identifier. No TLS peer takes a
/// certificate of this purpose, and nobody takes one of another for an officer's.
const DOCUMENT_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 36];

/// The members authority that is believed, of one mesh. Its key is on no machine of the mesh.
#[derive(Clone, Debug)]
pub struct Members {
    mesh: MeshDomain,
    trust: Trust,
}

/// Why a signature is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    #[error("the act has no certificate")]
    NoCertificate,
    #[error(
        "the certificate is not one of the members authority for signing, valid at {at}: {why}"
    )]
    Path { at: UnixMs, why: webpki::Error },
    #[error("the certificate breaks a rule: {0}")]
    Rule(#[from] Rule),
    #[error("the certificate is no officer's: {0}")]
    NoOfficer(#[from] ParseNodeError),
    #[error("the certificate is of an officer of {office}, who may not sign for the {party}")]
    Office { office: String, party: Party },
    #[error("the signature is not one of these terms and this act by the key of the certificate")]
    Signature,
}

/// Why the registry does not take what was changed of an agreement.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    #[error("agreement {id}: {why}")]
    Refused { id: String, why: Refused },
    #[error("agreement {id}: the {party} does not {deed} it: {why}")]
    Unproven { id: String, party: &'static str, deed: &'static str, why: Box<Unproven> },
}

impl Members {
    /// Reads the certificate of the members authority, or of the root above it.
    pub fn load(mesh: &MeshDomain, trust_file: &Path) -> Result<Self, TlsError> {
        Ok(Self { mesh: mesh.clone(), trust: Trust::load(trust_file)? })
    }

    /// The officer who did `act` to `agreement`, whose certificate was valid `at`: when it was
    /// signed, for those who look back; now as well, for who is asked to believe it now.
    pub fn check(&self, agreement: &Agreement, act: &Act, at: UnixMs) -> Result<Officer, Unproven> {
        let [leaf, above @ ..] = &act.chain[..] else { return Err(Unproven::NoCertificate) };
        let leaf = CertificateDer::from(&leaf[..]);
        let above: Vec<_> = above.iter().map(|it| CertificateDer::from(&it[..])).collect();
        let officer = self.officer(&leaf, &above, at)?;
        if !officer.office.speaks_for(act.party, agreement.terms()) {
            let office = officer.office.to_string();
            return Err(Unproven::Office { office, party: act.party });
        }
        let text = act.signed_text(agreement.id());
        let key = EndEntityCert::try_from(&leaf).map_err(|why| Unproven::Path { at, why })?;
        key.verify_signature(ED25519, text.as_bytes(), &act.signature)
            .map_err(|_| Unproven::Signature)?;
        Ok(officer)
    }

    /// Checks every act of `agreement`, each at the time of its signing.
    pub fn check_all(&self, agreement: &Agreement) -> Result<(), NotAdmitted> {
        for act in &agreement.acts {
            self.check(agreement, act, UnixMs(act.at_unix_ms))
                .map_err(|why| unproven(agreement, act, why))?;
        }
        Ok(())
    }

    /// Judges what `changes` do to the agreements of `directory` before they are committed: each is
    /// made by steps of its parties, and each step is signed by an officer whose certificate was
    /// valid then and is valid now, so that a lost key cannot sign with an old date.
    pub fn judge(
        &self,
        directory: &Directory,
        changes: &[Change],
        now: UnixMs,
    ) -> Result<(), NotAdmitted> {
        for change in changes {
            match change {
                Change::Put(Object::Agreement(new)) => {
                    let around = directory.around(new, now);
                    let old = around.beside.iter().copied().find(|old| old.id() == new.id());
                    let added = step::follow(old, new, &around).map_err(|why| refused(new, why))?;
                    for act in added {
                        for at in [UnixMs(act.at_unix_ms), now] {
                            self.check(new, act, at).map_err(|why| unproven(new, act, why))?;
                        }
                    }
                }
                Change::Remove(Key::Agreement(id)) => {
                    let Some(old) = directory.agreement(id) else { continue };
                    let around = directory.around(old, now);
                    step::forget(old, &around).map_err(|why| refused(old, why))?;
                }
                Change::Put(_) | Change::Remove(_) => {}
            }
        }
        Ok(())
    }

    fn officer(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        at: UnixMs,
    ) -> Result<Officer, Unproven> {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_millis(at.0));
        let path_error = |why| Unproven::Path { at, why };
        let end_entity = EndEntityCert::try_from(leaf).map_err(path_error)?;
        let usage = KeyUsage::required(DOCUMENT_SIGNING);
        let path = end_entity
            .verify_for_usage(
                &[ECDSA_P256_SHA256],
                &self.trust.anchors,
                above,
                time,
                usage,
                None,
                None,
            )
            .map_err(path_error)?;
        let anchor = self.trust.certificate(path.anchor()).ok_or(Rule::Unreadable)?;
        let anchor = rules::parse(anchor)?;
        rules::check_anchor(&anchor, time)?;
        let sent = above.first().map(rules::parse).transpose()?;
        let issuer = match (path.intermediate_certificates().count(), sent) {
            (0, None) => anchor,
            (1, Some(sent)) => {
                rules::check_anchor_path(&anchor)?;
                sent
            }
            _ => return Err(Rule::StrayIntermediate.into()),
        };
        rules::check_issuer_of(&self.mesh, &Subtree::Members, &issuer)?;
        self.leaf_officer(&rules::parse(leaf)?)
    }

    fn leaf_officer(&self, leaf: &X509Certificate<'_>) -> Result<Officer, Unproven> {
        let name = rules::check_signing_leaf(leaf)?;
        Ok(self.mesh.parse_officer(&name)?)
    }
}

fn refused(agreement: &Agreement, why: Refused) -> NotAdmitted {
    NotAdmitted::Refused { id: agreement.id().to_string(), why }
}

fn unproven(agreement: &Agreement, act: &Act, why: Unproven) -> NotAdmitted {
    let (party, deed) = (act.party.name(), act.deed.name());
    NotAdmitted::Unproven { id: agreement.id().to_string(), party, deed, why: Box::new(why) }
}
