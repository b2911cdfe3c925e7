//! The keys of the registry in its store, by version.

use mesh_core::change_set::ChangeSetId;
use mesh_core::directory::change::Key;
use mesh_core::exchange::Digest;
use mesh_store::{KeyMalformed, KeyPrefix, StoreKey};

/// The version of keys and values that this code reads and writes; it stands under [`version`].
pub const VERSION: &str = "1";

/// Below this stands everything of the registry, and nothing else.
pub const ROOT: &str = "mesh/";
pub const OBJECTS: &str = "mesh/object/";
pub const LOG: &str = "mesh/log/";
pub const CHANGES: &str = "mesh/change/";
pub const OPEN: &str = "mesh/open/";
pub const EPOCHS: &str = "mesh/epoch/";
pub const DESCRIPTIONS: &str = "mesh/description/";

/// The version of the layout. Written last when a registry is laid out: half of one is none.
pub fn version() -> StoreKey {
    fixed("mesh/layout")
}

/// There while a registry is laid out.
pub fn unfinished() -> StoreKey {
    fixed("mesh/unfinished")
}

/// Where the registry stands: `StoredHead`.
pub fn head() -> StoreKey {
    fixed("mesh/head")
}

/// Where each scope stands: `StoredHeads`.
pub fn heads() -> StoreKey {
    fixed("mesh/heads")
}

/// One object: `mesh.directory.v1.Object`.
pub fn object(key: &Key) -> Result<StoreKey, KeyMalformed> {
    StoreKey::new(&format!("{OBJECTS}{key}"))
}

/// What one commit told each scope: `LogRecord`.
pub fn log(epoch: u64, revision: u64) -> StoreKey {
    fixed(&format!("{LOG}{epoch:020}/{revision:020}"))
}

/// One change set: `ChangeSet`.
pub fn change_set(id: &ChangeSetId) -> StoreKey {
    fixed(&format!("{CHANGES}{id}"))
}

/// There while a change set waits for approvals.
pub fn open(id: &ChangeSetId) -> StoreKey {
    fixed(&format!("{OPEN}{id}"))
}

/// A part of an interface description, counted from 0.
pub fn description(sha256: &Digest, part: usize) -> StoreKey {
    fixed(&format!("{DESCRIPTIONS}{sha256}/{part}"))
}

/// Why an epoch began: `EpochBegun`.
pub fn epoch(epoch: u64) -> StoreKey {
    fixed(&format!("{EPOCHS}{epoch:020}"))
}

/// A prefix of this layout.
pub fn prefix(text: &str) -> KeyPrefix {
    KeyPrefix::new(text).expect("prefixes of this layout are printable")
}

/// Epoch and revision of a log record, by its key.
pub fn log_position(key: &StoreKey) -> Option<(u64, u64)> {
    let (epoch, revision) = key.as_str().strip_prefix(LOG)?.split_once('/')?;
    let fits = epoch.len() == 20 && revision.len() == 20;
    if fits { Some((epoch.parse().ok()?, revision.parse().ok()?)) } else { None }
}

fn fixed(text: &str) -> StoreKey {
    StoreKey::new(text).expect("keys of this layout are printable and short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_in_the_order_of_their_keys() {
        let keys = [log(1, 9), log(1, 10), log(2, 1), log(u64::MAX, u64::MAX)];
        assert!(keys.is_sorted());
        assert_eq!(log_position(&keys[1]), Some((1, 10)));
        assert_eq!(log_position(&head()), None);
        let odd = StoreKey::new("mesh/log/1/2").expect("a key");
        assert_eq!(log_position(&odd), None);
    }

    #[test]
    fn an_object_stands_under_its_key() {
        let key: Key = "service/ir/gov/tax/debts/debt.v1".parse().expect("a key");
        let stored = object(&key).expect("printable");
        assert_eq!(stored.as_str(), "mesh/object/service/ir/gov/tax/debts/debt.v1");
        let odd = Key::LinkKey("گره".into(), Digest([0; 32]));
        assert!(object(&odd).is_err());
    }
}
