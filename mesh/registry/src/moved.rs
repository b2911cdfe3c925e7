//! A registry that goes on somewhere else: restored from a backup, or moved to another store. Its
//! epoch is raised, so that nobody takes two histories for one.

use bytes::Bytes;
use mesh_proto::wire::registry::v1::{EpochBegun, StoredHead};
use mesh_store::{Store, StoreError, StoreKey, read_all};
use prost::Message as _;

use crate::held::{HeldError, mesh_of};
use crate::lay::Beginning;
use crate::layout;

/// Why a registry goes on somewhere else, and who says so.
#[derive(Clone, Debug)]
pub struct Act {
    pub reason: String,
    pub operator: String,
    pub at_unix_ms: u64,
    /// Of the registry afterwards; `None` for the one after its last.
    pub epoch: Option<u64>,
}

/// Items that cannot go on somewhere else.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error("it holds no registry: {0} is missing")]
    Missing(StoreKey),
    #[error("epoch {wanted} is not after {have}, at which the registry stands")]
    Epoch { wanted: u64, have: u64 },
    #[error(transparent)]
    Held(#[from] HeldError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What `items`, everything that a registry held, are to begin with elsewhere.
pub fn beginning(items: Vec<(StoreKey, Bytes)>, act: Act) -> Result<Beginning, MoveError> {
    let key = layout::head();
    let head = items.iter().find(|(found, _)| *found == key);
    let (_, head) = head.ok_or_else(|| MoveError::Missing(key.clone()))?;
    let head = StoredHead::decode(head.clone())
        .map_err(|why| HeldError::Malformed { key, why: why.to_string() })?;
    let mesh = mesh_of(&head)?;
    let Act { reason, operator, at_unix_ms, epoch } = act;
    let epoch = epoch.unwrap_or(head.epoch + 1);
    if epoch <= head.epoch {
        return Err(MoveError::Epoch { wanted: epoch, have: head.epoch });
    }
    let begun = EpochBegun {
        epoch,
        from_epoch: head.epoch,
        from_revision: head.revision,
        reason,
        operator,
        at_unix_ms,
    };
    // These are written anew.
    let own = [layout::head(), layout::heads(), layout::version(), layout::unfinished()];
    let items = items.into_iter().filter(|(key, _)| !own.contains(key)).collect();
    Ok(Beginning { mesh, epoch, revision: head.revision, items, begun })
}

/// Everything that `store` holds of a registry, of one moment.
pub async fn everything(store: &dyn Store) -> Result<Vec<(StoreKey, Bytes)>, StoreError> {
    let (_, items) = read_all(store, layout::prefix(layout::ROOT)).await?;
    Ok(items.into_iter().map(|item| (item.key, item.value)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mesh_core::directory::Objects;
    use mesh_core::node::MeshDomain;
    use mesh_store::{Embedded, SteadyClock};

    use super::*;
    use crate::check::Check;
    use crate::held::Held;
    use crate::lay::LayError;

    fn act(epoch: Option<u64>) -> Act {
        Act { reason: "the disk broke".into(), operator: "sara".into(), at_unix_ms: 7, epoch }
    }

    async fn store(folder: &tempfile::TempDir, name: &str) -> Embedded {
        let clock = Arc::new(SteadyClock::default());
        Embedded::open(&folder.path().join(name), clock).await.expect("it opens")
    }

    fn first() -> Beginning {
        let mesh = MeshDomain::new("ir".parse().expect("a label"), "mesh.ir").expect("a mesh");
        let objects: Objects = toml::from_str(
            "[[clusters]]\nid = \"health\"\nname_fa = \"\"\nname_en = \"\"\nhub = true\n",
        )
        .expect("objects");
        let begun = EpochBegun { epoch: 3, ..EpochBegun::default() };
        Beginning::of(mesh, (3, 7), &objects.into_by_key(), begun).expect("they fit")
    }

    #[tokio::test]
    async fn what_is_moved_is_the_same_in_a_later_epoch() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (store(&folder, "from").await, store(&folder, "to").await);
        first().lay(&from).await.expect("laid out");
        assert!(matches!(first().lay(&from).await, Err(LayError::Twice)));
        let items = everything(&from).await.expect("read");
        let early = beginning(items.clone(), act(Some(3)));
        assert!(matches!(early, Err(MoveError::Epoch { wanted: 3, have: 3 })));
        beginning(items.clone(), act(None)).expect("moved").lay(&to).await.expect("laid out");

        let (had, has) = (Held::read(&from).await.expect("a"), Held::read(&to).await.expect("b"));
        assert_eq!((has.epoch, has.revision, has.heads), (4, 7, Vec::new()));
        assert_eq!((has.objects, has.mesh), (had.objects, had.mesh));
        let mut check = Check::begin(None);
        for (key, value) in everything(&to).await.expect("read") {
            check.item(&key, &value);
        }
        assert_eq!(check.end().findings, []);
        let again = beginning(items, act(None)).expect("moved").lay(&to).await;
        assert!(matches!(again, Err(LayError::Twice)), "never over another");
        assert!(matches!(beginning(Vec::new(), act(None)), Err(MoveError::Missing(_))));
    }
}
