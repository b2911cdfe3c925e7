//! A PKI in a temporary directory, its nodes, and whoever would like to be one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_certs::profile::{self, LEAF_LIFE, Serial, Validity};
use mesh_certs::{Issued, LocalPki};
use mesh_core::node::{MeshDomain, NodeName, Subtree};
use mesh_rt::tls::{Acceptor, Admit, Connector, Identity, Trust};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

pub(crate) struct Nation {
    pub(crate) temp: tempfile::TempDir,
    pub(crate) pki: LocalPki,
    pub(crate) mesh: MeshDomain,
    serial: AtomicU32,
}

/// A certificate and its key, either signed by the PKI or forged.
pub(crate) struct Signed {
    pub(crate) pem: String,
    pub(crate) key: KeyPair,
}

impl Nation {
    pub(crate) fn new() -> Self {
        Self::founded(SystemTime::now())
    }

    /// A nation whose authorities were made at `time`.
    pub(crate) fn founded(time: SystemTime) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let clusters = ["health".parse().unwrap(), "economy".parse().unwrap()];
        let pki = LocalPki::create(&temp.path().join("pki"), &mesh, clusters, time).unwrap();
        Self { temp, pki, mesh, serial: AtomicU32::new(0) }
    }

    pub(crate) fn node(&self, name: &str) -> NodeName {
        self.mesh.parse_node(&format!("{name}.mesh.ir")).unwrap()
    }

    pub(crate) fn issue(&self, name: &str) -> Issued {
        let out_dir = self.fresh_dir();
        self.pki.issue(&self.node(name), &out_dir, SystemTime::now()).unwrap()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let issued = self.issue(name);
        Identity::load(&issued.chain_file, &issued.key_file).unwrap()
    }

    /// The mesh port of a hub.
    pub(crate) fn listener(&self, name: &str) -> Acceptor {
        let issued = self.issue(name);
        let identity = Identity::load(&issued.chain_file, &issued.key_file).unwrap();
        let trust = Trust::load(&issued.listener_trust_file.unwrap()).unwrap();
        let admit = match self.node(name) {
            NodeName::Hub(cluster) => Admit::HubListener(cluster),
            _ => Admit::CentreListener,
        };
        Acceptor::new(&identity, trust, admit, self.mesh.clone())
    }

    /// The admin port of the centre.
    pub(crate) fn admin_port(&self) -> Acceptor {
        let issued = self.issue("hub.centre");
        let identity = Identity::load(&issued.chain_file, &issued.key_file).unwrap();
        let trust = Trust::load(&issued.admin_trust_file.unwrap()).unwrap();
        Acceptor::new(&identity, trust, Admit::AdminPort, self.mesh.clone())
    }

    /// `name` dialling `expect`.
    pub(crate) fn dialler(&self, name: &str, expect: &str) -> Connector {
        let issued = self.issue(name);
        let identity = Identity::load(&issued.chain_file, &issued.key_file).unwrap();
        let trust = Trust::load(&issued.trust_file).unwrap();
        Connector::new(&identity, trust, self.node(expect), self.mesh.clone()).unwrap()
    }

    pub(crate) fn ca(&self, subtree: &Subtree) -> Signed {
        let file = self.pki.ca_file(subtree);
        let key = std::fs::read_to_string(file.with_extension("key")).unwrap();
        let pem = std::fs::read_to_string(file).unwrap();
        Signed { pem, key: KeyPair::from_pem(&key).unwrap() }
    }

    pub(crate) fn root(&self) -> Signed {
        let file = self.pki.root_file();
        let key = std::fs::read_to_string(file.with_extension("key")).unwrap();
        let pem = std::fs::read_to_string(file).unwrap();
        Signed { pem, key: KeyPair::from_pem(&key).unwrap() }
    }

    /// What the profile of `name` says, for a forger to change.
    pub(crate) fn leaf_params(&self, name: &str) -> CertificateParams {
        let validity = Validity::from(SystemTime::now(), LEAF_LIFE);
        profile::link(&self.mesh, &self.node(name), validity, self.serial()).unwrap()
    }

    /// What the profile of the authority of `subtree` says, for a forger to change.
    pub(crate) fn ca_params(&self, subtree: &Subtree) -> CertificateParams {
        let validity = Validity::from(SystemTime::now(), Duration::from_secs(3600));
        profile::intermediate(&self.mesh, subtree, validity, self.serial())
    }

    /// The identity that shows `leaf`, then `above`.
    pub(crate) fn show(&self, leaf: &Signed, above: &[&Signed]) -> Identity {
        let chain: String =
            std::iter::once(leaf).chain(above.iter().copied()).map(|one| &*one.pem).collect();
        let dir = self.fresh_dir();
        let (chain_file, key_file) = (dir.join("chain.pem"), dir.join("key.pem"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(&chain_file, chain).unwrap();
        write_key(&key_file, &leaf.key.serialize_pem());
        Identity::load(&chain_file, &key_file).unwrap()
    }

    pub(crate) fn trust(&self, authority: &Signed) -> Trust {
        let dir = self.fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("trust.pem"), &authority.pem).unwrap();
        Trust::load(&dir.join("trust.pem")).unwrap()
    }

    pub(crate) fn fresh_dir(&self) -> PathBuf {
        self.temp.path().join(self.serial.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn serial(&self) -> Serial {
        Serial([self.serial.fetch_add(1, Ordering::Relaxed).to_be_bytes()[3]; 20])
    }
}

impl Signed {
    pub(crate) fn by(issuer: &Self, params: &CertificateParams) -> Self {
        Self::by_for(issuer, params, KeyPair::generate().unwrap())
    }

    pub(crate) fn by_for(issuer: &Self, params: &CertificateParams, key: KeyPair) -> Self {
        let issuer = Issuer::from_ca_cert_pem(&issuer.pem, &issuer.key).unwrap();
        Self { pem: params.signed_by(&key, &issuer).unwrap().pem(), key }
    }

    pub(crate) fn by_itself(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), key }
    }
}

pub(crate) fn cluster(name: &str) -> Subtree {
    Subtree::Cluster(name.parse().unwrap())
}

/// Sets when `params` is valid, in days from now.
pub(crate) fn set_days(params: &mut CertificateParams, from: i64, to: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let at = |days: i64| {
        let unix = u64::try_from(now + days * 24 * 3600).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix)
    };
    params.not_before = at(from);
    params.not_after = at(to);
}

pub(crate) fn write_key(file: &Path, pem: &str) {
    std::fs::write(file, pem).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A client as an attacker would write it: it takes any server for an answer, and would resume
/// sessions if it were given any.
pub(crate) fn reckless(identity: Option<&Identity>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer));
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(identity.clone())),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    // TLS 1.2 is not compiled in, so that a client of it cannot be built for a test either.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
