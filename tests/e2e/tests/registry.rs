//! Changes of the registry reach running nodes: no restart, no half-made change, and nobody is
//! taken back.

use std::path::{Path, PathBuf};

use e2e::Bed;
use e2e::bed::{CARDS, DESK, HOPS};
use nation::running::Printed;
use serde_json::Value;

/// A service that the desk may not use at first.
const SECRET: &str = "ir/gov/care/cards/secret.v1";

fn write(bed: &Bed, name: &str, text: &str) -> PathBuf {
    let path = bed.scratch().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// The terms that the desk lacks.
fn terms(purpose: &str) -> String {
    format!(
        "[[agreements]]\ntitle = \"desk-secret\"\nconsumer = \"{DESK}\"\nservice = \"{SECRET}\"\n\
         operations = [\"get\"]\npurposes = [\"{purpose}\"]\n"
    )
}

/// A change that does no harm: a cluster more.
fn cluster(bed: &Bed, name: &str) -> PathBuf {
    let text = format!(
        "[[clusters]]\nid = \"energy\"\nname_fa = \"\"\nname_en = \"{name}\"\nhub = false\n"
    );
    write(bed, "cluster.toml", &text)
}

fn hubctl(bed: &Bed, args: &[&str]) -> Printed {
    tokio::task::block_in_place(|| bed.nation.hubctl(args)).expect("hubctl runs")
}

/// What `hubctl apply` tells, which must succeed.
fn apply(bed: &Bed, file: &Path, more: &[&str]) -> Value {
    let file = file.display().to_string();
    let args = [&["apply", "-f", &file, "-o", "json"], more].concat();
    let printed = hubctl(bed, &args);
    assert!(printed.success, "{printed:?}");
    serde_json::from_str(&printed.out).unwrap_or_else(|why| panic!("{why}: {printed:?}"))
}

/// The complaint of a call that must fail.
fn complaint(bed: &Bed, args: &[&str]) -> String {
    let printed = hubctl(bed, args);
    assert!(!printed.success, "{printed:?}");
    assert_eq!(printed.err.lines().count(), 1, "{printed:?}");
    printed.err
}

fn revision(bed: &Bed, node: &str) -> (u64, u64) {
    let status = bed.status(node);
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    (number("directory_epoch"), number("directory_revision"))
}

async fn secret(bed: &Bed) -> (u16, String) {
    let answer = bed.ask_of(SECRET, "GET", "/").send().await;
    let reason = answer.headers.get("x-road-error").and_then(|value| value.to_str().ok());
    (answer.status, reason.unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_in_force_everywhere_without_a_restart() {
    let bed = Bed::start().await;
    let file = cluster(&bed, "Energy");
    let dry = apply(&bed, &file, &["--dry-run"]);
    println!("dry run: {}", dry["counts"]);
    assert_eq!(dry["counts"]["add"], 1);
    assert_eq!((dry["epoch"].as_u64(), dry["revision"].as_u64()), (Some(3), Some(7)));

    let applied = apply(&bed, &file, &["--reason", "asked for by the ministry"]);
    println!("in force: {}", applied["reach"]);
    assert_eq!(applied["revision"], 8);
    let nodes = bed.nation.layout.nodes.len();
    assert_eq!(applied["reach"]["in_force"], nodes, "{applied}");
    for node in HOPS {
        assert_eq!(revision(&bed, node), (3, 8), "{node}");
    }
    bed.wait_log("hub.centre", &["registry changed", "operator", "asked for by the ministry"], 1)
        .await;

    // Nothing more to do, and then away with it: it alone is what the files do not mention.
    assert_eq!(apply(&bed, &file, &[])["changes"], serde_json::json!([]));
    let registry = bed.scratch().join("registry.toml");
    let rest = without_cluster(&bed);
    std::fs::write(&registry, rest).expect("written");
    let pruned = apply(&bed, &registry, &["--prune"]);
    assert_eq!(pruned["changes"][0]["key"], "cluster/energy", "{pruned}");
    assert_eq!(pruned["counts"]["remove"], 1);
    assert_eq!(bed.ask("GET", "/cards/1").send().await.status, 200, "others go on");
}

/// All objects but the cluster, agreements and keys, as a source.
fn without_cluster(bed: &Bed) -> String {
    let kinds = ["clusters", "agencies", "systems", "services"];
    let arrays = kinds.iter().map(|kind| {
        let printed = hubctl(bed, &["get", kind, "-o", "json"]);
        let objects: Value = serde_json::from_str(&printed.out).expect("JSON");
        let objects = objects.as_array().expect("an array").iter();
        let kept = objects.filter(|object| object["id"] != "energy");
        let kept: Vec<&Value> = kept.collect();
        (kind.to_string(), serde_json::json!(kept))
    });
    let mut objects: serde_json::Map<String, Value> = arrays.collect();
    drop_nulls(&mut objects);
    toml::to_string(&objects).expect("TOML")
}

/// TOML has no null.
fn drop_nulls(objects: &mut serde_json::Map<String, Value>) {
    for object in objects.values_mut().filter_map(Value::as_array_mut).flatten() {
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_catches_up_and_nobody_forgets() {
    let mut bed = Bed::start().await;
    let (desk, hub) = (HOPS[0], HOPS[1]);
    bed.nation.process(desk).expect("it runs").kill();
    bed.agree(&terms("licence-issue"));
    assert_eq!(revision(&bed, "hub.centre"), (3, 8));
    bed.nation.restart(desk).expect("it starts again");
    bed.wait_ready();
    wait_revision(&bed, desk, (3, 8)).await;
    assert_eq!(secret(&bed).await.0, 404, "what it missed is in force");

    // The hub goes, a change comes, the hub returns with its own copy and hands the rest on.
    bed.nation.process(hub).expect("it runs").kill();
    apply(&bed, &cluster(&bed, "Energy"), &["--no-wait"]);
    bed.nation.restart(hub).expect("it starts again");
    bed.wait_ready();
    for node in [hub, desk] {
        wait_revision(&bed, node, (3, 9)).await;
    }

    // The centre is killed: what it acknowledged is there when it comes back, and goes on.
    bed.nation.process("hub.centre").expect("it runs").kill();
    bed.nation.restart("hub.centre").expect("it starts again");
    bed.wait_ready();
    assert_eq!(revision(&bed, "hub.centre"), (3, 9));
    let applied = apply(&bed, &cluster(&bed, "Power"), &[]);
    assert_eq!(applied["revision"], 10, "{applied}");
    for node in HOPS {
        wait_revision(&bed, node, (3, 10)).await;
    }
}

async fn wait_revision(bed: &Bed, node: &str, want: (u64, u64)) {
    for _ in 0..600 {
        if revision(bed, node) == want {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{node} stands at {:?}, want {want:?}:\n{}", revision(bed, node), bed.log(node));
}

/// A system that moves away loses the link that it has at its old home, at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_the_directory_no_longer_lets_its_node_in() {
    let bed = Bed::start().await;
    let system = |cluster: &str| {
        let text =
            format!("[[systems]]\naddress = \"ir/gov/care/cards\"\ncluster = \"{cluster}\"\n");
        write(&bed, &format!("{cluster}.toml"), &text)
    };
    bed.wait_answered("/cards/1").await;
    let economy = system("economy").display().to_string();
    let said = complaint(&bed, &["apply", "--no-wait", "-f", &economy]);
    assert!(said.contains("done, and it cuts off cards.care.gov.health"), "{said}");
    bed.wait_log("hub.health", &["link cut", "NODE_UNKNOWN", "cards.care.gov.health"], 2).await;
    for node in ["hub.centre", "hub.economy", HOPS[0]] {
        wait_revision(&bed, node, (3, 8)).await;
    }
    let answer = bed.ask("GET", "/cards/1").send().await;
    println!("moved away: {:?}", answer.problem());
    assert_eq!(answer.problem(), ("PROVIDER_UNREACHABLE".into(), "cards.care.gov.economy".into()));

    // Its certificate is good for its old home alone, to which it comes back.
    apply(&bed, &system("health"), &["--no-wait"]);
    bed.wait_answered("/cards/1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_whole() {
    let bed = Bed::start().await;
    let path = |path: &Path| path.display().to_string();
    let wrong = path(&write(
        &bed,
        "wrong.toml",
        "[[clusters]]\nid = \"energy\"\nname_fa = \"\"\nname_en = \"\"\nhub = true\n\n\
         [[systems]]\naddress = \"ir/gov/nobody/desk\"\n",
    ));
    let said = complaint(&bed, &["apply", "-f", &wrong]);
    println!("{said}");
    let want = "wrong.toml:7: system ir/gov/nobody/desk names ir/gov/nobody, which is not in the \
                directory";
    assert!(said.contains(want), "{said}");

    let torn = path(&write(&bed, "torn.toml", "[[clusters]]\nid = \"Energy\"\n"));
    let said = complaint(&bed, &["apply", "-f", &torn]);
    println!("{said}");
    assert!(said.contains("torn.toml:2: cluster id has 'E' at byte 0"), "{said}");

    let empty = path(&write(&bed, "empty.toml", "# nothing yet\n"));
    let said = complaint(&bed, &["apply", "-f", &empty, "--prune"]);
    println!("{said}");
    assert!(said.contains("empty.toml: holds no object"), "{said}");

    // What an agreement names cannot go alone.
    let registry = without_cluster(&bed);
    let (before, _) = registry.split_once("[[services]]").expect("it has services");
    let cut = path(&write(&bed, "cut.toml", before));
    let said = complaint(&bed, &["apply", "-f", &cut, "--prune", "--yes"]);
    println!("{said}");
    assert!(
        said.contains("agreement ") && said.contains(", which is not in the directory"),
        "{said}"
    );

    let said = complaint(&bed, &["describe", "service", "ir/gov/care/cards/none.v1"]);
    println!("{said}");
    assert!(said.contains("the registry has no service ir/gov/care/cards/none.v1"), "{said}");
    for node in HOPS {
        assert_eq!(revision(&bed, node), (3, 7), "{node}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_tells_what_it_holds() {
    let bed = Bed::start().await;
    let systems = hubctl(&bed, &["get", "systems"]).out;
    println!("{systems}");
    assert!(systems.lines().any(|line| line.contains(DESK) && line.contains("hub.economy")));
    let described = hubctl(&bed, &["describe", "service", CARDS]).out;
    println!("{described}");
    for words in ["GET /cards/{id}", DESK, "for licence-issue", "desk-cards", "hub.health"] {
        assert!(described.contains(words), "{words}: {described}");
    }
    let id = bed.agreement("desk-cards").to_string();
    let one = hubctl(&bed, &["get", "agreement", &id[..16], "-o", "json"]).out;
    let one: Value = serde_json::from_str(&one).expect("JSON");
    assert_eq!(one[0]["consumer"], DESK);
    // Only the centre has a registry, and only operators reach it.
    let elsewhere = hubctl(&bed, &["get", "link-keys"]).out;
    assert!(elsewhere.contains("hub.centre.mesh.test"), "{elsewhere}");
}
