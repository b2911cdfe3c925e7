//! Opening the store that `[registry]` names, and reading from it what the centre begins with.

use std::path::PathBuf;
use std::sync::Arc;

use mesh_core::change_set::Rules;
use mesh_core::directory::history::Head;
use mesh_core::directory::{Directory, DirectoryError};
use mesh_core::node::MeshDomain;
use mesh_node::directory::{DirectoryKeyError, DirectorySigner, LiveDirectory, NotTaken, Stored};
use mesh_node::section::SignedDirectory;
use mesh_proto::malformed::Malformed;
use mesh_proto::wire::directory::v1 as wire;
use mesh_registry::held::{Held, HeldError, decode};
use mesh_registry::layout;
use mesh_registry::log::read_log;
use mesh_rt::file;
use mesh_store::{Embedded, PageOf, SteadyClock, Store, StoreError, StoreRevision};

use crate::config::RegistrySection;

/// Largest file of rules.
const RULES_BYTES_MAX: u64 = 64 * 1024;

/// A registry that was read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) kept: Kept,
    pub(crate) directory: LiveDirectory,
    pub(crate) head_written: StoreRevision,
}

/// The store that is open. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Embedded(Arc<Embedded>),
}

impl Kept {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Lets go of it, so that another process may open it.
    pub(crate) async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
        }
    }
}

/// A registry that the centre cannot begin with. Each sentence names what to look at.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("registry.file {}: is not there; lay a registry out with `hubctl registry init`", .0.display())]
    Absent(PathBuf),
    #[error("registry: {0}")]
    Store(#[from] StoreError),
    #[error("registry: {0}")]
    Held(#[from] HeldError),
    #[error("registry: its objects do not fit together: {0}")]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Signer(#[from] DirectoryKeyError),
    #[error("registry: {0}")]
    NotTaken(#[from] NotTaken),
    #[error("registry: is of mesh {found}, and this node belongs to {wanted}")]
    OtherMesh { found: String, wanted: String },
    #[error("registry.rules_file {}: {why}", file.display())]
    Rules { file: PathBuf, why: String },
}

impl Opened {
    /// Reads what `section` names. With `signed`, the directory is told by scopes and signed.
    pub(crate) async fn read(
        section: &RegistrySection,
        signed: Option<&SignedDirectory>,
        mesh: &MeshDomain,
    ) -> Result<Self, OpenError> {
        let signer = signed.map(|signed| DirectorySigner::load(&signed.signing_key_file));
        let signer = signer.transpose()?;
        let kept = open(section).await?;
        let held = Held::read(&*kept.store()).await?;
        if held.mesh != *mesh {
            let (found, wanted) = (held.mesh.domain().into(), mesh.domain().into());
            return Err(OpenError::OtherMesh { found, wanted });
        }
        let head_written = held.head_written;
        let directory = match signer {
            Some(signer) => {
                let log = last_log(&*kept.store(), &held).await?;
                let stored = stored(held, log);
                LiveDirectory::from_registry(mesh.clone(), stored, signer)?
            }
            None => plain(held)?,
        };
        Ok(Self { kept, directory, head_written })
    }
}

/// Epochs and revisions of the log that those who follow may still want.
const LOG_RECORDS: u64 = 256;

/// The last entries, the oldest first.
async fn last_log(store: &dyn Store, held: &Held) -> Result<Vec<wire::Entry>, OpenError> {
    let after = layout::log(held.epoch, held.revision.saturating_sub(LOG_RECORDS));
    let mut entries = Vec::new();
    let mut next = Some(PageOf::prefix(layout::prefix(layout::LOG)).after(after));
    while let Some(of) = next {
        let page = store.page(&of).await?;
        next = of.next(&page);
        for item in &page.items {
            let malformed = |why: Malformed| HeldError::Malformed {
                key: item.key.clone(),
                why: why.to_string(),
            };
            entries.extend(read_log(&decode(item)?).map_err(malformed)?);
        }
    }
    Ok(entries)
}

fn stored(held: Held, log: Vec<wire::Entry>) -> Stored {
    let heads = held.heads.into_iter();
    Stored {
        epoch: held.epoch,
        revision: held.revision,
        objects: held.objects.into_values().collect(),
        // What names no scope was checked where it was written.
        heads: heads.filter_map(|(scope, head)| Some((scope.parse().ok()?, head))).collect(),
        log,
    }
}

fn plain(held: Held) -> Result<LiveDirectory, OpenError> {
    let nation = held.heads.iter().find(|(scope, _)| scope == "nation");
    let hash = nation.and_then(|(_, head)| head.hash);
    let head = Head { epoch: held.epoch, revision: held.revision, hash };
    let objects = held.objects.into_values().collect();
    let directory = Directory::build(held.mesh, head.position(), objects)?;
    Ok(LiveDirectory::at(directory, head))
}

async fn open(section: &RegistrySection) -> Result<Kept, OpenError> {
    check(section)?;
    let clock = Arc::new(SteadyClock::default());
    Ok(Kept::Embedded(Arc::new(Embedded::open(&section.file, clock).await?)))
}

/// What can be said of the store without opening it, which only one process may.
pub(crate) fn check(section: &RegistrySection) -> Result<(), OpenError> {
    // The store would make an empty one, and an empty registry denies everything.
    if section.file.is_file() { Ok(()) } else { Err(OpenError::Absent(section.file.clone())) }
}

/// The rules of approval; none without a file.
pub(crate) fn rules(section: &RegistrySection) -> Result<Rules, OpenError> {
    let Some(rules_file) = &section.rules_file else { return Ok(Rules::default()) };
    let wrong = |why: String| OpenError::Rules { file: rules_file.clone(), why };
    let bytes = file::read(rules_file, RULES_BYTES_MAX).map_err(|why| wrong(why.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|why| wrong(why.to_string()))?;
    toml::from_str(&text).map_err(|why| wrong(why.to_string().trim().replace('\n', " ")))
}
