//! Certificates of one cluster: an authority, the members' certificate and a client's.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Files of one side of a TLS connection, all in PEM form.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    /// The authority that the other side is judged by.
    pub trust_file: PathBuf,
}

#[derive(Clone, Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
    server: TlsFiles,
    client: TlsFiles,
    stranger: TlsFiles,
}

impl Pki {
    /// Makes everything anew below `folder`. Members are 127.0.0.1 and localhost.
    pub(crate) fn create(folder: &Path) -> Self {
        let (authority, trust_file) = authority(folder, "etcd-ca");
        let (other, _) = authority_of_strangers(folder);
        Self {
            folder: folder.into(),
            server: issue(folder, "member", &authority, &trust_file),
            client: issue(folder, "hub-central", &authority, &trust_file),
            stranger: issue(folder, "stranger", &other, &trust_file),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn client(&self) -> &TlsFiles {
        &self.client
    }

    pub(crate) fn stranger(&self) -> &TlsFiles {
        &self.stranger
    }

    /// A certificate is asked of clients and of the other members alike.
    pub(crate) fn server_arguments(&self) -> Vec<String> {
        let TlsFiles { chain_file, key_file, trust_file } = &self.server;
        let files = ["", "peer-"].into_iter().flat_map(|side| {
            [
                format!("--{side}cert-file={}", chain_file.display()),
                format!("--{side}key-file={}", key_file.display()),
                format!("--{side}trusted-ca-file={}", trust_file.display()),
                format!("--{side}client-cert-auth=true"),
            ]
        });
        files.collect()
    }
}

fn authority_of_strangers(folder: &Path) -> (Issuer<'static, KeyPair>, PathBuf) {
    authority(folder, "other-ca")
}

fn authority(folder: &Path, name: &str) -> (Issuer<'static, KeyPair>, PathBuf) {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.self_signed(&key).expect("an authority signs itself");
    let file = write(folder, &format!("{name}.pem"), &certificate.pem());
    (Issuer::new(params, key), file)
}

fn issue(
    folder: &Path,
    name: &str,
    authority: &Issuer<'static, KeyPair>,
    trust_file: &Path,
) -> TlsFiles {
    let mut params = params(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Members are clients of each other.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.signed_by(&key, authority).expect("the authority signs");
    TlsFiles {
        chain_file: write(folder, &format!("{name}.pem"), &certificate.pem()),
        key_file: write(folder, &format!("{name}.key"), &key.serialize_pem()),
        trust_file: trust_file.into(),
    }
}

fn params(name: &str) -> CertificateParams {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("the names are well formed");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, content).expect("the folder takes files");
    if name.ends_with(".key") {
        use std::os::unix::fs::PermissionsExt as _;
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&file, private).expect("the file is ours");
    }
    file
}
