//! What each kind of certificate says: functions from names and times to rcgen's parameters.

use std::time::{Duration, SystemTime};

use mesh_core::address::AgencyAddress;
use mesh_core::agreement::{Office, Officer};
use mesh_core::node::{DNS_NAME_BYTES_MAX, MeshDomain, NodeName, Subtree};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};

/// Life of a link certificate. It is renewed at half of it.
pub const LEAF_LIFE: Duration = days(14);

/// Life of a member certificate. A signature is judged at the time it was cosigned, not later.
pub const MEMBER_LIFE: Duration = days(180);

/// Life of an officer's certificate.
pub const OFFICER_LIFE: Duration = days(180);

/// id-kp-documentSigning (RFC 9336).
const DOCUMENT_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 36];

/// Life of an intermediate. What it signs ends no later than itself.
pub const INTERMEDIATE_LIFE: Duration = days(365);

/// Life of the root.
pub const ROOT_LIFE: Duration = days(3650);

/// A certificate begins so long before it is issued, for peers whose clocks are behind.
pub const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// Bytes of a serial number: the most that RFC 5280 §4.1.2.2 allows.
pub const SERIAL_BYTES: usize = 20;

/// From when to when a certificate is valid, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    pub not_before_unix: u64,
    pub not_after_unix: u64,
}

/// Random bytes that name one certificate of its issuer.
#[derive(Clone, Copy, Debug)]
pub struct Serial(pub [u8; SERIAL_BYTES]);

/// A name that no certificate of this mesh can carry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    #[error("{name} belongs to the mesh {found}, want {want}")]
    OtherMesh { name: String, found: String, want: String },
    #[error("{name} is longer than the {max} bytes of a DNS name", max = DNS_NAME_BYTES_MAX)]
    Length { name: String },
    #[error("{name} has characters that a DNS name in a certificate cannot have")]
    Characters { name: String },
}

/// The root: it signs intermediates, and they sign no authority further.
pub fn root(mesh: &MeshDomain, validity: Validity, serial: Serial) -> CertificateParams {
    let mut params = authority(&format!("{} root", mesh.domain()), validity, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params
}

/// An intermediate: it signs leaves below one DNS subtree.
///
/// There is no IP constraint: BoringSSL refuses a certificate that has any. The mesh's own verifier
/// refuses a leaf with a name of another kind than DNS, so that none is needed.
pub fn intermediate(
    mesh: &MeshDomain,
    subtree: &Subtree,
    validity: Validity,
    serial: Serial,
) -> CertificateParams {
    let below = mesh.subtree(subtree);
    let mut params = authority(&format!("{below} intermediate"), validity, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(below)],
        excluded_subtrees: Vec::new(),
    });
    params
}

/// A link certificate: it opens links for one node, in the directions which that node has.
pub fn link(
    mesh: &MeshDomain,
    node: &NodeName,
    validity: Validity,
    serial: Serial,
) -> Result<CertificateParams, NameError> {
    if let NodeName::Agent { system, .. } = node {
        same_mesh(mesh, &system.agency)?;
    }
    let mut params = leaf(mesh.dns_name(node), validity, serial)?;
    if node.dials() {
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ClientAuth);
    }
    if node.listens() {
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
    }
    Ok(params)
}

/// A member certificate: it binds a signing key to an agency. Its extended key usage is not one of
/// TLS, so that it can never open a link.
pub fn member(
    mesh: &MeshDomain,
    agency: &AgencyAddress,
    validity: Validity,
    serial: Serial,
) -> Result<CertificateParams, NameError> {
    same_mesh(mesh, agency)?;
    leaf(member_name(mesh, agency), validity, serial)
}

/// An officer's certificate: it binds a signing key to an office, which signs agreements with it
/// and does nothing else.
pub fn officer(
    mesh: &MeshDomain,
    officer: &Officer,
    validity: Validity,
    serial: Serial,
) -> Result<CertificateParams, NameError> {
    if let Office::Agency(agency) = &officer.office {
        same_mesh(mesh, agency)?;
    }
    let mut params = leaf(mesh.officer_dns_name(officer), validity, serial)?;
    params.insert_extended_key_usage(ExtendedKeyUsagePurpose::Other(DOCUMENT_SIGNING.into()));
    Ok(params)
}

/// The DNS name of an agency, such as `civil-registration.gov.members.mesh.ir`.
pub fn member_name(mesh: &MeshDomain, agency: &AgencyAddress) -> String {
    format!("{}.{}.{}", agency.agency, agency.class, mesh.subtree(&Subtree::Members))
}

// === impl Validity ===

impl Validity {
    /// A life that begins [`BACKDATE`] before `now` and lasts `life` after it.
    pub fn from(now: SystemTime, life: Duration) -> Self {
        // A clock before 1970 gives a certificate that is long over, which verifiers refuse.
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            not_before_unix: now.saturating_sub(BACKDATE).as_secs(),
            not_after_unix: now.as_secs() + life.as_secs(),
        }
    }

    /// The same, ending no later than `issuer` does.
    pub fn within(self, issuer: Self) -> Self {
        Self { not_after_unix: self.not_after_unix.min(issuer.not_after_unix), ..self }
    }
}

// === parts ===

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

fn same_mesh(mesh: &MeshDomain, agency: &AgencyAddress) -> Result<(), NameError> {
    // DNS names do not spell the mesh, so two meshes' agencies would look alike.
    if agency.mesh == mesh.mesh {
        return Ok(());
    }
    Err(NameError::OtherMesh {
        name: agency.to_string(),
        found: agency.mesh.to_string(),
        want: mesh.mesh.to_string(),
    })
}

fn authority(common_name: &str, validity: Validity, serial: Serial) -> CertificateParams {
    let mut params = plain(validity, serial);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A leaf has an empty subject, for which rcgen marks the name extension as critical.
fn leaf(name: String, validity: Validity, serial: Serial) -> Result<CertificateParams, NameError> {
    if DNS_NAME_BYTES_MAX < name.len() {
        return Err(NameError::Length { name });
    }
    let Ok(dns_name) = name.as_str().try_into() else {
        return Err(NameError::Characters { name });
    };
    let mut params = plain(validity, serial);
    params.subject_alt_names = vec![SanType::DnsName(dns_name)];
    // Says "no authority" in so many words, and makes rcgen write the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn plain(validity: Validity, Serial(mut serial): Serial) -> CertificateParams {
    // Positive and of full length, whatever the dice said.
    serial[0] = (serial[0] & 0x3f) | 0x40;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = epoch + Duration::from_secs(validity.not_before_unix);
    params.not_after = epoch + Duration::from_secs(validity.not_after_unix);
    params.use_authority_key_identifier_extension = true;
    params
}
