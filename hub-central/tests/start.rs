//! The national hub at its start: the files it loads, and the operators it lets in.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use hub_central::{Bound, Config};
use mesh_certs::{Issued, LocalPki};
use mesh_core::directory::{LinkKey, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::{MeshDomain, NodeName, Subtree};
use mesh_proto::directory::write_snapshot;
use mesh_rt::exit::{CmdError, Rehearse as _, sentence};
use mesh_rt::server::mesh_endpoint;
use mesh_rt::tls::{Connector, Identity, TcpDialer, Trust, explain};

/// A centre's files in one folder, and two operators of whom the directory lists the first.
struct Files {
    folder: tempfile::TempDir,
    mesh: MeshDomain,
    pki: LocalPki,
    listed: Issued,
    stranger: Issued,
}

impl Files {
    fn new() -> Self {
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
        let link_keys = [&centre, &listed].map(|(name, issued)| LinkKey {
            node: mesh.dns_name(name),
            spki_sha256: issued.spki_sha256,
        });
        let objects = Objects { link_keys: link_keys.into(), ..Objects::default() };
        let position = DirectoryPosition { epoch: 1, revision: 1, root: None };
        let snapshot = write_snapshot(&mesh, position, &objects);
        fs::write(folder.path().join("directory.pb"), snapshot).unwrap();
        Self { listed: listed.1, stranger, folder, mesh, pki }
    }

    /// The configuration, with `from` replaced by `to`.
    fn config(&self, from: &str, to: &str) -> Config {
        let text = r#"directory_file = "directory.pb"
mesh = { id = "ir", domain = "mesh.ir" }
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

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn a_rehearsal_loads_every_file() {
    let files = Files::new();
    fs::write(files.path().join("empty"), "").unwrap();
    files.config("mesh.ir", "mesh.ir").rehearse().unwrap();
    #[rustfmt::skip]
    let cases = [
        // Replace, by, and what is said after the folder.
        ("directory.pb",           "empty",
         "empty: is no whole snapshot, fetch it again"),
        ("hub.centre/chain.pem",   "empty",
         "empty: has no certificate in PEM form"),
        ("hub.centre/key.pem",     "hub.health/key.pem",
         "hub.health/key.pem: is not the private key of the first certificate in"),
        ("hub.centre/listener-",   "hub.centre/absent-",
         "hub.centre/absent-trust.pem: cannot be read"),
        ("hub.centre/admin-trust", "hub.centre/chain",
         "hub.centre/chain.pem: certificate 1 is of no authority"),
        ("hub.centre",             "hub.health",
         "hub.health/chain.pem: the certificate names hub.health.mesh.ir, and the configuration \
          hub.centre.mesh.ir"),
    ];
    for (from, to, want) in cases {
        let error = files.config(from, to).rehearse().expect_err(want);
        assert!(matches!(error, CmdError::Usage(_)), "{from} → {to}: {error:?}");
        let said = sentence(&error);
        assert!(said.contains(&format!("{}/{want}", files.path().display())), "{said}");
    }
}

#[tokio::test]
async fn an_operator_whose_key_the_directory_does_not_list_is_not_let_in() {
    let files = Files::new();
    let bound = Bound::build(files.config("mesh.ir", "mesh.ir")).await.unwrap();
    let admin = bound.admin_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(bound.run(async {
        let _ = stopped.await;
        Ok(())
    }));
    let dial = async |operator: &Issued| {
        let identity = Identity::load(&operator.chain_file, &operator.key_file).unwrap();
        let trust = Trust::load(&files.pki.ca_file(&Subtree::Centre)).unwrap();
        let mesh = files.mesh.clone();
        let connector = Connector::new(&identity, trust, NodeName::Centre, mesh).unwrap();
        let endpoint = mesh_endpoint("https://hub.centre.mesh.ir".parse().unwrap());
        let link = endpoint.connect_with_connector(TcpDialer::new(admin, connector)).await;
        link.map(drop).map_err(|error| explain(&error).unwrap())
    };
    assert_eq!(dial(&files.listed).await, Ok(()));
    let want = "the peer refused our certificate: its key is not active; check our node's entry \
                in the directory";
    assert_eq!(dial(&files.stranger).await, Err(want.into()));
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
