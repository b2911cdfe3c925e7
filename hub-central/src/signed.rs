//! The registry's file as the centre finds it, and what makes a signed directory of it: objects,
//! and the heads of the scopes, which stand in a second file beside it.

use std::io;
use std::path::{Path, PathBuf};

use mesh_core::directory::Objects;
use mesh_core::directory::history::Head;
use mesh_node::directory::{DirectoryKeys, DirectorySigner, Prepared, Stored};
use mesh_node::{LiveDirectory, NodeError};
use mesh_proto::directory::{read_follow, write_follow, write_snapshot};
use mesh_proto::wire::directory::v1::FollowRequest;
use mesh_rt::directory_file::load_directory;
use mesh_rt::file;
use prost::Message as _;

use crate::Config;

const HEADS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads what `config` names.
pub(crate) fn load(config: &Config) -> Result<LiveDirectory, NodeError> {
    let mesh = config.mesh.domain();
    let signer = DirectorySigner::load(&config.directory.signing_key_file)?;
    let known = DirectoryKeys::load(&config.directory.key_file)?;
    let snapshot = load_directory(&config.directory_file, mesh)?;
    let position = snapshot.directory.position();
    let is_named = snapshot.directory.directory_keys().any(|key| *key == signer.key());
    if !known.contains(&signer.key()) && !is_named {
        let file = config.directory.signing_key_file.display().to_string();
        return Err(NodeError::UnknownSigner { file });
    }
    let stored = Stored {
        epoch: position.epoch,
        revision: position.revision,
        objects: snapshot.directory.objects(),
        heads: heads(&config.directory_file),
        log: Vec::new(),
    };
    LiveDirectory::from_registry(mesh.clone(), stored, signer).map_err(NodeError::Signed)
}

/// Writes what `prepared` leads to, durably.
pub(crate) fn keep(
    directory_file: &Path,
    (now, prepared): (&LiveDirectory, &Prepared),
    objects: &Objects,
) -> io::Result<()> {
    let heads = write_follow(&prepared.heads).encode_to_vec();
    file::replace(&heads_file(directory_file), &heads)?;
    let Head { epoch, revision, .. } = prepared.head;
    let head = Head { epoch, revision, hash: None };
    file::replace(directory_file, &write_snapshot(now.now().mesh(), head, objects))
}

/// None, where there is no file of them: then every scope begins anew.
fn heads(
    directory_file: &Path,
) -> std::collections::BTreeMap<mesh_core::directory::scope::Scope, Head> {
    let read = file::read(&heads_file(directory_file), HEADS_BYTES_MAX).ok();
    let read = read.and_then(|bytes| FollowRequest::decode(&bytes[..]).ok());
    read.and_then(|heads| read_follow(&heads).ok()).unwrap_or_default()
}

fn heads_file(directory_file: &Path) -> PathBuf {
    directory_file.with_extension("heads")
}
