//! What a node makes of a directory that it should not believe, of one that does not come, and of
//! its own files.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mesh_core::reason::Reason::DirectoryStale;

use crate::bed::{Bed, HOPS, bins};
use crate::client::Ask;
use crate::false_centre;
use crate::scenario::Act::Do;
use crate::scenario::At::ConsumersAgent as Here;
use crate::scenario::Want::{GoesOn, NotStarted, NotTaken, Refused};
use crate::scenario::{Group, LeftOut, Scenario, Seen, case};
use crate::told::{self, Signer, Told};
use crate::victim::Victim;

pub const DIRECTORY: Group = Group {
    title: "Configuration distribution",
    cases: CASES,
    left_out: &[
        LeftOut {
            name: "registry_snapshot_no_expiry",
            why: "what is signed has no end: that it still holds, a heartbeat says every 5 s",
        },
        LeftOut {
            name: "registry_failover",
            why: "every neighbour has one address; replicas of the centre are still to come",
        },
    ],
    breaks_links: false,
};

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// What becomes of a hub whose centre tells it `alter` of what the real one told.
async fn offered(bed: &Bed, name: &str, alter: impl Fn(&Told) -> Told) -> Seen {
    let told = alter(&told::record(bed).await);
    let centre = false_centre::start(bed, Arc::new(move |_| told.clone())).await;
    let mut victim = Victim::start(bed, ("hub.economy", name), centre, &[], |_| {});
    let why = victim.refusal().await;
    let status = victim.until(|_| true).await;
    victim.kill();
    // It has what it had.
    if revision_of(&status, "nation") != nation_revision(bed) {
        return Seen::Exit { code: None, said: format!("it was taken: {status}") };
    }
    Seen::NotTaken(why)
}

fn revision_of(status: &serde_json::Value, scope: &str) -> Option<u64> {
    let heads = status["following"]["heads"].as_array()?;
    heads.iter().find(|head| head["scope"] == scope)?["revision"].as_u64()
}

fn nation_revision(bed: &Bed) -> Option<u64> {
    revision_of(&bed.status("hub.economy"), "nation")
}

/// An older directory, genuine in every part, is offered to a hub that has a newer one.
async fn rolled_back(bed: &Bed) -> Seen {
    let old = told::record(bed).await;
    let before = nation_revision(bed);
    let file = bed.scratch().join("later.toml");
    let text = "[[agencies]]\naddress = \"ir/gov/later\"\nname_fa = \"\"\nname_en = \"Later\"\n";
    std::fs::write(&file, text).expect("written");
    let args = ["apply", "-f", &file.display().to_string()];
    let applied = tokio::task::block_in_place(|| bed.nation.hubctl(&args)).expect("hubctl runs");
    assert!(applied.success, "{applied:?}");
    // Told when it is on disk, too.
    let later = format!("\"revision\":{}", before.expect("it was told") + 1);
    bed.wait_log("hub.economy", &["directory taken", &later], 1).await;
    offered(bed, "rollback", |_| told::repeated(&old)).await
}

/// A hub that finds its file changed, and its centre there.
async fn tampered(bed: &Bed) -> Seen {
    let centre = bed.node("hub.centre").mesh.expect("it listens");
    let spoil = |state: &Path| {
        let file = state.join("directory");
        let mut content = std::fs::read(&file).expect("it was told something");
        let middle = content.len() / 2;
        content[middle] ^= 1;
        // A crash tears an end off; this is in the middle.
        content.extend_from_slice(&[7; 64]);
        std::fs::write(&file, content).expect("written");
    };
    let mut victim = Victim::start(bed, ("hub.economy", "tampered"), centre, &[], spoil);
    victim.until(|status| revision_of(status, "nation") == nation_revision(bed)).await;
    let log = std::fs::read_to_string(&victim.log).expect("it has a log");
    let aside = victim.state.join("directory.set-aside").exists();
    victim.kill();
    let told = log.contains("the directory on disk cannot be used") && aside;
    if told { Seen::GoesOn } else { Seen::Exit { code: None, said: log } }
}

/// A hub that starts while its centre is away.
async fn unreachable(bed: &Bed) -> Seen {
    let nowhere = NOWHERE.parse().expect("an address");
    let mut victim = Victim::start(bed, ("hub.economy", "alone"), nowhere, &[], |_| {});
    let status = victim.until(|status| status["state"] == "waiting").await;
    victim.kill();
    if revision_of(&status, "nation") == nation_revision(bed) {
        return Seen::GoesOn;
    }
    Seen::Exit { code: None, said: status.to_string() }
}

/// An agent that has not heard of the centre for longer than it may go on.
async fn stale(bed: &Bed) -> Seen {
    let (nowhere, local): (SocketAddr, _) = (NOWHERE.parse().expect("an address"), free_port());
    let node = bed.node(HOPS[0]);
    let own = node.local.expect("an agent has a local port");
    let swaps = [
        (format!("listen = \"{own}\""), format!("listen = \"{local}\"")),
        ("[tls]".to_owned(), "island_life_s = 1\nisland_life_sensitive_s = 1\n\n[tls]".to_owned()),
    ];
    let mut victim = Victim::start(bed, (HOPS[0], "stale"), nowhere, &swaps, |_| {});
    victim.until(|status| status["following"]["freshness"] == "stale").await;
    let path = format!("/r1/{}/cards/1", crate::bed::CARDS);
    let ask = Ask::new(local, "GET", &path).header("x-road-client", crate::bed::DESK);
    let answer = ask.send().await;
    victim.kill();
    Seen::Answer(answer)
}

/// The centre stops without a word, as a machine that hangs, while a cluster goes on.
async fn hangs(bed: &Bed) -> Seen {
    let mut processes = bed.nation.processes();
    let centre = processes.find(|process| process.name() == "hub.centre").expect("it runs");
    centre.freeze();
    bed.wait_log("hub.health", &["the directory feed was interrupted"], 1).await;
    let local = bed.local("desk.care.gov.health");
    let path = format!("/r1/{}/cards/1", crate::bed::CARDS);
    let inside = Ask::new(local, "GET", &path).header("x-road-client", "ir/gov/care/desk");
    let answer = inside.send().await;
    centre.thaw();
    bed.wait_answered("/cards/1").await;
    match answer.status {
        200 => Seen::GoesOn,
        _ => Seen::Answer(answer),
    }
}

/// Starts a hub whose `key_file` has this content, or is not there.
fn key_file(bed: &Bed, content: Option<&str>) -> Seen {
    let node = bed.node("hub.economy");
    let key = bed.scratch().join("directory-key.pem");
    let _ = std::fs::remove_file(&key);
    if let Some(content) = content {
        std::fs::write(&key, content).expect("written");
    }
    let sound = std::fs::read_to_string(&node.config).expect("every node has a configuration");
    let old = format!("{:?}", bed.nation.layout.directory_key.key_file);
    assert!(sound.contains(&old), "{old}");
    let file = bed.scratch().join("hub-key.toml");
    std::fs::write(&file, sound.replacen(&old, &format!("{key:?}"), 1)).expect("written");
    let mut program = std::process::Command::new(bins().join("hub-cluster"));
    let output = program.arg("--config").arg(&file).arg("--check-config").output();
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Seen::Exit { code: output.status.code(), said }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("registry_snapshot_expired", "an agent has not heard from the centre for longer than it \
        may go on by itself",
        Do(|bed| Box::pin(stale(bed))), Refused(503, DirectoryStale, Here)),
    case("registry_snapshot_header", "what the centre signed is no directory",
        Do(|bed| Box::pin(offered(bed, "header", |told| {
            told::garbage(told, &Signer::genuine(bed))
        }))),
        NotTaken("it cannot be read")),
    case("registry_snapshot_unknown_signer", "a directory signed with a key that the node does not \
        know",
        Do(|bed| Box::pin(offered(bed, "signer", |told| {
            told::renumbered(told, &Signer::unknown(bed))
        }))),
        NotTaken("no key of the directory that this node knows")),
    case("registry_snapshot_bad_signature", "a directory whose signature is not of its content",
        Do(|bed| Box::pin(offered(bed, "signature", |told| {
            told::flipped(told, &Signer::genuine(bed))
        }))),
        NotTaken("its signature is wrong")),
    case("registry_part_hash_mismatch", "a signed change that does not follow what the node has",
        Do(|bed| Box::pin(async {
            let revision = nation_revision(bed).expect("it was told");
            offered(bed, "unlinked", |_| told::unlinked(revision, &Signer::genuine(bed))).await
        })),
        NotTaken("does not follow")),
    case("registry_wrong_instance", "the directory of another mesh, signed with the same key",
        Do(|bed| Box::pin(offered(bed, "instance", |told| {
            told::renumbered(told, &Signer::of_another_mesh(bed))
        }))),
        NotTaken("it is of another mesh")),
    case("registry_rollback", "an older directory, genuine in every part",
        Do(|bed| Box::pin(rolled_back(bed))), NotTaken("ahead of the node above")),
    case("registry_file_tampered", "a node finds its file changed at its start: it sets it aside, \
        and is told anew",
        Do(|bed| Box::pin(tampered(bed))), GoesOn),
    case("registry_unreachable_last_good", "a hub starts while the centre is away: it has what it \
        was told before",
        Do(|bed| Box::pin(unreachable(bed))), GoesOn),
    case("registry_source_hangs", "the centre hangs: a cluster goes on inside, and all recovers",
        Do(|bed| Box::pin(hangs(bed))), GoesOn),
    case("trust_root_missing", "the key of the directory is not there",
        Do(|bed| Box::pin(async { key_file(bed, None) })),
        NotStarted("directory.key_file")),
    case("trust_root_malformed", "the file of the directory's key holds something else",
        Do(|bed| Box::pin(async { key_file(bed, Some("no key")) })),
        NotStarted("has no public key in PEM form")),
    case("trust_root_wrong_kind", "the file of the directory's key holds the private one",
        Do(|bed| Box::pin(async {
            let file = &bed.nation.layout.directory_key.signing_key_file;
            key_file(bed, Some(&std::fs::read_to_string(file).expect("it is there")))
        })),
        NotStarted("holds a private key")),
];
