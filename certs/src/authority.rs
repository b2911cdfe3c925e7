//! Root and intermediates: they sign what the profiles say, whatever a request asks for.

use std::fmt;
use std::time::{Duration, SystemTime};

use mesh_core::address::AgencyAddress;
use mesh_core::agreement::Officer;
use mesh_core::exchange::Digest;
use mesh_core::node::{MeshDomain, NodeName, ParseNodeError, Subtree};
use rcgen::{
    Certificate, CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::profile::{self, NameError, SERIAL_BYTES, Serial, Validity};

/// The top of the hierarchy, with its key.
#[derive(Debug)]
pub struct Root(Authority);

/// The authority of one subtree, with its key.
#[derive(Debug)]
pub struct Intermediate {
    subtree: Subtree,
    authority: Authority,
}

/// A certificate that was just issued.
#[derive(Clone)]
pub struct Leaf {
    /// The certificate, then the intermediate that signed it.
    pub chain_pem: String,
    /// The private key, where it was made here: a request keeps its own.
    pub key_pem: Option<String>,
    pub spki_sha256: Digest,
    pub validity: Validity,
}

/// Why an authority cannot be used, or does not sign.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("{what} is no PEM certificate")]
    Certificate { what: &'static str },
    #[error("the certificate is no authority with exactly one permitted DNS subtree")]
    NoSubtree,
    #[error("the subtree of the certificate is not of this mesh")]
    OtherSubtree(#[from] ParseNodeError),
    #[error("the private key is not readable as a PKCS#8 PEM key")]
    Key(#[source] rcgen::Error),
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    #[error("{name} is certified by the authority of {want}, this one is of {found}")]
    OtherAuthority { name: String, want: Subtree, found: Subtree },
    #[error("the authority {authority} is valid from {from} to {to} (seconds since 1970) only")]
    OutOfLife { authority: String, from: u64, to: u64 },
    #[error("the request is no signing request, or its signature does not fit its key")]
    Request(#[source] Option<rcgen::Error>),
    #[error("the key of the request is not {want}")]
    RequestKey { want: &'static str },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the certificate cannot be signed")]
    Sign(#[source] rcgen::Error),
    #[error("the system gives no random bytes")]
    Random,
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo: the key's name in the directory.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Result<Digest, AuthorityError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| AuthorityError::Certificate { what: "the certificate" })?;
    Ok(sha256(parsed.public_key().raw))
}

/// The domain of the mesh whose members the authority in `pem` certifies, such as `mesh.ir`.
pub fn members_domain(pem: &str) -> Result<String, AuthorityError> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| AuthorityError::Certificate { what: "the members authority" })?;
    let subtree = permitted_subtree(&certificate)?;
    let prefix = format!("{}.", Subtree::Members);
    subtree.strip_prefix(&prefix).map(str::to_owned).ok_or(AuthorityError::NoSubtree)
}

impl Root {
    /// A new root with a new key.
    pub fn create(mesh: &MeshDomain, now: SystemTime) -> Result<Self, AuthorityError> {
        let validity = Validity::from(now, profile::ROOT_LIFE);
        let params = profile::root(mesh, validity, serial()?);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Sign)?;
        let certificate = params.self_signed(&key).map_err(AuthorityError::Sign)?;
        Authority::new(mesh, certificate.pem(), key).map(Self)
    }

    /// A root that was created before.
    pub fn open(mesh: &MeshDomain, pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        Authority::open(mesh, pem, key_pem).map(Self)
    }

    /// A new intermediate for `subtree`, with a new key.
    pub fn certify(
        &self,
        subtree: &Subtree,
        now: SystemTime,
    ) -> Result<Intermediate, AuthorityError> {
        let Self(root) = self;
        let validity = root.life(now, profile::INTERMEDIATE_LIFE)?;
        let params = profile::intermediate(&root.mesh, subtree, validity, serial()?);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Sign)?;
        let certificate = root.sign(&params, &key)?;
        let authority = Authority::new(&root.mesh, certificate.pem(), key)?;
        Ok(Intermediate { subtree: subtree.clone(), authority })
    }

    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// The private key. Whoever has it is the mesh.
    pub fn key_pem(&self) -> String {
        self.0.issuer.key().serialize_pem()
    }
}

impl Intermediate {
    /// An intermediate that was certified before. Its subtree is read from the certificate.
    pub fn open(mesh: &MeshDomain, pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let authority = Authority::open(mesh, pem, key_pem)?;
        let subtree = mesh.parse_subtree(&permitted_subtree(&authority.certificate)?)?;
        Ok(Self { subtree, authority })
    }

    pub fn subtree(&self) -> &Subtree {
        &self.subtree
    }

    /// A link certificate for the key that signed `csr_pem`.
    ///
    /// Nothing but the key is taken from the request: names, usages, life and serial number are
    /// those of the profile, whatever it asks for.
    pub fn issue_from_csr(
        &self,
        csr_pem: &str,
        node: &NodeName,
        now: SystemTime,
    ) -> Result<Leaf, AuthorityError> {
        let request = CertificateSigningRequestDer::from_pem_slice(csr_pem.as_bytes())
            .map_err(|_| AuthorityError::Request(None))?;
        check_key(&request, is_p256, "an ECDSA key on P-256")?;
        let request = CertificateSigningRequestParams::from_der(&request)
            .map_err(|error| AuthorityError::Request(Some(error)))?;
        let (params, validity) = self.link_params(node, now)?;
        self.leaf(&params, validity, &request.public_key)
    }

    /// An officer's certificate for the key that signed `csr_pem`, of which, as for nodes, nothing
    /// but the key is taken.
    pub fn issue_officer_from_csr(
        &self,
        csr_pem: &str,
        officer: &Officer,
        now: SystemTime,
    ) -> Result<Leaf, AuthorityError> {
        let request = CertificateSigningRequestDer::from_pem_slice(csr_pem.as_bytes())
            .map_err(|_| AuthorityError::Request(None))?;
        check_key(&request, is_ed25519, "an Ed25519 key")?;
        let request = CertificateSigningRequestParams::from_der(&request)
            .map_err(|error| AuthorityError::Request(Some(error)))?;
        let (params, validity) = self.officer_params(officer, now)?;
        self.leaf(&params, validity, &request.public_key)
    }

    /// An officer's certificate with a new Ed25519 key.
    pub fn issue_officer(
        &self,
        officer: &Officer,
        now: SystemTime,
    ) -> Result<Leaf, AuthorityError> {
        let (params, validity) = self.officer_params(officer, now)?;
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(AuthorityError::Sign)?;
        let leaf = self.leaf(&params, validity, &key)?;
        Ok(Leaf { key_pem: Some(key.serialize_pem()), ..leaf })
    }

    /// A link certificate with a new key, for nodes whose directory is on this machine.
    pub fn issue(&self, node: &NodeName, now: SystemTime) -> Result<Leaf, AuthorityError> {
        let (params, validity) = self.link_params(node, now)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Sign)?;
        let leaf = self.leaf(&params, validity, &key)?;
        Ok(Leaf { key_pem: Some(key.serialize_pem()), ..leaf })
    }

    /// A member certificate with a new Ed25519 key, with which an agency signs.
    pub fn issue_member(
        &self,
        agency: &AgencyAddress,
        now: SystemTime,
    ) -> Result<Leaf, AuthorityError> {
        self.owns(&Subtree::Members, &agency)?;
        let validity = self.authority.life(now, profile::MEMBER_LIFE)?;
        let params = profile::member(&self.authority.mesh, agency, validity, serial()?)?;
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(AuthorityError::Sign)?;
        let leaf = self.leaf(&params, validity, &key)?;
        Ok(Leaf { key_pem: Some(key.serialize_pem()), ..leaf })
    }

    pub fn pem(&self) -> &str {
        &self.authority.pem
    }

    /// The private key. Whoever has it opens links as any node of the subtree.
    pub fn key_pem(&self) -> String {
        self.authority.issuer.key().serialize_pem()
    }

    fn link_params(
        &self,
        node: &NodeName,
        now: SystemTime,
    ) -> Result<(CertificateParams, Validity), AuthorityError> {
        self.owns(&node.subtree(), node)?;
        let validity = self.authority.life(now, profile::LEAF_LIFE)?;
        Ok((profile::link(&self.authority.mesh, node, validity, serial()?)?, validity))
    }

    fn officer_params(
        &self,
        officer: &Officer,
        now: SystemTime,
    ) -> Result<(CertificateParams, Validity), AuthorityError> {
        self.owns(&Subtree::Members, &officer.office)?;
        let validity = self.authority.life(now, profile::OFFICER_LIFE)?;
        Ok((profile::officer(&self.authority.mesh, officer, validity, serial()?)?, validity))
    }

    fn owns(&self, want: &Subtree, name: &dyn fmt::Display) -> Result<(), AuthorityError> {
        if self.subtree == *want {
            return Ok(());
        }
        Err(AuthorityError::OtherAuthority {
            name: name.to_string(),
            want: want.clone(),
            found: self.subtree.clone(),
        })
    }

    fn leaf(
        &self,
        params: &CertificateParams,
        validity: Validity,
        key: &impl PublicKeyData,
    ) -> Result<Leaf, AuthorityError> {
        let certificate = self.authority.sign(params, key)?;
        Ok(Leaf {
            chain_pem: certificate.pem() + self.pem(),
            key_pem: None,
            spki_sha256: spki_sha256(certificate.der())?,
            validity,
        })
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The private key is left out.
        let Self { spki_sha256, validity, .. } = self;
        f.debug_struct("Leaf")
            .field("spki_sha256", spki_sha256)
            .field("validity", validity)
            .finish_non_exhaustive()
    }
}

// === Authority ===

/// What root and intermediate have in common: a certificate and the key that belongs to it.
struct Authority {
    mesh: MeshDomain,
    pem: String,
    certificate: CertificateDer<'static>,
    validity: Validity,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn open(mesh: &MeshDomain, pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key_pem).map_err(AuthorityError::Key)?;
        Self::new(mesh, pem.into(), key)
    }

    fn new(mesh: &MeshDomain, pem: String, key: KeyPair) -> Result<Self, AuthorityError> {
        let unreadable = || AuthorityError::Certificate { what: "the authority" };
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| unreadable())?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(AuthorityError::KeyMismatch);
        }
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp());
        let (Ok(not_before_unix), Ok(not_after_unix)) =
            (seconds(parsed.validity().not_before), seconds(parsed.validity().not_after))
        else {
            return Err(unreadable());
        };
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(AuthorityError::Sign)?;
        let validity = Validity { not_before_unix, not_after_unix };
        Ok(Self { mesh: mesh.clone(), pem, certificate, validity, issuer })
    }

    /// The life of what is signed at `now`; an authority that is not valid itself signs nothing.
    fn life(&self, now: SystemTime, life: Duration) -> Result<Validity, AuthorityError> {
        let now_unix =
            now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let Validity { not_before_unix: from, not_after_unix: to } = self.validity;
        if !(from..to).contains(&now_unix) {
            let authority = self.mesh.domain().into();
            return Err(AuthorityError::OutOfLife { authority, from, to });
        }
        Ok(Validity::from(now, life).within(self.validity))
    }

    fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Certificate, AuthorityError> {
        params.signed_by(key, &self.issuer).map_err(AuthorityError::Sign)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The private key is left out.
        f.debug_struct("Authority")
            .field("mesh", &self.mesh)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

// === parts ===

/// Reads the kind from the key itself. rcgen infers it from the algorithm of the signature, so that
/// a key on another curve would be certified under a wrong name.
fn check_key(
    request: &CertificateSigningRequestDer<'_>,
    fits: fn(&SubjectPublicKeyInfo<'_>) -> bool,
    want: &'static str,
) -> Result<(), AuthorityError> {
    let (rest, request) =
        X509CertificationRequest::from_der(request).map_err(|_| AuthorityError::Request(None))?;
    if !rest.is_empty() {
        return Err(AuthorityError::Request(None));
    }
    let key: &SubjectPublicKeyInfo<'_> = &request.certification_request_info.subject_pki;
    if fits(key) { Ok(()) } else { Err(AuthorityError::RequestKey { want }) }
}

fn is_ed25519(key: &SubjectPublicKeyInfo<'_>) -> bool {
    key.algorithm.algorithm == OID_SIG_ED25519 && key.subject_public_key.data.len() == 32
}

fn is_p256(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    let point = &key.subject_public_key.data;
    key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
        && curve == Some(OID_EC_P256)
        && point.len() == 65
        && point[0] == 4
}

/// The one permitted DNS subtree of an intermediate.
fn permitted_subtree(certificate: &CertificateDer<'_>) -> Result<String, AuthorityError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| AuthorityError::Certificate { what: "the authority" })?;
    let constraints = parsed.name_constraints().ok().flatten().ok_or(AuthorityError::NoSubtree)?;
    let permitted = constraints.value.permitted_subtrees.as_deref();
    let Some([only]) = permitted else { return Err(AuthorityError::NoSubtree) };
    match (&only.base, parsed.is_ca()) {
        (GeneralName::DNSName(name), true) => Ok((*name).into()),
        _ => Err(AuthorityError::NoSubtree),
    }
}

fn serial() -> Result<Serial, AuthorityError> {
    let mut bytes = [0; SERIAL_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AuthorityError::Random)?;
    Ok(Serial(bytes))
}

fn sha256(bytes: &[u8]) -> Digest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    Digest(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
}
