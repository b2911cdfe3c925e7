//! The key of the directory is rotated in a nation that runs, and a hub whose disk is full goes on.

use std::path::Path;
use std::time::Duration;

use e2e::Bed;
use e2e::bed::HOPS;
use mesh_certs::DirectoryKey;
use mesh_core::exchange::Digest;

fn apply(bed: &Bed, name: &str, text: &str) {
    let file = bed.scratch().join(name);
    std::fs::write(&file, text).expect("written");
    let args = ["apply", "-f", &file.display().to_string()];
    let applied = tokio::task::block_in_place(|| bed.nation.hubctl(&args)).expect("hubctl runs");
    assert!(applied.success, "{applied:?}");
}

/// What `hubctl status` says of the revision of a node.
fn revision(bed: &Bed, node: &str) -> u64 {
    bed.status(node)["directory_revision"].as_u64().unwrap_or_default()
}

async fn wait_revision(bed: &Bed, node: &str, want: u64) {
    for _ in 0..1200 {
        if revision(bed, node) == want {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{node} stands at {}, want {want}:\n{}", revision(bed, node), bed.log(node));
}

fn swap(file: &Path, from: &Path, to: &Path) {
    let text = std::fs::read_to_string(file).expect("it is there");
    let (from, to) = (format!("{from:?}"), format!("{to:?}"));
    assert!(text.contains(&from), "{from} is not in:\n{text}");
    std::fs::write(file, text.replace(&from, &to)).expect("written");
}

const LATER: &str =
    "[[agencies]]\naddress = \"ir/gov/later\"\nname_fa = \"\"\nname_en = \"Later\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_announced_signs_what_comes_after() {
    let mut bed = Bed::start().await;
    let old = bed.nation.layout.directory_key.signing_key_file.clone();
    let next = DirectoryKey::create(&bed.scratch().join("next")).expect("a key");
    let config = bed.node("hub.centre").config.clone();

    // Before it is announced, no node would believe it: the centre does not even start with it.
    swap(&config, &old, &next.signing_key_file);
    bed.nation.process("hub.centre").expect("it runs").kill();
    let mut centre = std::process::Command::new(e2e::bed::bins().join("hub-central"));
    let centre = centre.arg("--config").arg(&config).output();
    let said = String::from_utf8_lossy(&centre.expect("it runs").stderr).into_owned();
    println!("{said}");
    assert!(said.contains("no node would believe what it signs"), "{said}");
    swap(&config, &next.signing_key_file, &old);
    bed.nation.restart("hub.centre").expect("it starts again");
    bed.wait_ready();

    let public_key = Digest(next.public_key);
    apply(&bed, "key.toml", &format!("[[directory_keys]]\npublic_key = \"{public_key}\"\n"));
    for node in HOPS {
        wait_revision(&bed, node, 8).await;
    }
    swap(&config, &old, &next.signing_key_file);
    bed.nation.process("hub.centre").expect("it runs").kill();
    bed.nation.restart("hub.centre").expect("it starts again");
    bed.wait_ready();
    apply(&bed, "later.toml", LATER);
    for node in HOPS {
        wait_revision(&bed, node, 9).await;
    }
    bed.wait_answered("/cards/1").await;

    // What was kept is signed with both keys, and is read again.
    bed.nation.process("hub.economy").expect("it runs").kill();
    bed.nation.restart("hub.economy").expect("it starts again");
    bed.wait_ready();
    wait_revision(&bed, "hub.economy", 9).await;
    assert!(!bed.log("hub.economy").contains("cannot be used"), "{}", bed.log("hub.economy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_cannot_write_goes_on_says_so_and_writes_when_it_can() {
    let bed = Bed::start().await;
    let state = bed.node("hub.economy").state.clone();
    let aside = bed.scratch().join("aside");
    // The journal that is open can still be added to; the heartbeat is a file made anew.
    std::fs::rename(&state, &aside).expect("moved");
    apply(&bed, "later.toml", LATER);
    wait_revision(&bed, "hub.economy", 8).await;
    println!("{}", wait_trouble(&bed, true).await);
    bed.wait_answered("/cards/1").await;
    std::fs::rename(&aside, &state).expect("moved back");
    apply(&bed, "more.toml", &LATER.replace("later", "more"));
    wait_revision(&bed, "hub.economy", 9).await;
    wait_trouble(&bed, false).await;
}

/// Waits until the hub has trouble with its files, or has none any more.
async fn wait_trouble(bed: &Bed, wanted: bool) -> String {
    for _ in 0..600 {
        let status = bed.status("hub.economy");
        let trouble = &status["following"]["file_trouble"];
        if trouble.is_string() == wanted {
            return trouble.to_string();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("want trouble {wanted}:\n{}", bed.log("hub.economy"));
}
