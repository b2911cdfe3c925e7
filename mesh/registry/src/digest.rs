//! SHA-256 of what the registry holds, and the ids that come from it.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use mesh_core::change_set::{Body, ChangeSet, ChangeSetId};
use mesh_core::directory::change::Object;
use mesh_core::exchange::Digest;
use mesh_proto::directory::write_object;
use mesh_proto::malformed::Malformed;
use mesh_proto::registry::{read_change_set, write_body};
use mesh_proto::wire::registry::v1 as wire;
use prost::Message as _;

/// A body as it is sent and stored, with the name that it has by that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    pub bytes: Bytes,
    pub sha256: Digest,
    pub id: ChangeSetId,
}

pub fn sha256(bytes: &[u8]) -> Digest {
    let hashed = digest(&SHA256, bytes);
    Digest(hashed.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// By this a change says which object it was written against.
pub fn of_object(object: &Object) -> Digest {
    sha256(&write_object(object).encode_to_vec())
}

pub fn seal(body: &Body) -> Sealed {
    let bytes = write_body(body);
    let sha256 = sha256(&bytes);
    Sealed { bytes, sha256, id: ChangeSetId::new(body.written_at_unix_ms, &sha256) }
}

/// Reads a change set as it is answered and stored. Its id must be that of its body.
pub fn unseal(set: wire::ChangeSet) -> Result<ChangeSet, Malformed> {
    let sha256 = sha256(&set.body);
    read_change_set(set, sha256)
}
