//! What a node was told before it started: read from its files, verified again, and put to use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_core::node::MeshDomain;
use mesh_proto::directory::read_heartbeat;
use mesh_rt::clock::Clock;
use mesh_rt::directory_keys::KeyFileError;
use mesh_rt::exit::sentence;
use tracing::{info, warn};

use self::kept::{Found, look};
pub use self::kept::{Kept, KeptError};
use crate::directory::{DirectoryKeys, Heard, LiveDirectory, NotTaken, sha256};
use crate::node::{Knows, Named};
use crate::section::DirectorySection;
use crate::standing::Standing;

mod kept;

/// See the module.
#[derive(Debug)]
pub struct Told {
    pub knows: Knows,
    /// Where it keeps what it is told from now on; `None` in a rehearsal.
    pub kept: Option<Kept>,
}

/// [`Told::open`] or [`Told::look`].
pub type Tell = fn(&DirectorySection, &Named, &Arc<dyn Clock>) -> Result<Told, ToldError>;

/// Files that tell this node nothing. Names the file, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ToldError {
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(
        "{}: is of another mesh than {mesh}: name this node's own folder in directory.state_dir, \
         or correct the section [mesh]", folder.display()
    )]
    OtherMesh { folder: PathBuf, mesh: String },
}

impl Told {
    /// For a node that starts: takes its files for itself. What is wrong with them is set aside,
    /// and the node is told anew by the one above.
    pub fn open(
        section: &DirectorySection,
        named: &Named,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ToldError> {
        let mut told = Self::nothing(section, named, clock)?;
        let (mut kept, mut found) = Kept::open(&section.state_dir)?;
        let wrong = found.wrong.take();
        let wrong = match wrong {
            Some(wrong) => Some(wrong),
            None => replay(&told.knows.directory, &found, (&section.state_dir, &named.mesh))?,
        };
        if let Some(wrong) = wrong {
            kept.set_aside(&wrong)?;
            // Of what was replayed nothing is believed: what comes before the wrong may be older
            // than what this node acted on.
            told = Self::nothing(section, named, clock)?;
        }
        told.recall(&found, &mut kept);
        let Knows { directory, standing } = &told.knows;
        let position = standing.position();
        let (epoch, revision) = (position.epoch, position.revision);
        info!(scopes = directory.heads().len(), epoch, revision, "directory read");
        told.kept = Some(kept);
        Ok(told)
    }

    /// For a rehearsal: reads keys and files, takes and changes nothing.
    pub fn look(
        section: &DirectorySection,
        named: &Named,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ToldError> {
        if let Some(wrong) = look(&section.state_dir)? {
            let folder = section.state_dir.display();
            warn!(%folder, wrong, "what the node was told would be set aside");
        }
        Self::nothing(section, named, clock)
    }

    fn nothing(
        section: &DirectorySection,
        named: &Named,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ToldError> {
        let keys = DirectoryKeys::load(&section.key_file)?;
        let (me, mesh) = (named.node.clone(), named.mesh.clone());
        let directory = LiveDirectory::following(me, mesh, keys);
        let standing = Standing::new(Arc::clone(clock), section.island_life());
        Ok(Self { knows: Knows { directory, standing }, kept: None })
    }

    /// How far the node has been, and when it last heard. That counts whatever became of the
    /// directory: a node that lost it must not be taken back.
    fn recall(&self, found: &Found, kept: &mut Kept) {
        let Some(message) = &found.heartbeat else { return };
        let Ok(heartbeat) = read_heartbeat(&message.body) else {
            warn!("the last heartbeat on disk cannot be read");
            return;
        };
        let Knows { directory, standing } = &self.knows;
        match directory.hear(message) {
            // Old: the node was told more after it, and went down before the next one came.
            Ok(Heard::Agrees { .. } | Heard::Old) => {
                let position = heartbeat.position(sha256);
                standing.recall(position, heartbeat.sent_at_unix_ms);
            }
            // It speaks of more than the node has. Perhaps by a key that only the directory named.
            Ok(Heard::Behind { .. }) | Err(_) => {
                let (epoch, revision) = (heartbeat.epoch, heartbeat.revision);
                warn!(epoch, revision, "the node had been further than what it has on disk");
                kept.set_floor(heartbeat.heads);
            }
        }
    }
}

/// Takes what was found as it was taken when it came. Answers what is wrong with it.
fn replay(
    directory: &LiveDirectory,
    found: &Found,
    (folder, mesh): (&Path, &MeshDomain),
) -> Result<Option<String>, ToldError> {
    for group in &found.groups {
        match directory.take(group) {
            Ok(_) => {}
            Err(NotTaken::OtherMesh) => {
                let mesh = format!("{} ({})", mesh.mesh, mesh.domain());
                return Err(ToldError::OtherMesh { folder: folder.into(), mesh });
            }
            Err(why) => return Ok(Some(sentence(&why))),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
