//! What a feed carries: entries, snapshots and heartbeats of scopes, who signed them, and what a
//! follower has.

use std::collections::BTreeMap;

use bytes::Bytes;
use mesh_core::directory::Ed25519Key;
use mesh_core::directory::change::Object;
use mesh_core::directory::history::{
    Entry, Head, Heartbeat, SCOPE_CHANGES_MAX, SCOPE_ENTRY_BYTES_MAX,
};
use mesh_core::directory::scope::{SCOPE_BYTES_MAX, SCOPES_MAX, Scope};
use mesh_core::exchange::Digest;
use mesh_core::node::MeshDomain;
use prost::Message;

use super::object::{read_change, read_object, write_change, write_object};
use crate::malformed::{Malformed, at_most, digest, exactly, parse};
use crate::wire::directory::v1 as wire;

/// What stands for the hash before the entry with which a scope begins.
const NO_HASH: [u8; 32] = [0; 32];

/// Everything of one scope at one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeSnapshot {
    pub mesh: MeshDomain,
    pub scope: Scope,
    pub epoch: u64,
    pub revision: u64,
    /// Of the entry that made the revision; `None` where it was laid out whole, and the hash is
    /// that of the snapshot's own body.
    pub entry_hash: Option<Digest>,
    pub objects: Vec<Object>,
}

/// Who says that bytes are the directory's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature {
    pub key: Ed25519Key,
    pub bytes: [u8; 64],
}

/// Reads the body of an entry, whole or not at all. Its SHA-256 is the hash of the head after it.
pub fn read_entry(body: &[u8]) -> Result<Entry, Malformed> {
    at_most("entry.body", body.len(), SCOPE_ENTRY_BYTES_MAX)?;
    let body = wire::EntryBody::decode(body).map_err(|why| Malformed::new("entry.body", why))?;
    at_most("entry.changes", body.changes.len(), SCOPE_CHANGES_MAX)?;
    let previous = digest("entry.previous_hash", &body.previous_hash)?;
    Ok(Entry {
        scope: read_scope("entry.scope", &body.scope)?,
        epoch: body.epoch,
        revision: body.revision,
        previous: (previous.0 != NO_HASH).then_some(previous),
        changes: body.changes.into_iter().map(read_change).collect::<Result<_, _>>()?,
        committed_at_unix_ms: body.committed_at_unix_ms,
    })
}

/// The body of `entry`.
pub fn write_entry(entry: &Entry) -> Bytes {
    let previous = entry.previous.map_or(NO_HASH, |Digest(bytes)| bytes);
    let body = wire::EntryBody {
        scope: entry.scope.to_string(),
        epoch: entry.epoch,
        revision: entry.revision,
        previous_hash: Bytes::copy_from_slice(&previous),
        changes: entry.changes.iter().map(write_change).collect(),
        committed_at_unix_ms: entry.committed_at_unix_ms,
    };
    body.encode_to_vec().into()
}

/// Reads the body of a scope's snapshot, whole or not at all.
pub fn read_scope_snapshot(body: &[u8]) -> Result<ScopeSnapshot, Malformed> {
    let body =
        wire::SnapshotBody::decode(body).map_err(|why| Malformed::new("snapshot.body", why))?;
    let objects = body.objects.into_iter().map(read_object);
    Ok(ScopeSnapshot {
        mesh: MeshDomain::new(parse("snapshot.mesh", &body.mesh)?, &body.domain)
            .map_err(|why| Malformed::new("snapshot.domain", why))?,
        scope: read_scope("snapshot.scope", &body.scope)?,
        epoch: body.epoch,
        revision: body.revision,
        entry_hash: read_hash("snapshot.hash", &body.hash)?,
        objects: objects.collect::<Result<_, _>>()?,
    })
}

/// The body of `snapshot`; the same snapshot always makes the same bytes.
pub fn write_scope_snapshot(snapshot: &ScopeSnapshot) -> Bytes {
    let body = wire::SnapshotBody {
        mesh: snapshot.mesh.mesh.to_string(),
        domain: snapshot.mesh.domain().into(),
        scope: snapshot.scope.to_string(),
        epoch: snapshot.epoch,
        revision: snapshot.revision,
        hash: write_hash(snapshot.entry_hash),
        objects: snapshot.objects.iter().map(write_object).collect(),
    };
    body.encode_to_vec().into()
}

/// Reads the body of a heartbeat, whole or not at all.
pub fn read_heartbeat(body: &[u8]) -> Result<Heartbeat, Malformed> {
    let body =
        wire::HeartbeatBody::decode(body).map_err(|why| Malformed::new("heartbeat.body", why))?;
    let in_order = body.heads.is_sorted_by(|a, b| a.scope < b.scope);
    if !in_order {
        return Err(Malformed::new("heartbeat.heads", "are not in the order of their scopes"));
    }
    Ok(Heartbeat {
        sent_at_unix_ms: body.sent_at_unix_ms,
        epoch: body.epoch,
        revision: body.revision,
        heads: read_heads("heartbeat.heads", &body.heads)?,
    })
}

/// The body of `heartbeat`.
pub fn write_heartbeat(heartbeat: &Heartbeat) -> Bytes {
    let body = wire::HeartbeatBody {
        sent_at_unix_ms: heartbeat.sent_at_unix_ms,
        epoch: heartbeat.epoch,
        revision: heartbeat.revision,
        heads: write_heads(&heartbeat.heads),
    };
    body.encode_to_vec().into()
}

/// Reads what a node that follows has already. It gets snapshots of what it does not name.
pub fn read_follow(request: &wire::FollowRequest) -> Result<BTreeMap<Scope, Head>, Malformed> {
    read_heads("follow.have", &request.have)
}

/// The request of a node that has `have`.
pub fn write_follow(have: &BTreeMap<Scope, Head>) -> wire::FollowRequest {
    wire::FollowRequest { have: write_heads(have) }
}

/// Reads heads of scopes, each scope once.
pub fn read_heads(
    field: &'static str,
    heads: &[wire::ScopeHead],
) -> Result<BTreeMap<Scope, Head>, Malformed> {
    at_most(field, heads.len(), SCOPES_MAX)?;
    let mut read = BTreeMap::new();
    for wire::ScopeHead { scope, epoch, revision, hash } in heads {
        let scope = read_scope(field, scope)?;
        let hash = Some(digest(field, hash)?);
        let head = Head { epoch: *epoch, revision: *revision, hash };
        if read.contains_key(&scope) {
            return Err(Malformed::new(field, format!("has two heads of {scope}")));
        }
        read.insert(scope, head);
    }
    Ok(read)
}

/// Heads of scopes, in the byte order of their names.
pub fn write_heads(heads: &BTreeMap<Scope, Head>) -> Vec<wire::ScopeHead> {
    let written = heads.iter().map(|(scope, Head { epoch, revision, hash })| wire::ScopeHead {
        scope: scope.to_string(),
        epoch: *epoch,
        revision: *revision,
        hash: write_hash(*hash),
    });
    let mut written: Vec<_> = written.collect();
    written.sort_unstable_by(|a, b| a.scope.cmp(&b.scope));
    written
}

/// Reads who signed something.
pub fn read_signature(
    signature: Option<&wire::DirectorySignature>,
) -> Result<Signature, Malformed> {
    let signature = signature.ok_or(Malformed::missing("signature"))?;
    Ok(Signature {
        key: Ed25519Key::new(exactly("signature.key", &signature.key)?),
        bytes: exactly("signature.signature", &signature.signature)?,
    })
}

/// The message that [`read_signature`] reads as `signature`.
pub fn write_signature(signature: &Signature) -> wire::DirectorySignature {
    wire::DirectorySignature {
        key: Bytes::copy_from_slice(signature.key.as_bytes()),
        signature: Bytes::copy_from_slice(&signature.bytes),
    }
}

fn read_scope(field: &'static str, scope: &str) -> Result<Scope, Malformed> {
    at_most(field, scope.len(), SCOPE_BYTES_MAX)?;
    parse(field, scope)
}

/// A hash that may be absent, which no bytes stand for.
pub(super) fn read_hash(field: &'static str, bytes: &[u8]) -> Result<Option<Digest>, Malformed> {
    if bytes.is_empty() { Ok(None) } else { digest(field, bytes).map(Some) }
}

pub(super) fn write_hash(hash: Option<Digest>) -> Bytes {
    hash.map_or(Bytes::new(), |Digest(bytes)| Bytes::copy_from_slice(&bytes))
}

#[cfg(test)]
mod tests;
