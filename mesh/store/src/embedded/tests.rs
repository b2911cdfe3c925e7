//! What goes wrong with a file and its disk, and what the store says and does then.

mod files;
mod full;
mod medium;
mod power;

use std::path::Path;
use std::sync::Arc;

use super::{Embedded, SteadyClock};
use crate::commit::{Commit, Write};
use crate::error::{CommitError, StoreError};
use crate::key::{KeyPrefix, StoreKey};
use crate::page::StoreRevision;
use crate::store::{Store, read_all};

async fn open(file: &Path) -> Result<Embedded, StoreError> {
    Embedded::open(file, Arc::new(SteadyClock::default())).await
}

fn key(text: &str) -> StoreKey {
    text.parse().unwrap()
}

/// Puts one value under each of two keys, in one commit.
async fn put(store: &Embedded, value: &str) -> Result<StoreRevision, CommitError> {
    let writes = ["a", "b"].map(|name| Write::put(key(name), value.to_owned()));
    store.commit(Commit::new(vec![], writes.to_vec()).unwrap()).await
}

/// The value that both keys hold.
async fn held(store: &Embedded) -> String {
    let (_, items) = read_all(store, KeyPrefix::all()).await.unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].value, items[1].value);
    String::from_utf8(items[0].value.to_vec()).unwrap()
}
