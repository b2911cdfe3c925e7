//! What a centre reads at its start, in one folder, and a running one to ask.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use hub_central::{Bound, Config};
use mesh_certs::{DirectoryKey, Issued, LocalPki};
use mesh_core::directory::change::Object;
use mesh_core::directory::{LinkKey, Objects};
use mesh_core::node::{MeshDomain, NodeName, Subtree};
use mesh_proto::wire::registry::v1::EpochBegun;
use mesh_registry::lay::{Beginning, lay_file_blocking};
use mesh_rt::server::mesh_endpoint;
use mesh_rt::tls::{Connector, Identity, TcpDialer, Trust, explain};
use tokio::sync::oneshot;
use tonic::transport::Channel;

/// A centre's files in one folder, and three operators of whom the directory lists the first two.
pub(crate) struct Files {
    folder: tempfile::TempDir,
    pub(crate) mesh: MeshDomain,
    pub(crate) pki: LocalPki,
    pub(crate) listed: Issued,
    pub(crate) second: Issued,
    pub(crate) stranger: Issued,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let now = SystemTime::now();
        let clusters = ["health".parse().unwrap()];
        let pki = LocalPki::create(&folder.path().join("pki"), &mesh, clusters, now).unwrap();
        let issue = |name: &str| {
            let name = mesh.parse_node(&format!("{name}.mesh.ir")).unwrap();
            let issued = pki.issue(&name, &folder.path().join(name.to_string()), now).unwrap();
            (name, issued)
        };
        let centre = issue("hub.centre");
        let listed = issue("sara.operators");
        let (_, stranger) = issue("omid.operators");
        let _ = issue("hub.health");
        let second = issue("nima.operators");
        DirectoryKey::create(folder.path()).unwrap();
        let link_keys = [&centre, &listed, &second].map(|(name, issued)| LinkKey {
            node: mesh.dns_name(name),
            spki_sha256: issued.spki_sha256,
        });
        let objects = Objects { link_keys: link_keys.into(), ..Objects::default() }.into_by_key();
        let begun = EpochBegun { epoch: 1, ..EpochBegun::default() };
        let beginning = Beginning::of(mesh.clone(), (1, 1), &objects, begun).unwrap();
        lay_file_blocking(&folder.path().join("registry.redb"), beginning).unwrap();
        Self { listed: listed.1, second: second.1, stranger, folder, mesh, pki }
    }

    /// The configuration, with `from` replaced by `to`.
    pub(crate) fn config(&self, from: &str, to: &str) -> Config {
        let text = r#"registry = { file = "registry.redb" }
mesh = { id = "ir", domain = "mesh.ir" }
directory = { key_file = "directory.pem", signing_key_file = "signing.key" }
listen = { mesh = "127.0.0.1:0" }
[tls]
chain_file = "hub.centre/chain.pem"
key_file = "hub.centre/key.pem"
trust_file = "hub.centre/listener-trust.pem"
[admin]
listen = "127.0.0.1:0"
trust_file = "hub.centre/admin-trust.pem"
"#;
        assert!(text.contains(from), "{from}");
        let file = self.path().join("hub.toml");
        fs::write(&file, text.replace(from, to)).unwrap();
        mesh_rt::config::load(&file).unwrap()
    }

    /// The object that lets `issued` in, who is called `name` below the mesh domain.
    pub(crate) fn key_of(&self, name: &str, issued: &Issued) -> Object {
        let node = format!("{name}.mesh.ir");
        Object::LinkKey(LinkKey { node, spki_sha256: issued.spki_sha256 })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A centre that runs until [`Self::stop`].
pub(crate) struct Running<'f> {
    pub(crate) files: &'f Files,
    admin: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    runs: tokio::task::JoinHandle<()>,
}

impl<'f> Running<'f> {
    pub(crate) async fn start(files: &'f Files) -> Self {
        Self::with(files, files.config("mesh.ir", "mesh.ir")).await
    }

    pub(crate) async fn with(files: &'f Files, config: Config) -> Self {
        let bound = Bound::build(config).await.unwrap();
        let admin = bound.admin_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let runs = tokio::spawn(async {
            let stopped = async {
                let _ = stopped.await;
                Ok(())
            };
            bound.run(stopped).await.unwrap();
        });
        Self { files, admin, stop, runs }
    }

    /// A connection of `operator` to the admin port, or why there is none.
    pub(crate) async fn dial(&self, operator: &Issued) -> Result<Channel, String> {
        let identity = Identity::load(&operator.chain_file, &operator.key_file).unwrap();
        let trust = Trust::load(&self.files.pki.ca_file(&Subtree::Centre)).unwrap();
        let mesh = self.files.mesh.clone();
        let connector = Connector::new(&identity, trust, NodeName::Centre, mesh).unwrap();
        let endpoint = mesh_endpoint("https://hub.centre.mesh.ir".parse().unwrap());
        let link = endpoint.connect_with_connector(TcpDialer::new(self.admin, connector)).await;
        link.map_err(|error| explain(&error).unwrap())
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.runs.await.unwrap();
    }
}
