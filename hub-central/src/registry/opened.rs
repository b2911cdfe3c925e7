//! Opening the store that `[registry]` names, and reading from it what the centre begins with.

use std::path::PathBuf;

use mesh_core::change_set::Rules;
use mesh_core::node::MeshDomain;
use mesh_node::NodeError;
use mesh_node::directory::{DirectoryKeys, DirectorySigner, LiveDirectory, NotTaken, Stored};
use mesh_node::section::SignedDirectory;
use mesh_proto::malformed::Malformed;
use mesh_proto::wire::directory::v1 as wire;
use mesh_registry::held::{Held, HeldError, decode};
use mesh_registry::layout;
use mesh_registry::log::read_log;
use mesh_registry::place::{OpenStore, PlaceError, RegistrySection};
use mesh_rt::file;
use mesh_store::{PageOf, Store, StoreError, StoreRevision};

/// Largest file of rules.
const RULES_BYTES_MAX: u64 = 64 * 1024;

/// A registry that was read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) kept: OpenStore,
    pub(crate) directory: LiveDirectory,
    pub(crate) head_written: StoreRevision,
}

/// A registry that the centre cannot begin with. Each sentence names what to look at.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("registry: {0}")]
    Store(#[from] StoreError),
    #[error("registry: {0}")]
    Held(#[from] HeldError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("registry: {0}")]
    NotTaken(#[from] NotTaken),
    #[error("registry: is of mesh {found}, and this node belongs to {wanted}")]
    OtherMesh { found: String, wanted: String },
    #[error("registry.rules_file {}: {why}", file.display())]
    Rules { file: PathBuf, why: String },
}

impl Opened {
    /// Reads what `section` names, to be told to the mesh with the signature of `signed`.
    pub(crate) async fn read(
        section: &RegistrySection,
        signed: &SignedDirectory,
        mesh: &MeshDomain,
    ) -> Result<Self, OpenError> {
        let (signer, known) = signer(signed)?;
        section.is_there()?;
        let kept = section.open().await?;
        let held = Held::read(&*kept.store()).await?;
        if held.mesh != *mesh {
            let (found, wanted) = (held.mesh.domain().into(), mesh.domain().into());
            return Err(OpenError::OtherMesh { found, wanted });
        }
        let head_written = held.head_written;
        let key = signer.key();
        let log = last_log(&*kept.store(), &held).await?;
        let stored = stored(held, log)?;
        let directory = LiveDirectory::from_registry(mesh.clone(), stored, signer)?;
        let is_named = directory.now().directory_keys().any(|known| *known == key);
        if !known.contains(&key) && !is_named {
            let file = signed.signing_key_file.display().to_string();
            return Err(NodeError::UnknownSigner { file }.into());
        }
        Ok(Self { kept, directory, head_written })
    }
}

/// The key that signs, and those that nodes are set up with.
pub(crate) fn signer(
    signed: &SignedDirectory,
) -> Result<(DirectorySigner, DirectoryKeys), OpenError> {
    let signer = DirectorySigner::load(&signed.signing_key_file).map_err(NodeError::from)?;
    Ok((signer, DirectoryKeys::load(&signed.key_file).map_err(NodeError::from)?))
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

fn stored(held: Held, log: Vec<wire::Entry>) -> Result<Stored, HeldError> {
    let heads = held.heads.into_iter().map(|(scope, head)| match scope.parse() {
        Ok(scope) => Ok((scope, head)),
        Err(_) => {
            let why = format!("{scope:?} is no scope");
            Err(HeldError::Malformed { key: layout::heads(), why })
        }
    });
    Ok(Stored {
        epoch: held.epoch,
        revision: held.revision,
        objects: held.objects.into_values().collect(),
        heads: heads.collect::<Result<_, _>>()?,
        log,
    })
}

/// The rules of approval; none without a file.
pub(crate) fn rules(section: &RegistrySection) -> Result<Rules, OpenError> {
    let Some(rules_file) = &section.rules_file else { return Ok(Rules::default()) };
    let wrong = |why: String| OpenError::Rules { file: rules_file.clone(), why };
    let bytes = file::read(rules_file, RULES_BYTES_MAX).map_err(|why| wrong(why.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|why| wrong(why.to_string()))?;
    toml::from_str(&text).map_err(|why| wrong(why.to_string().trim().replace('\n', " ")))
}
