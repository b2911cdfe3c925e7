//! The programs at the command line, with good and with bad input.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use e2e::Bed;
use e2e::bed::bins;
use nation::running::Printed;

fn run(program: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = Command::new(bins().join(program))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn check(program: &str, config: &Path) -> (Option<i32>, String, String) {
    run(program, &["--config", &config.display().to_string(), "--check-config"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_says_file_line_and_field() {
    let bed = Bed::start().await;
    let nodes = ["hub.centre", "hub.economy", "desk.tax.gov.economy"];
    for name in nodes {
        let node = bed.node(name);
        let (code, out, err) = check(node.program, &node.config);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{name}");
        assert_eq!(out, format!("{}: ok\n", node.config.display()));
    }
    let sound = std::fs::read_to_string(&bed.node("hub.economy").config).expect("it is there");
    let listen = sound.lines().find(|line| line.starts_with("mesh = ")).expect("a mesh port");
    let cases = [
        // Replace, by, and what is said.
        ("key_file", "keyfile", "unknown field `keyfile`, expected one of"),
        ("cluster = \"economy\"", "cluster = \"Economy\"", "cluster id has 'E' at byte 0"),
        ("cluster = \"economy\"", "cluster = \"centre\"", "is a reserved name"),
        (listen, "mesh = \"nowhere\"", "invalid socket address"),
        ("[log]", "[limits]\nexchanges_max = 0\n[log]", "nonzero"),
        ("[log]", "[neighbour]\naddress = \"127.0.0.1:1\"\n[log]", "unknown field `neighbour`"),
        ("chain.pem", "nothing.pem", "tls.chain_file: "),
    ];
    let file = bed.scratch().join("hub.toml");
    for (from, to, want) in cases {
        assert!(sound.contains(from), "{from}");
        std::fs::write(&file, sound.replace(from, to)).expect("written");
        let (code, out, err) = check("hub-cluster", &file);
        println!("{}", err.trim());
        assert_eq!((code, out.as_str()), (Some(2), ""), "{from} → {to}: {err}");
        assert!(err.contains(want) && err.contains("hub.toml"), "{from} → {to}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_who_its_certificate_names_does_not_start() {
    let bed = Bed::start().await;
    let economy = std::fs::read_to_string(&bed.node("hub.economy").config).expect("it is there");
    let file = bed.scratch().join("hub.toml");
    std::fs::write(&file, economy.replace("cluster = \"economy\"", "cluster = \"health\""))
        .expect("written");
    let (code, _, err) = run("hub-cluster", &["--config", &file.display().to_string()]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("the certificate names hub.economy.mesh.test"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_every_node_and_link() {
    let mut bed = Bed::start().await;
    let Printed { success, out, err } = bed.nation.hubctl(&["status"]).expect("hubctl runs");
    println!("{out}{err}");
    assert!(success, "{err}");
    for node in &bed.nation.layout.nodes {
        assert!(out.contains(&node.name.to_string()), "{} is missing:\n{out}", node.name);
    }
    let Printed { success, out, err } = bed.nation.hubctl(&["topology"]).expect("hubctl runs");
    println!("{out}{err}");
    assert!(success && out.contains("hub.centre") && out.contains("cards.care.gov.health"));

    bed.nation.process("hub.health").expect("a hub").kill();
    let Printed { success, out, err } = bed.nation.hubctl(&["status"]).expect("hubctl runs");
    println!("{out}{err}");
    assert!(!success && out.contains("unreachable"), "{out}");
}

#[test]
fn up_shows_a_nation_at_work() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nation/plans");
    let plan = plan.join("two-clusters.toml").display().to_string();
    let (code, out, err) = run("nation", &["--once", "--json", "--plan", &plan]);
    println!("{err}{out}");
    assert_eq!(code, Some(0), "{err}");
    let shown: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let events: Vec<_> = shown.iter().map(|told| told["event"].as_str()).collect();
    let inquiries = [Some("inquiry"); 3];
    let want = [&[Some("start")], &inquiries[..], &[Some("dial"), Some("memory")]].concat();
    assert_eq!(events, want, "{out}");
    let statuses: Vec<_> = shown[1..4].iter().map(|inquiry| inquiry["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(200), Some(403)], "{out}");
    let hops = |inquiry: &serde_json::Value| inquiry["hops"].to_string();
    assert!(hops(&shown[1]).contains("hub.centre"), "{out}");
    assert!(!hops(&shown[2]).contains("hub.centre"), "{out}");
    assert_eq!(shown[3]["answer"]["reason"], "OPERATION_NOT_PERMITTED", "{out}");
    assert_eq!(shown[4]["let_in"], false, "{out}");
}

#[test]
fn up_says_in_a_sentence_what_keeps_it_from_starting() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nation/plans");
    let plan = plan.join("two-clusters.toml").display().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let full = folder.path().join("full");
    std::fs::create_dir(&full).expect("it can be made");
    std::fs::write(full.join("file"), "").expect("written");
    let (full, nowhere) = (full.display().to_string(), folder.path().join("bins"));
    let nowhere = nowhere.display().to_string();
    let cases: [(&[&str], &str); 3] = [
        (&["--keep", &full], "full: is not empty, choose another directory"),
        (&["--bins", &nowhere], "is no directory; say with --bins"),
        (&["--plan", "no-such.toml"], "no-such.toml: cannot be read"),
    ];
    for (args, want) in cases {
        let args = [&["--once"], args, &["--plan", &plan][..]].concat();
        // The last of two plans would be an error of usage by itself.
        let args = if args.contains(&"no-such.toml") { &args[..3] } else { &args[..] };
        let (code, out, err) = run("nation", args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        let last = err.lines().last().expect("it says why");
        assert!(last.starts_with("nation: ") && last.contains(want), "{err}");
    }
}
