//! What the owner of a cluster's authority can mint: certificates whose names it has no right to.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mesh_certs::authority::Intermediate;
use mesh_certs::profile::{self, LEAF_LIFE, SERIAL_BYTES, Serial, Validity};
use mesh_core::node::{MeshDomain, NodeName};
use rcgen::{Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};

/// Signs a link certificate for `node` with `authority`, whatever its name constraints say, and
/// writes chain and key below `dir`.
pub fn forge(
    mesh: &MeshDomain,
    authority: &Intermediate,
    node: &NodeName,
    dir: &Path,
) -> (PathBuf, PathBuf) {
    let validity = Validity::from(SystemTime::now(), LEAF_LIFE);
    let serial = Serial([7; SERIAL_BYTES]);
    // The profile of the node itself: all is as it should be but the authority.
    let params = profile::link(mesh, node, validity, serial).expect("a profile");
    let key = KeyPair::from_pem(&authority.key_pem()).expect("the authority's key");
    let issuer = Issuer::from_ca_cert_pem(authority.pem(), key).expect("the authority");
    let own = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let leaf = params.signed_by(&own, &issuer).expect("nothing stops it from signing");
    let chain = dir.join(format!("forged-{node}.pem"));
    let key = dir.join(format!("forged-{node}.key"));
    std::fs::write(&chain, format!("{}{}", leaf.pem(), authority.pem())).expect("written");
    std::fs::write(&key, own.serialize_pem()).expect("written");
    (chain, key)
}
