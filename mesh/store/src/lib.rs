//! Where the registry keeps its truth: what it asks of a store, and the stores that give it.
//!
//! [`Store`] is a promise in words, and a store is held to it by tests that run on each of them. A
//! store holds values under keys. Its state changes by [`Commit`]s, all of it or nothing, one after
//! the other; each takes the next [`StoreRevision`]. What was the case at an older revision can be
//! read until the store is told to forget it.

mod commit;
mod embedded;
mod error;
mod etcd;
mod key;
mod lease;
mod page;
mod store;
mod watch;

pub use commit::{COMMIT_BYTES_MAX, Commit, CommitRefused, GUARDS_MAX, Guard, WRITES_MAX, Write};
pub use embedded::{Embedded, LEASES_MAX, LeaseClock, SteadyClock};
pub use error::{CommitError, StoreError};
pub use etcd::{
    EtcdConfig, EtcdEndpoint, EtcdEndpoints, EtcdMalformed, EtcdMember, EtcdMemberState,
    EtcdNamespace, EtcdStore, EtcdTlsError,
};
pub use key::{KEY_BYTES_MAX, KeyMalformed, KeyPrefix, StoreKey};
pub use lease::{LIFE_MAX, LIFE_MIN, LeaseId, LeaseLife, LifeRefused};
pub use page::{Item, PAGE_BYTES_MAX, PAGE_ITEMS_MAX, Page, PageOf, StoreRevision};
pub use store::{Store, read_all};
pub use watch::{Change, Changed, Watch};
