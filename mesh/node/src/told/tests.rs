//! A node that starts again: what it was told is there, and what was tampered with is not.

use std::time::{Duration, SystemTime};

use mesh_certs::{DirectoryKey, LocalPki};
use mesh_core::directory::change::{Change, Object};
use mesh_core::directory::{Agency, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::island::Freshness;
use mesh_core::node::NodeName;
use mesh_rt::clock::ManualClock;
use mesh_rt::config::TlsFiles;
use mesh_rt::exit::Program;

use super::*;
use crate::directory::{DirectorySigner, Stored};
use crate::feed::taking;
use crate::node::{NodeFiles, Who};

/// A hub's files, and a centre that tells it.
struct Bed {
    folder: tempfile::TempDir,
    section: DirectorySection,
    named: Named,
    clock: Arc<dyn Clock>,
    centre: LiveDirectory,
}

fn agency(name: &str) -> Agency {
    let address = format!("ir/gov/{name}").parse().unwrap();
    Agency { address, name_fa: String::new(), name_en: String::new() }
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let (now, clusters) = (SystemTime::now(), ["health".parse().unwrap()]);
        let pki = LocalPki::create(&folder.path().join("pki"), &mesh, clusters, now).unwrap();
        let hub = NodeName::Hub("health".parse().unwrap());
        let issued = pki.issue(&hub, &folder.path().join("hub"), now).unwrap();
        let tls = TlsFiles {
            chain_file: issued.chain_file,
            key_file: issued.key_file,
            trust_file: issued.trust_file,
        };
        let program = Program { name: "test", version: "0" };
        let files = NodeFiles { mesh: &mesh, tls: &tls };
        let named = Named::load(&program, files, &Who::Node(hub)).unwrap();
        let key = DirectoryKey::create(folder.path()).unwrap();
        let text = format!(
            "key_file = {:?}\nstate_dir = {:?}\n",
            key.key_file,
            folder.path().join("state")
        );
        let signer = DirectorySigner::load(&key.signing_key_file).unwrap();
        let objects = Objects { agencies: vec![agency("tax")], ..Objects::default() };
        let stored = Stored { epoch: 1, revision: 1, objects, ..Stored::default() };
        let centre = LiveDirectory::from_registry(mesh, stored, signer).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_000_000));
        Self { section: toml::from_str(&text).unwrap(), folder, named, clock, centre }
    }

    fn open(&self) -> Told {
        Told::open(&self.section, &self.named, &self.clock).unwrap()
    }

    fn commit(&self, name: &str) {
        let put = Change::Put(Object::Agency(agency(name)));
        let prepared = self.centre.prepare(&[put], 1).unwrap();
        self.centre.publish(prepared);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }
}

/// Tells `told` what the centre has, as a feed would.
async fn tell(bed: &Bed, told: Told) -> Result<(), String> {
    bed.centre.beat(bed.clock.unix_ms()).unwrap();
    let Told { knows: Knows { directory, standing }, kept } = told;
    taking::tell(directory, standing, kept, bed.centre.whole()).await
}

#[tokio::test]
async fn what_was_told_is_there_after_a_restart_and_silence_goes_on_counting() {
    let bed = Bed::new();
    let new = bed.open();
    assert_eq!(new.knows.directory.heads().len(), 0, "it begins with nothing");
    assert!(new.knows.standing.serves(false).is_err());
    tell(&bed, new).await.unwrap();

    let again = bed.open();
    let position: DirectoryPosition = again.knows.standing.position();
    assert_eq!(position, bed.centre.position());
    assert_eq!(again.knows.directory.heads(), bed.centre.heads());
    assert_eq!(again.knows.standing.freshness(), Freshness::Fresh);
    assert_eq!(again.knows.standing.since_heard(), None, "nobody has spoken to it yet");
    drop(again);
    let later = ManualClock::new(bed.clock.unix_ms());
    later.advance(Duration::from_secs(16 * 60));
    let later: Arc<dyn Clock> = Arc::new(later);
    let late = Told::open(&bed.section, &bed.named, &later).unwrap();
    assert_eq!(late.knows.standing.freshness(), Freshness::StaleForSensitive);
}

#[tokio::test]
async fn a_file_that_is_wrong_is_set_aside_and_the_node_is_not_taken_back() {
    let bed = Bed::new();
    let old = bed.centre.whole();
    bed.commit("care");
    tell(&bed, bed.open()).await.unwrap();
    let mut content = std::fs::read(bed.file("directory")).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    content.extend_from_slice(&[7; 64]);
    std::fs::write(bed.file("directory"), content).unwrap();

    let Told { knows: Knows { directory, standing }, kept } = bed.open();
    assert_eq!(directory.heads().len(), 0, "nothing of it is believed");
    assert!(bed.file("directory.set-aside").exists());
    let refused = taking::tell(directory, standing, kept, old).await.unwrap_err();
    assert!(refused.contains("is older than"), "{refused}");
    tell(&bed, bed.open()).await.unwrap();
    assert_eq!(bed.open().knows.directory.heads(), bed.centre.heads());
}

#[tokio::test]
async fn a_torn_end_costs_only_what_was_being_written() {
    let bed = Bed::new();
    tell(&bed, bed.open()).await.unwrap();
    let whole = std::fs::read(bed.file("directory")).unwrap();
    std::fs::write(bed.file("directory"), [&whole[..], &[0, 0, 1]].concat()).unwrap();
    let again = bed.open();
    assert_eq!(again.knows.directory.heads(), bed.centre.heads());
    assert_eq!(std::fs::read(bed.file("directory")).unwrap(), whole);
    let second = Told::open(&bed.section, &bed.named, &bed.clock).unwrap_err().to_string();
    assert!(second.contains("another process uses it"), "{second}");
}
