//! The local PKI on disk: its layout, who may read what, and that nothing is replaced.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use mesh_certs::local::FileError;
use mesh_certs::{AuthorityError, DirectoryKey, Issued, LocalPki, PkiError};
use mesh_core::node::{MeshDomain, Subtree};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

fn create(dir: &Path) -> Result<LocalPki, PkiError> {
    let clusters = ["health".parse().unwrap(), "economy".parse().unwrap()];
    LocalPki::create(dir, &mesh(), clusters, SystemTime::now())
}

fn issue(pki: &LocalPki, name: &str, out_dir: &Path) -> Result<Issued, PkiError> {
    pki.issue(&mesh().parse_node(name).unwrap(), out_dir, SystemTime::now())
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .permissions()
        .mode()
        & 0o777
}

#[cfg(unix)]
#[test]
fn keys_are_private() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("pki");
    let pki = create(&dir).unwrap();
    let authorities =
        ["centre", "edge", "operators", "members", "clusters/health", "clusters/economy"];
    for authority in authorities {
        assert_eq!(mode(&dir.join(authority)), 0o700, "{authority}");
        assert_eq!(mode(&dir.join(authority).join("ca.key")), 0o600, "{authority}");
        assert!(dir.join(authority).join("ca.pem").is_file(), "{authority}");
    }
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("root.key")), 0o600);

    let out_dir = temp.path().join("nodes/health");
    let issued = issue(&pki, "hub.health.mesh.ir", &out_dir).unwrap();
    assert_eq!(mode(&issued.key_file), 0o600);
    assert_eq!(mode(&out_dir), 0o700);
    let unfinished = fs::read_dir(&out_dir)
        .unwrap()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".unfinished"));
    assert!(!unfinished);
}

#[test]
fn nothing_is_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("pki");
    let pki = create(&dir).unwrap();
    let root = fs::read(pki.root_file()).unwrap();
    let again = create(&dir);
    assert!(matches!(again, Err(PkiError::NotEmpty { .. })), "{again:?}");
    assert!(again.unwrap_err().to_string().contains("is not empty"));
    assert_eq!(fs::read(pki.root_file()).unwrap(), root);

    let out_dir = temp.path().join("hub");
    let issued = issue(&pki, "hub.health.mesh.ir", &out_dir).unwrap();
    let key = fs::read(&issued.key_file).unwrap();
    let again = issue(&pki, "hub.health.mesh.ir", &out_dir);
    assert!(matches!(again, Err(PkiError::File(FileError::Exists { .. }))), "{again:?}");
    assert_eq!(fs::read(&issued.key_file).unwrap(), key);
}

#[test]
fn a_node_gets_the_trust_that_it_needs_and_no_more() {
    let temp = tempfile::tempdir().unwrap();
    let pki = create(&temp.path().join("pki")).unwrap();
    let centre = pki.ca_file(&Subtree::Centre);
    let health = pki.ca_file(&Subtree::Cluster("health".parse().unwrap()));
    let operators = pki.ca_file(&Subtree::Operators);
    let root = pki.root_file();
    #[rustfmt::skip]
    let cases = [
        // Node                                Dials     Listens to       Is administrated by
        ("hub.centre.mesh.ir",                 &root,    Some(&root),     Some(&operators)),
        ("hub.health.mesh.ir",                 &centre,  Some(&health),   Some(&operators)),
        ("desk.licensing.gov.health.mesh.ir",  &health,  None,            None),
        ("persons.registry.gov.edge.mesh.ir",  &centre,  None,            None),
        ("sara.operators.mesh.ir",             &centre,  None,            None),
    ];
    let read = |file: &Path| fs::read_to_string(file).unwrap();
    for (name, trust, listener, admin) in cases {
        let issued = issue(&pki, name, &temp.path().join(name)).expect(name);
        assert_eq!(read(&issued.trust_file), read(trust), "{name}");
        assert_eq!(
            issued.listener_trust_file.map(|f| read(&f)),
            listener.map(|f| read(f)),
            "{name}"
        );
        assert_eq!(issued.admin_trust_file.map(|f| read(&f)), admin.map(|f| read(f)), "{name}");
        let chain = read(&issued.chain_file);
        let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
        assert_eq!(mesh_certs::spki_sha256(&leaf).unwrap(), issued.spki_sha256, "{name}");
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{name}");
    }
}

#[test]
fn a_reopened_pki_is_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("pki");
    create(&dir).unwrap();
    let pki = LocalPki::open(&dir).unwrap();
    assert_eq!(pki.mesh(), &mesh());
    let issued = issue(&pki, "hub.economy.mesh.ir", &temp.path().join("hub")).unwrap();
    let economy = pki.ca_file(&Subtree::Cluster("economy".parse().unwrap()));
    let chain = fs::read_to_string(issued.chain_file).unwrap();
    assert!(chain.ends_with(&fs::read_to_string(economy).unwrap()));
    let agency = "ir/gov/civil-registration".parse().unwrap();
    pki.issue_member(&agency, &temp.path().join("member"), SystemTime::now()).unwrap();

    let unknown = issue(&pki, "hub.transport.mesh.ir", &temp.path().join("transport"));
    assert!(matches!(unknown, Err(PkiError::NoAuthority { .. })), "{unknown:?}");
}

type Damage = (&'static str, fn(&Path));

#[test]
fn a_damaged_pki_is_not_opened() {
    let temp = tempfile::tempdir().unwrap();
    let damage: [Damage; 4] = [
        ("no mesh file", |dir| fs::remove_file(dir.join("mesh")).unwrap()),
        ("no domain", |dir| fs::write(dir.join("mesh"), "ir").unwrap()),
        ("keys swapped", |dir| {
            fs::copy(dir.join("edge/ca.key"), dir.join("centre/ca.key")).unwrap();
        }),
        ("authorities swapped", |dir| {
            fs::rename(dir.join("clusters/health"), dir.join("clusters/transport")).unwrap();
        }),
    ];
    for (index, (what, spoil)) in damage.iter().enumerate() {
        let dir = temp.path().join(index.to_string());
        create(&dir).unwrap();
        spoil(&dir);
        let error = LocalPki::open(&dir).expect_err(what);
        let fits = match *what {
            "no mesh file" => matches!(error, PkiError::File(FileError::Read { .. })),
            "no domain" => matches!(error, PkiError::Mesh { .. }),
            "keys swapped" => {
                matches!(error, PkiError::Authority { source: AuthorityError::KeyMismatch, .. })
            }
            _ => matches!(error, PkiError::OtherSubtree { .. }),
        };
        assert!(fits, "{what}: {error:?}");
    }
}

#[test]
fn a_directory_key_is_two_files_of_which_one_is_private() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("directory");
    let key = DirectoryKey::create(&dir).unwrap();
    let private = fs::read_to_string(&key.signing_key_file).unwrap();
    let public = fs::read_to_string(&key.key_file).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS#8");
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"), "{public}");
    assert_eq!(public, key.public_pem);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&key.signing_key_file), mode(&key.key_file)), (0o600, 0o644));
    }
    let again = DirectoryKey::create(&dir);
    assert!(matches!(again, Err(PkiError::File(FileError::Exists { .. }))), "{again:?}");
    let other = DirectoryKey::create(&temp.path().join("next")).unwrap();
    assert_ne!(other.public_key, key.public_key);
}
