//! A cluster's hub at its start: the files it loads, and the centre it takes for one.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use hub_cluster::{Bound, Config};
use mesh_certs::{DirectoryKey, Issued, LocalPki};
use mesh_core::directory::{LinkKey, Objects};
use mesh_core::node::MeshDomain;
use mesh_node::LiveDirectory;
use mesh_node::directory::{DirectorySigner, Stored};
use mesh_node::told::Kept;
use mesh_rt::exit::{CmdError, Rehearse as _, sentence};
use mesh_rt::tls::{Acceptor, Admit, Identity, Trust, explain};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::TcpListener;

/// A hub's files in one folder, and two centres of which the directory lists the first.
struct Files {
    folder: tempfile::TempDir,
    mesh: MeshDomain,
    listed: Issued,
    replaced: Issued,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let now = SystemTime::now();
        let clusters = ["health".parse().unwrap()];
        let pki = LocalPki::create(&folder.path().join("pki"), &mesh, clusters, now).unwrap();
        let issue = |name: &str, place: &str| {
            let name = mesh.parse_node(&format!("{name}.mesh.ir")).unwrap();
            pki.issue(&name, &folder.path().join(place), now).unwrap()
        };
        let listed = issue("hub.centre", "listed");
        let replaced = issue("hub.centre", "replaced");
        issue("hub.health", "hub");
        let spki_sha256 = listed.spki_sha256;
        let link_keys = vec![LinkKey { node: "hub.centre.mesh.ir".into(), spki_sha256 }];
        let objects = Objects { link_keys, ..Objects::default() };
        let key = DirectoryKey::create(folder.path()).unwrap();
        let signer = DirectorySigner::load(&key.signing_key_file).unwrap();
        let stored = Stored { epoch: 1, revision: 1, objects, ..Stored::default() };
        let told = LiveDirectory::from_registry(mesh.clone(), stored, signer).unwrap();
        let (mut kept, _) = Kept::open(&folder.path().join("state")).unwrap();
        kept.keep_whole(&told.whole()).unwrap();
        Self { folder, mesh, listed, replaced }
    }

    /// The configuration, with `from` replaced by `to`.
    fn config(&self, upper: SocketAddr, (from, to): (&str, &str)) -> Config {
        let text = r#"cluster = "health"
directory = { key_file = "directory.pem", state_dir = "state" }
mesh = { id = "ir", domain = "mesh.ir" }
listen = { mesh = "127.0.0.1:0" }
[tls]
chain_file = "hub/chain.pem"
key_file = "hub/key.pem"
trust_file = "hub/listener-trust.pem"
[upper]
address = "UPPER"
trust_file = "hub/trust.pem"
[admin]
listen = "127.0.0.1:0"
trust_file = "hub/admin-trust.pem"
"#;
        assert!(text.contains(from), "{from}");
        let file = self.path().join("hub.toml");
        let text = text.replace("UPPER", &upper.to_string()).replace(from, to);
        fs::write(&file, text).unwrap();
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
    let upper = "127.0.0.1:1".parse().unwrap();
    files.config(upper, ("health", "health")).rehearse().unwrap();
    #[rustfmt::skip]
    let cases = [
        // Replace, by, and what is said after the folder.
        ("directory.pem", "empty",   "empty: has no public key in PEM form"),
        ("hub/key",       "listed/key",
         "listed/key.pem: is not the private key of the first certificate in"),
        ("hub/listener-", "absent-", "absent-trust.pem: cannot be read"),
        ("hub/trust.pem", "empty",   "empty: has no certificate in PEM form"),
        ("hub/admin-",    "absent-", "absent-trust.pem: cannot be read"),
        ("\"health\"",    "\"tax\"",
         "hub/chain.pem: the certificate names hub.health.mesh.ir, and the configuration \
          hub.tax.mesh.ir"),
    ];
    for (from, to, want) in cases {
        let error = files.config(upper, (from, to)).rehearse().expect_err(want);
        assert!(matches!(error, CmdError::Usage(_)), "{from} → {to}: {error:?}");
        let said = sentence(&error);
        assert!(said.contains(&format!("{}/{want}", files.path().display())), "{said}");
    }
}

/// What the first dial of a hub is to a centre that shows `centre`.
async fn dialled(files: &Files, centre: &Issued) -> Result<String, String> {
    let identity = Identity::load(&centre.chain_file, &centre.key_file).unwrap();
    let trust = Trust::load(centre.listener_trust_file.as_ref().unwrap()).unwrap();
    let acceptor = Acceptor::new(&identity, trust, Admit::CentreListener, files.mesh.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = files.config(listener.local_addr().unwrap(), ("health", "health"));
    let bound = Bound::build(config, StdRng::seed_from_u64(7)).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(bound.run(async {
        let _ = stopped.await;
        Ok(())
    }));
    let (socket, _) = listener.accept().await.unwrap();
    let accepted = acceptor.accept(socket).await;
    let told = accepted.map(|link| link.peer().node.to_string());
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    told.map_err(|error| explain(&error).unwrap())
}

#[tokio::test]
async fn a_centre_whose_key_the_directory_does_not_list_is_refused() {
    let files = Files::new();
    assert_eq!(dialled(&files, &files.listed).await, Ok("hub.health".into()));
    // Issued by the same authority for the same name: the certificate alone would do.
    let refused = dialled(&files, &files.replaced).await.unwrap_err();
    assert!(refused.contains("the peer refused our certificate"), "{refused}");
}
