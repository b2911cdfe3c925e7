//! The store's past, forgotten hour by hour: nobody asks for states older than that, and each
//! commit leaves one.

use std::sync::Arc;
use std::time::Duration;

use mesh_node::Node;
use mesh_registry::layout;
use mesh_rt::exit::sentence;
use mesh_store::{PageOf, Store, StoreError, StoreRevision};
use tokio::time::sleep;
use tracing::{info, warn};

/// How long a state of the store is kept at least. Whoever reads page by page is done before.
const KEPT: Duration = Duration::from_secs(3600);

/// Compacts `store` every hour to what it held an hour ago, until the node drains.
pub(crate) fn start(node: &Node, store: Arc<dyn Store>) {
    let drain = node.drain.clone();
    node.drain.spawn(async move {
        tokio::select! {
            () = drain.begun() => {}
            () = keep(&*store) => {}
        }
    });
}

async fn keep(store: &dyn Store) {
    let mut seen: Option<StoreRevision> = None;
    loop {
        match step(store, seen).await {
            Ok(now) => seen = Some(now),
            // The past only grows meanwhile; the next hour forgets more.
            Err(why) => warn!(why = sentence(&why), "the store's past is kept for another hour"),
        }
        sleep(KEPT).await;
    }
}

/// Forgets what was before `seen`; answers what the store is at.
async fn step(store: &dyn Store, seen: Option<StoreRevision>) -> Result<StoreRevision, StoreError> {
    let head = PageOf::prefix(layout::prefix(layout::head().as_str())).limit(1);
    let now = store.page(&head).await?.at;
    if let Some(seen) = seen {
        store.compact(seen).await?;
        info!(before = seen.0, now = now.0, "the store forgot its past");
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use mesh_store::{Commit, Embedded, SteadyClock, Write};

    use super::*;

    #[tokio::test]
    async fn what_is_older_than_the_last_look_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store");
        let store = Embedded::open(&file, Arc::new(SteadyClock::default())).await.unwrap();
        let put = |text: &'static str| {
            Commit::new(Vec::new(), vec![Write::put(layout::head(), text)]).unwrap()
        };
        let first = store.commit(put("one")).await.unwrap();
        let seen = step(&store, None).await.unwrap();
        let second = store.commit(put("two")).await.unwrap();
        let all = PageOf::prefix(layout::prefix(layout::ROOT));
        assert_eq!(store.page(&all.clone().at(first)).await.unwrap().items[0].value, "one");

        store.commit(put("three")).await.unwrap();
        let seen_later = step(&store, Some(seen)).await.unwrap();
        assert!(second < seen_later);
        assert_eq!(store.page(&all.clone().at(second)).await.unwrap().items[0].value, "two");
        step(&store, Some(second)).await.unwrap();
        let gone = store.page(&all.at(first)).await;
        assert!(matches!(gone, Err(StoreError::Compacted { .. })), "{gone:?}");
        store.close().await;
    }
}
