//! A registry read whole from its store: what the centre begins with.

use mesh_core::directory::change::ByKey;
use mesh_core::directory::history::Head;
use mesh_core::exchange::Digest;
use mesh_core::node::MeshDomain;
use mesh_proto::directory::read_object;
use mesh_proto::wire::directory::v1 as directory;
use mesh_proto::wire::registry::v1::{StoredHead, StoredHeads};
use mesh_store::{Item, Page, PageOf, Store, StoreError, StoreKey, StoreRevision};
use prost::Message;

use crate::layout;

/// What a registry holds, of one moment.
#[derive(Clone, Debug)]
pub struct Held {
    pub mesh: MeshDomain,
    pub epoch: u64,
    pub revision: u64,
    pub objects: ByKey,
    /// Where each scope stands.
    pub heads: Vec<(String, Head)>,
    /// The last change of [`layout::head`], which every commit guards.
    pub head_written: StoreRevision,
}

/// A store that gives no registry. Each sentence says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    #[error("the store holds no registry yet: lay one out with `hubctl registry init`")]
    Empty,
    #[error("laying out the registry was broken off: empty the store and begin anew")]
    Unfinished,
    #[error(
        "the registry's layout is version {found:?}, and this program reads {}",
        layout::VERSION
    )]
    Version { found: String },
    #[error("{key}: {why}; check the registry with `hubctl registry verify`")]
    Malformed { key: StoreKey, why: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Held {
    /// Reads what `store` holds now, whole or not at all.
    pub async fn read(store: &dyn Store) -> Result<Self, HeldError> {
        check_version(store).await?;
        let heads = store.page(&PageOf::prefix(layout::prefix(layout::head().as_str()))).await?;
        let at = heads.at;
        let (head, head_written): (StoredHead, _) = find(&heads, layout::head())?;
        let (stored, _): (StoredHeads, _) = find(&heads, layout::heads())?;
        let mut objects = ByKey::new();
        let mut next = Some(PageOf::prefix(layout::prefix(layout::OBJECTS)).at(at));
        while let Some(of) = next {
            let page = store.page(&of).await?;
            next = of.next(&page);
            for item in page.items {
                let object: directory::Object = decode(&item)?;
                let malformed = |why: String| HeldError::Malformed { key: item.key.clone(), why };
                let object = read_object(object).map_err(|why| malformed(why.to_string()))?;
                let key = object.key();
                if layout::object(&key).as_ref() != Ok(&item.key) {
                    return Err(malformed(format!("it holds {key}")));
                }
                objects.insert(key, object);
            }
        }
        Ok(Self {
            mesh: mesh_of(&head)?,
            epoch: head.epoch,
            revision: head.revision,
            objects,
            heads: stored.heads.iter().map(read_head).collect::<Result<_, _>>()?,
            head_written,
        })
    }
}

/// Is the registry in `store` one that this program reads?
pub async fn check_version(store: &dyn Store) -> Result<(), HeldError> {
    if let Some(item) = store.get(&layout::version()).await? {
        let found = String::from_utf8_lossy(&item.value[..item.value.len().min(80)]).into_owned();
        return if found == layout::VERSION { Ok(()) } else { Err(HeldError::Version { found }) };
    }
    match store.get(&layout::unfinished()).await? {
        Some(_) => Err(HeldError::Unfinished),
        None => Err(HeldError::Empty),
    }
}

/// The mesh that `head` names.
pub fn mesh_of(head: &StoredHead) -> Result<MeshDomain, HeldError> {
    let mesh = head.mesh.parse().ok().and_then(|id| MeshDomain::new(id, &head.domain).ok());
    mesh.ok_or_else(|| HeldError::Malformed { key: layout::head(), why: "it names no mesh".into() })
}

/// What stands in `mesh/heads` for a scope at `head`.
pub fn write_head(scope: &str, head: Head) -> directory::ScopeHead {
    let Head { epoch, revision, hash } = head;
    let hash = hash.map_or(Default::default(), |Digest(hash)| hash.to_vec().into());
    directory::ScopeHead { scope: scope.into(), epoch, revision, hash }
}

/// A scope and where it stands, as `mesh/heads` has it.
pub fn read_head(head: &directory::ScopeHead) -> Result<(String, Head), HeldError> {
    let directory::ScopeHead { scope, epoch, revision, hash } = head;
    let hash = match hash.len() {
        0 => None,
        _ => Some(Digest(hash[..].try_into().map_err(|_| HeldError::Malformed {
            key: layout::heads(),
            why: format!("the hash of {scope} is no SHA-256"),
        })?)),
    };
    Ok((scope.clone(), Head { epoch: *epoch, revision: *revision, hash }))
}

fn find<M: Message + Default>(page: &Page, key: StoreKey) -> Result<(M, StoreRevision), HeldError> {
    let item = page.items.iter().find(|item| item.key == key);
    let item = item.ok_or_else(|| HeldError::Malformed { key, why: "it is missing".into() })?;
    Ok((decode(item)?, item.revision))
}

/// The message that `item` holds.
pub fn decode<M: Message + Default>(item: &Item) -> Result<M, HeldError> {
    M::decode(item.value.clone())
        .map_err(|why| HeldError::Malformed { key: item.key.clone(), why: why.to_string() })
}
