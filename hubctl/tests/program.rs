//! The program as an operator calls it: words in, text and an exit code out.

use std::path::Path;
use std::process::{Command, Output};

fn hubctl(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubctl"));
    command.current_dir(folder).env_remove("HUBCTL_CONFIG").args(words);
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The text of a call that must succeed and say nothing on stderr.
fn told(folder: &Path, words: &[&str]) -> String {
    let (code, stdout, stderr) = hubctl(folder, words);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}: {stdout}");
    stdout
}

/// The one line on stderr of a call that must fail with `code` and say nothing on stdout.
fn complaint(folder: &Path, words: &[&str], code: i32) -> String {
    let (found, stdout, stderr) = hubctl(folder, words);
    assert_eq!((found, stdout.as_str()), (Some(code), ""), "{words:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn helps() {
    let folder = tempfile::tempdir().unwrap();
    let help = told(folder.path(), &["--help"]);
    for word in
        ["status", "topology", "top", "pki", "directory", "completions", "Exit codes", "--node"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(told(folder.path(), &["pki", "issue", "--help"]).contains("hub.health.mesh.ir"));
    assert!(told(folder.path(), &["--version"]).starts_with("hubctl "));
    assert_eq!(hubctl(folder.path(), &[]).0, Some(2));
    assert_eq!(hubctl(folder.path(), &["state"]).0, Some(2));
}

#[test]
fn completes_in_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    assert!(told(folder.path(), &["completions", "bash"]).contains("_hubctl()"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(told(folder.path(), &["completions", shell]).contains("topology"), "{shell}");
    }
}

#[test]
fn a_missing_configuration_or_node_is_a_matter_of_usage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let want = "hubctl: hubctl.toml: is not there; name a configuration with --config or \
                HUBCTL_CONFIG\n";
    assert_eq!(complaint(folder, &["status"], 2), want);
    let named = complaint(folder, &["status", "--config", "other.toml"], 2);
    let want = "hubctl: other.toml: cannot be read: No such file or directory (os error 2)\n";
    assert_eq!(named, want);

    let mut command = Command::new(env!("CARGO_BIN_EXE_hubctl"));
    let Output { stderr, .. } =
        command.env("HUBCTL_CONFIG", "by-variable.toml").arg("status").output().unwrap();
    assert!(stderr.starts_with(b"hubctl: by-variable.toml: cannot be read"), "{stderr:?}");

    let text = "[mesh]\nid = \"ir\"\ndomain = \"mesh.ir\"\n[operator]\nchain_file = \"c\"\n\
                key_file = \"k\"\n[[nodes]]\nname = \"hub.centre\"\naddress = \"127.0.0.1:1\"\n\
                trust_file = \"t\"\n[[nodes]]\nname = \"a.b.gov.edge\"\n\
                address = \"127.0.0.1:2\"\n";
    std::fs::write(folder.join("hubctl.toml"), text).unwrap();
    let want = "hubctl: hubctl.toml: has no node \"hub.health\", want one of hub.centre, \
                a.b.gov.edge\n";
    assert_eq!(complaint(folder, &["status", "--node", "hub.health"], 2), want);
    let want = "hubctl: hub.centre cannot be asked: c: cannot be read: No such file or directory \
                (os error 2)\n";
    assert_eq!(complaint(folder, &["topology"], 2), want);

    std::fs::write(folder.join("hubctl.toml"), text.replace("nodes", "node")).unwrap();
    assert!(complaint(folder, &["status"], 2).starts_with("hubctl: hubctl.toml:7: unknown field"));
}

#[test]
fn makes_a_pki_and_certifies_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let create = ["pki", "create", "--mesh", "ir", "--domain", "mesh.ir", "--cluster", "economy"];
    let create = [&create[..], &["--cluster", "health", "pki"]].concat();
    let text = told(folder, &create);
    for said in ["made the PKI of mesh ir (mesh.ir)", "clusters/health/ca.key", "keep the keys"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let again = complaint(folder, &create, 2);
    assert!(again.starts_with("hubctl: pki: is not empty"), "{again}");

    let text = told(folder, &["pki", "issue", "pki", "hub.health.mesh.ir", "--out", "health"]);
    assert!(folder.join("health/listener-trust.pem").exists(), "{text}");
    let digest = text.lines().last().unwrap().strip_prefix("spki_sha256 = \"").unwrap();
    assert_eq!(digest.len(), 64 + 1, "{text}");
    assert!(text.contains("[[link_keys]]\nnode = \"hub.health.mesh.ir\"\n"), "{text}");
    assert!(text.contains("health/admin-trust.pem"), "{text}");

    let json = told(folder, &["-o", "json", "pki", "issue", "pki", "sara.operators.mesh.ir"]);
    let issued: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(issued["chain_file"], "pki/nodes/sara.operators.mesh.ir/chain.pem");
    assert_eq!(issued["admin_trust_file"], serde_json::Value::Null);
    assert!(folder.join("pki/nodes/sara.operators.mesh.ir/key.pem").exists());

    let text = told(folder, &["pki", "directory-key", "pki/directory"]);
    assert!(text.contains("the private key: for the centre alone"), "{text}");
    let key = text.lines().last().unwrap().strip_prefix("public_key = \"").unwrap();
    assert_eq!(key.len(), 64 + 1, "{text}");
    let again = complaint(folder, &["pki", "directory-key", "pki/directory"], 2);
    assert!(again.contains("signing.key: is there already, and is not replaced"), "{again}");

    let cases = [
        ("hub.tax.mesh.ir", "hubctl: pki: has no authority for tax\n"),
        ("hub.tax.evil.ir", "hubctl: \"hub.tax.evil.ir\" is not below the mesh domain mesh.ir\n"),
    ];
    for (node, want) in cases {
        assert_eq!(complaint(folder, &["pki", "issue", "pki", node], 2), want);
    }
    let nowhere = complaint(folder, &["pki", "issue", "nowhere", "hub.centre.mesh.ir"], 1);
    assert!(nowhere.starts_with("hubctl: nowhere/mesh: cannot be read"), "{nowhere}");
}

#[test]
fn compiles_a_directory_and_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let source = "epoch = 1\nrevision = 7\n\n[mesh]\nid = \"ir\"\ndomain = \"mesh.ir\"\n\n\
                  [[clusters]]\nid = \"economy\"\nname_fa = \"اقتصاد\"\nname_en = \"Economy\"\n\
                  hub = true\n";
    std::fs::write(folder.join("ir.toml"), source).unwrap();
    let text = told(folder, &["directory", "compile", "ir.toml", "ir.pb"]);
    assert!(text.starts_with("ir.pb: mesh ir (mesh.ir) at 1.7, "), "{text}");
    let json = told(folder, &["directory", "show", "ir.pb", "-o", "json"]);
    let contents: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&contents["epoch"], &contents["revision"]), (&1.into(), &7.into()));
    assert_eq!(contents["counts"]["clusters"], 1);
    assert!(told(folder, &["directory", "show", "ir.pb"]).starts_with("mesh ir (mesh.ir) at 1.7"));

    let stray = "[[systems]]\naddress = \"ir/gov/tax/debts\"\n";
    std::fs::write(folder.join("bad.toml"), format!("{source}\n{stray}")).unwrap();
    let want = "hubctl: bad.toml:14: system ir/gov/tax/debts names ir/gov/tax, which is not in \
                the directory\n";
    assert_eq!(complaint(folder, &["directory", "compile", "bad.toml", "bad.pb"], 2), want);
    assert!(!folder.join("bad.pb").exists());
    let want = "hubctl: ir.toml: is no whole snapshot: snapshot cannot be read: ";
    let found = complaint(folder, &["directory", "show", "ir.toml"], 1);
    assert!(found.starts_with(want), "{found}");
}
