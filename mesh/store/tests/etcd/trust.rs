//! Who may speak to whom, and what an operator is told when it comes to nothing.

use etcd_cluster::{EtcdCluster, TlsFiles};
use mesh_store::{EtcdStore, EtcdTlsError, Store as _, StoreError};

use crate::bed::{config, get, put, store};

/// What is said of the only member. It is asked once, where a read would try for long.
async fn unavailable(store: &EtcdStore) -> String {
    match store.members().await.remove(0).state {
        Err(StoreError::Unavailable { check }) => check,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_certificate_of_the_right_authority_nobody_is_let_in() {
    let cluster = EtcdCluster::start(1);
    let stranger = config(&cluster.endpoints(), cluster.stranger());
    let check = unavailable(&EtcdStore::open(&stranger).unwrap()).await;
    assert!(check.contains("check certificates on both sides"), "{check}");
}

#[tokio::test]
async fn a_member_of_another_authority_is_not_believed() {
    let (cluster, other) = (EtcdCluster::start(1), EtcdCluster::start(1));
    let files =
        TlsFiles { trust_file: other.client().trust_file.clone(), ..cluster.client().clone() };
    let store = EtcdStore::open(&config(&cluster.endpoints(), &files)).unwrap();
    let check = unavailable(&store).await;
    assert!(check.contains("invalid peer certificate"), "{check}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_said_before_anything_is_dialled() {
    let cluster = EtcdCluster::start(1);
    let good = config(&cluster.endpoints(), cluster.client());
    let mut swapped = good.clone();
    swapped.key_file = cluster.stranger().key_file.clone();
    assert!(matches!(EtcdStore::open(&swapped), Err(EtcdTlsError::Pair { .. })));
    let mut missing = good.clone();
    missing.trust_file = cluster.folder().join("none.pem");
    assert!(matches!(EtcdStore::open(&missing), Err(EtcdTlsError::Read { .. })));
    let mut no_key = good;
    no_key.chain_file = cluster.client().key_file.clone();
    assert!(matches!(EtcdStore::open(&no_key), Err(EtcdTlsError::NoCertificate { .. })));
}

#[tokio::test]
async fn two_namespaces_do_not_see_each_other() {
    let cluster = EtcdCluster::start(1);
    let one = store(&cluster);
    let mut config = config(&cluster.endpoints(), cluster.client());
    config.namespace = "other".parse().unwrap();
    let other = EtcdStore::open(&config).unwrap();
    one.commit(put("k", "1")).await.unwrap();
    assert_eq!(get(&other, "k").await, None);
    other.commit(put("k", "2")).await.unwrap();
    assert_eq!(get(&one, "k").await.unwrap().value, "1");
}

#[tokio::test]
async fn two_clusters_are_not_taken_for_one() {
    let cluster = EtcdCluster::start(1);
    let other = cluster.start_twin();
    let endpoints = [cluster.endpoints()[0], other.endpoints()[0]];
    let store = EtcdStore::open(&config(&endpoints, cluster.client())).unwrap();
    store.commit(put("k", "1")).await.unwrap();
    let states = store.members().await;
    assert!(states[0].state.is_ok());
    assert!(matches!(states[1].state, Err(StoreError::Foreign { .. })), "{:?}", states[1]);
}

#[tokio::test]
async fn operators_see_each_member() {
    let mut cluster = EtcdCluster::start(3);
    let leader = cluster.leader().unwrap();
    let store = store(&cluster);
    let states = store.members().await;
    for (index, member) in states.iter().enumerate() {
        let state = member.state.as_ref().unwrap();
        assert_eq!((state.leads, state.alarms.is_empty()), (index == leader, true));
        assert!(state.version.starts_with("3."), "{}", state.version);
    }
    cluster.kill(1);
    let states = store.members().await;
    let away = states[1].state.as_ref().unwrap_err();
    assert!(matches!(away, StoreError::Unavailable { .. }), "{away}");
    assert!(away.to_string().contains(states[1].endpoint.as_str()), "{away}");
}
