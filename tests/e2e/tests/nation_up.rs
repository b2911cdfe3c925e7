//! `cargo xtask up` as a person runs it, with the sample nation: its story goes as it is written.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::bed::bins;
use serde_json::Value;

#[test]
fn a_counter_prepares_a_licence_and_the_law_is_seen_to_hold() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nation/sample/nation.toml");
    let output = Command::new(bins().join("nation"))
        .args(["--once", "--json", "--plan"])
        .arg(&plan)
        .stdin(Stdio::null())
        .output()
        .expect("the launcher runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}{out}");
    let told: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    println!("{}", told[0]);
    let of = |event: &str| told.iter().filter(|step| step["event"] == event).collect::<Vec<_>>();

    let inquiries = of("inquiry");
    let hops = |step: &Value| -> Vec<String> {
        let hops = step["hops"].as_array().into_iter().flatten();
        hops.filter_map(|hop| hop["hop"].as_str().map(str::to_owned)).collect()
    };
    let counter: Vec<_> =
        inquiries.iter().filter(|step| step["consumer"] == "ir/com/counter-1021/desk").collect();
    let answered = counter.iter().filter(|step| step["refused"].is_null());
    let mut clusters = BTreeSet::new();
    let mut base_databases = BTreeSet::new();
    for step in answered {
        let hops = hops(step);
        assert_eq!(hops[1..3], ["hub.communications", "hub.centre"], "{step}");
        match hops[3].strip_prefix("hub.") {
            Some(cluster) => clusters.insert(cluster.to_owned()),
            None => base_databases.insert(hops[3].clone()),
        };
    }
    assert_eq!((clusters.len(), base_databases.len()), (5, 2), "{clusters:?} {base_databases:?}");

    let inside = inquiries.iter().find(|step| hops(step).len() == 3).expect("inside a cluster");
    assert!(!hops(inside).contains(&"hub.centre".into()), "{inside}");
    let refused: Vec<_> = inquiries.iter().filter(|step| !step["refused"].is_null()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["answer"]["mender"], "registrar", "{}", refused[0]);
    assert_eq!(of("dial")[0]["alert"], "UnknownCA", "{out}");
    let programs = of("memory")[0]["programs"].as_array().map_or(0, Vec::len);
    assert_eq!(programs, 4, "hub-central, hub-cluster, agent, sample-registry");
}
