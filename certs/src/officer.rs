//! An officer's key: made where the officer is, certified by the members authority elsewhere, and
//! used to sign what is done to an agreement. Nothing of it needs a connection.
//!
//! ```text
//! key.pem      the private half, PKCS#8: for the officer alone (mode 0600)
//! request.pem  what goes to the members authority
//! chain.pem    what comes back: the officer's certificate, then the authority's
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::signature::Ed25519KeyPair;
use mesh_core::address::AgencyAddress;
use mesh_core::agreement::{Act, Agreement, Deed, Office, Officer, Party};
use mesh_core::id::MeshId;
use mesh_core::node::{MeshDomain, Subtree};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_parser::extensions::GeneralName;

use crate::authority::{AuthorityError, Intermediate, Leaf};
use crate::file::{FileError, Readers, make_directory, read, write_new};
use crate::local::{LocalPki, PkiError};

/// Signs for an office.
pub struct OfficerKey {
    officer: Officer,
    certificate: CertificateDer<'static>,
    key: Ed25519KeyPair,
}

/// An officer's files that cannot be used for signing.
#[derive(Debug, thiserror::Error)]
pub enum OfficerError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: has no certificate in PEM form", file.display())]
    Certificate { file: PathBuf },
    #[error("{}: the certificate is no officer's of the mesh {mesh}", file.display())]
    NoOfficer { file: PathBuf, mesh: String },
    #[error("{}: is no Ed25519 key in PEM form (PKCS#8)", file.display())]
    Key { file: PathBuf },
    #[error("{}: is not the private key of the certificate", file.display())]
    KeyMismatch { file: PathBuf },
    #[error("an officer of {office} cannot sign for the {party} of this agreement")]
    Office { office: Office, party: Party },
}

/// The key that an officer made, and the request that the members authority is sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub key_file: PathBuf,
    pub request_file: PathBuf,
}

/// Makes a key and a request for its certificate in `dir`.
pub fn request(dir: &Path) -> Result<Request, PkiError> {
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(AuthorityError::Sign)?;
    let request = CertificateParams::default()
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(AuthorityError::Sign)?;
    make_directory(dir)?;
    let (key_file, request_file) = (dir.join("key.pem"), dir.join("request.pem"));
    write_new(&key_file, &key.serialize_pem(), Readers::Owner)?;
    write_new(&request_file, &request, Readers::Everyone)?;
    Ok(Request { key_file, request_file })
}

/// The mesh of the PKI below `pki_dir`.
pub fn mesh(pki_dir: &Path) -> Result<MeshDomain, PkiError> {
    crate::local::open_mesh(&pki_dir.join("mesh"))
}

/// Certifies the key of the request in `request_file` for `officer`, at the members authority below
/// `pki_dir`, of which nothing else is read. Writes the chain to `chain_file`.
pub fn certify(
    pki_dir: &Path,
    officer: &Officer,
    request_file: &Path,
    chain_file: &Path,
) -> Result<Leaf, PkiError> {
    let mesh = mesh(pki_dir)?;
    let members = crate::local::open_authority(pki_dir, &mesh, &Subtree::Members)?;
    let leaf = sign_request(&members, officer, request_file)?;
    write_new(chain_file, &leaf.chain_pem, Readers::Everyone)?;
    Ok(leaf)
}

fn sign_request(
    members: &Intermediate,
    officer: &Officer,
    request_file: &Path,
) -> Result<Leaf, PkiError> {
    let request = read(request_file)?;
    Ok(members.issue_officer_from_csr(&request, officer, SystemTime::now())?)
}

impl OfficerKey {
    /// Reads `chain.pem` and `key.pem` in `dir`, of an officer of the mesh `mesh`.
    pub fn load(mesh: &MeshId, dir: &Path) -> Result<Self, OfficerError> {
        let (chain_file, key_file) = (dir.join("chain.pem"), dir.join("key.pem"));
        let chain = read(&chain_file)?;
        let certificate = CertificateDer::from_pem_slice(chain.as_bytes())
            .map_err(|_| OfficerError::Certificate { file: chain_file.clone() })?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|_| OfficerError::Certificate { file: chain_file.clone() })?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let name = names.and_then(|names| match names.value.general_names[..] {
            [GeneralName::DNSName(name)] => Some(name.to_owned()),
            _ => None,
        });
        let officer = name.and_then(|name| officer_of(mesh, &name));
        let no_officer =
            || OfficerError::NoOfficer { file: chain_file.clone(), mesh: mesh.to_string() };
        let officer = officer.ok_or_else(no_officer)?;
        let pem = read(&key_file)?;
        let no_key = || OfficerError::Key { file: key_file.clone() };
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| no_key())?;
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.secret_pkcs8_der()).map_err(|_| no_key())?;
        let public = aws_lc_rs::signature::KeyPair::public_key(&key);
        if *parsed.public_key().subject_public_key.data != *public.as_ref() {
            return Err(OfficerError::KeyMismatch { file: key_file });
        }
        Ok(Self { officer, certificate: certificate.into_owned(), key })
    }

    pub fn officer(&self) -> &Officer {
        &self.officer
    }

    /// The act, signed, of the party that the office is in `agreement`.
    pub fn sign(
        &self,
        agreement: &Agreement,
        (deed, party): (Deed, Party),
        reason: &str,
        at_unix_ms: u64,
    ) -> Result<Act, OfficerError> {
        let office = &self.officer.office;
        if !office.speaks_for(party, agreement.terms()) {
            return Err(OfficerError::Office { office: office.clone(), party });
        }
        let chain = vec![Arc::from(&self.certificate[..])];
        let reason = reason.into();
        let mut act = Act { deed, party, at_unix_ms, reason, chain, signature: [0; 64] };
        let signature = self.key.sign(act.signed_text(agreement.id()).as_bytes());
        act.signature = signature.as_ref().try_into().expect("Ed25519 signatures have 64 bytes");
        Ok(act)
    }
}

/// The certificate says the domain of its mesh itself. Whether it is believed, others decide.
fn officer_of(mesh: &MeshId, name: &str) -> Option<Officer> {
    let (_, domain) = name.split_once(&format!(".{}.", Subtree::Members))?;
    MeshDomain::new(mesh.clone(), domain).ok()?.parse_officer(name).ok()
}

/// Officers of every office that signs, on one machine: for development and tests, where one
/// signs for all.
#[derive(Debug, Default)]
pub struct Offices(BTreeMap<String, OfficerKey>);

impl Offices {
    /// Certifies one officer of the secretariat, of the centre and of each of `agencies`, with
    /// files in a directory of `dir` that has the office's name.
    pub fn issue(
        pki: &LocalPki,
        agencies: impl IntoIterator<Item = AgencyAddress>,
        dir: &Path,
        now: SystemTime,
    ) -> Result<Self, PkiError> {
        let mut keys = BTreeMap::new();
        let offices = [Office::Secretariat, Office::Centre].into_iter();
        for office in offices.chain(agencies.into_iter().map(Office::Agency)) {
            let officer = Officer { id: "officer".parse().expect("a label"), office };
            let below = dir.join(officer.office.to_string());
            pki.issue_officer(&officer, &below, now)?;
            let key = OfficerKey::load(&pki.mesh().mesh, &below).expect("it was just written");
            keys.insert(officer.office.to_string(), key);
        }
        Ok(Self(keys))
    }

    /// `agreement`, signed at `at_unix_ms` by all who have to. None if one of them has no officer.
    pub fn sign(&self, mut agreement: Agreement, at_unix_ms: u64) -> Option<Agreement> {
        let terms = agreement.terms();
        let offices = [
            (Party::Consumer, Office::Agency(terms.consumer.agency.clone())),
            (Party::Provider, Office::Agency(terms.service.system.agency.clone())),
            (Party::Secretariat, Office::Secretariat),
        ];
        for (party, office) in offices {
            let key = self.0.get(&office.to_string())?;
            let act = key.sign(&agreement, (Deed::Sign, party), "", at_unix_ms).ok()?;
            agreement.acts.push(act);
        }
        Some(agreement)
    }
}

impl std::fmt::Debug for OfficerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The private key is left out.
        f.debug_struct("OfficerKey").field("officer", &self.officer).finish_non_exhaustive()
    }
}
