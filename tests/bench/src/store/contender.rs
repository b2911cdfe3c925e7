//! The stores that are measured, each new and empty, and opened again as a centre that starts does.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use etcd_cluster::EtcdCluster;
use mesh_store::{Embedded, EtcdConfig, EtcdEndpoints, EtcdStore, SteadyClock, Store};
use tempfile::TempDir;

use crate::part::Failure;

#[async_trait]
pub(super) trait Contender {
    fn name(&self) -> &'static str;

    /// Opens the store, after closing it if it was open. How long the opening took.
    async fn open(&mut self) -> Result<(Arc<dyn Store>, Duration), Failure>;

    async fn bytes_on_disk(&self) -> Result<u64, Failure>;
}

pub(super) struct Embedding {
    folder: TempDir,
    open: Option<Arc<Embedded>>,
}

/// One member, reached as a centre reaches it: over mutual TLS.
pub(super) struct OnEtcd {
    cluster: EtcdCluster,
}

impl Embedding {
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("mesh-bench-").tempdir()?;
        Ok(Self { folder, open: None })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("registry")
    }
}

impl OnEtcd {
    /// `None` where there is no etcd on the machine.
    pub(super) fn start() -> Option<Self> {
        let version = Command::new("etcd").arg("--version").output();
        version.ok().map(|_| Self { cluster: EtcdCluster::start(1) })
    }

    fn connect(&self) -> Result<EtcdStore, Failure> {
        let files = self.cluster.client();
        let addresses = self.cluster.endpoints();
        let endpoints = addresses.iter().map(|address| address.to_string().parse());
        Ok(EtcdStore::open(&EtcdConfig {
            endpoints: EtcdEndpoints::new(endpoints.collect::<Result<_, _>>()?)?,
            chain_file: files.chain_file.clone(),
            key_file: files.key_file.clone(),
            trust_file: files.trust_file.clone(),
            namespace: "bench".parse()?,
        })?)
    }
}

#[async_trait]
impl Contender for Embedding {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn open(&mut self) -> Result<(Arc<dyn Store>, Duration), Failure> {
        if let Some(open) = self.open.take() {
            open.close().await;
        }
        let began = Instant::now();
        let store = Embedded::open(&self.file(), Arc::new(SteadyClock::default())).await?;
        let elapsed = began.elapsed();
        let store = Arc::new(store);
        self.open = Some(Arc::clone(&store));
        Ok((store, elapsed))
    }

    async fn bytes_on_disk(&self) -> Result<u64, Failure> {
        Ok(std::fs::metadata(self.file())?.blocks() * 512)
    }
}

#[async_trait]
impl Contender for OnEtcd {
    fn name(&self) -> &'static str {
        "etcd"
    }

    /// A new connection to a server that runs on: the server's own start is not the centre's.
    async fn open(&mut self) -> Result<(Arc<dyn Store>, Duration), Failure> {
        let began = Instant::now();
        let store = self.connect()?;
        // It dials when it is first asked.
        store.get(&"mesh/head".parse()?).await?;
        Ok((Arc::new(store), began.elapsed()))
    }

    async fn bytes_on_disk(&self) -> Result<u64, Failure> {
        let members = self.connect()?.members().await;
        let member = members.into_iter().next().ok_or("etcd has no member")?;
        Ok(member.state?.database_bytes)
    }
}
