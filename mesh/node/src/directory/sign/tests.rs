//! Keys as files, and what one signature is worth elsewhere.

use super::*;

/// A key that is the same in every run.
pub(crate) fn signer(seed: u8) -> DirectorySigner {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    DirectorySigner::from_pkcs8(pair.to_pkcs8().unwrap().as_ref()).unwrap()
}

fn mesh(domain: &str) -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), domain).unwrap()
}

#[test]
fn a_signature_counts_for_one_kind_one_mesh_one_body_and_a_known_key() {
    let (ours, signer) = (mesh("mesh.ir"), signer(1));
    let keys: DirectoryKeys = [signer.key()].into_iter().collect();
    let signature = signer.sign(Signed::Entry, &ours, b"body");
    let verify = |what, mesh: &MeshDomain, body: &[u8]| {
        keys.verify(what, mesh, body, Some(&signature)).map_err(|why| why.to_string())
    };
    assert_eq!(verify(Signed::Entry, &ours, b"body"), Ok(()));
    for (what, mesh, body) in [
        (Signed::Snapshot, &ours, &b"body"[..]),
        (Signed::Entry, &mesh("mesh.test"), b"body"),
        (Signed::Entry, &ours, b"bodies"),
    ] {
        let why = verify(what, mesh, body).unwrap_err();
        assert!(why.starts_with("its signature is wrong"), "{why}");
    }
    let others = DirectoryKeys::default();
    let why = others.verify(Signed::Entry, &ours, b"body", Some(&signature)).unwrap_err();
    assert!(matches!(why, NotTaken::UnknownSigner { key } if key == signer.key()), "{why}");
    let why = keys.verify(Signed::Entry, &ours, b"body", None).unwrap_err();
    assert!(matches!(why, NotTaken::Malformed(_)), "{why}");
}

#[test]
fn keys_are_read_from_files_or_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let made = mesh_certs::DirectoryKey::create(folder.path()).unwrap();
    let signer = DirectorySigner::load(&made.signing_key_file).unwrap();
    let keys = DirectoryKeys::load(&made.key_file).unwrap();
    assert!(keys.contains(&signer.key()));
    // Several keys in one file, as while one takes the place of another.
    let other = mesh_certs::DirectoryKey::create(&folder.path().join("next")).unwrap();
    let both = folder.path().join("both.pem");
    std::fs::write(&both, format!("{}{}", made.public_pem, other.public_pem)).unwrap();
    let next = DirectorySigner::load(&other.signing_key_file).unwrap();
    let keys = DirectoryKeys::load(&both).unwrap();
    assert!(keys.contains(&signer.key()) && keys.contains(&next.key()));

    let wrong = DirectoryKeys::load(&made.signing_key_file).unwrap_err().to_string();
    assert!(wrong.contains("holds a private key"), "{wrong}");
    let wrong = DirectorySigner::load(&made.key_file).unwrap_err().to_string();
    assert!(wrong.contains("has no private key"), "{wrong}");
    let absent = DirectoryKeys::load(&folder.path().join("none")).unwrap_err().to_string();
    assert!(absent.contains("cannot be read"), "{absent}");
    assert!(!format!("{signer:?}").contains("pair"), "nothing shows the private half");
}
