//! The store on real etcd keeps the promise of stores, and what it promises beyond that while
//! members die, hang, restart or lose answers.

#[path = "etcd/bed.rs"]
mod bed;
mod contract;
#[path = "etcd/faults.rs"]
mod faults;
#[path = "etcd/limits.rs"]
mod limits;
#[path = "etcd/outcome.rs"]
mod outcome;
#[path = "etcd/storm.rs"]
mod storm;
#[path = "etcd/trust.rs"]
mod trust;
#[path = "etcd/watching.rs"]
mod watching;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use etcd_cluster::EtcdCluster;
use mesh_store::{EtcdStore, Store};

use contract::Subject;

/// One member. What three do when one is away, `faults` shows.
struct OneMember {
    cluster: EtcdCluster,
    store: Arc<EtcdStore>,
}

async fn one_member() -> OneMember {
    let cluster = EtcdCluster::start(1);
    let store = Arc::new(bed::store(&cluster));
    OneMember { cluster, store }
}

#[async_trait]
impl Subject for OneMember {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<EtcdStore>::clone(&self.store)
    }

    /// Of etcd; who uses it stays, and finds it again.
    async fn restart(&mut self) {
        self.cluster.kill(0);
        self.cluster.restart(0);
    }

    /// etcd's clock is its own.
    async fn pass(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

contract::store_contract!(one_member);
