//! Is an entry of the log signed by a key of the directory? As `directory.proto` says.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use mesh_core::node::MeshDomain;
use mesh_proto::wire::directory::v1::Entry;

/// Verifies `entry` of `mesh` by one of `keys`, Ed25519 public keys of 32 bytes.
pub fn verify_entry(mesh: &MeshDomain, keys: &[[u8; 32]], entry: &Entry) -> Result<(), String> {
    let signature = entry.signature.as_ref().ok_or("it is not signed")?;
    let key = keys.iter().find(|key| key[..] == signature.key[..]);
    let key = key.ok_or("it is signed with a key that was not named")?;
    let begin = format!("mesh-directory-v1 entry {} {}\n", mesh.mesh, mesh.domain());
    let signed = [begin.as_bytes(), &entry.body].concat();
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&signed, &signature.signature)
        .map_err(|_| "its signature is wrong".into())
}
