//! Folders of objects: what they make together, and which file and line is told of what is wrong.

use std::fs;

use tempfile::TempDir;

use super::*;

const CLUSTERS: &str =
    "[[clusters]]\nid = \"health\"\nname_fa = \"\"\nname_en = \"\"\nhub = true\n";

const CARE: &str = "\
[[agencies]]
address = \"ir/gov/care\"
name_fa = \"\"
name_en = \"\"

[[systems]]
address = \"ir/gov/care/cards\"
cluster = \"health\"

[[systems]]
address = \"ir/gov/care/desk\"
cluster = \"health\"

[[services]]
address = \"ir/gov/care/cards/cards.v1\"
operations = [{ id = \"get\", kind = \"inquiry\", method = \"GET\", path = \"/\" }]
";

const SETS: &str = "\
# Whoever asks for cards.
[[agreements]]
title = \"cards\"
consumers = [\"ir/gov/care/cards\", \"ir/gov/care/desk\"]
services = [\"ir/gov/care/cards/cards.v1\"]
operations = [\"get\"]
purposes = [\"care\"]
legal_basis = \"act 7\"
granted_fields = [\"\"]
quota = { per_second = 1, burst = 1, per_day = 1 }
valid_from = \"2024-03-20T00:00:00Z\"
valid_until = \"2034-03-20T00:00:00Z\"
retention_days = 1
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

/// The error and its cause, with paths below `folder` alone.
fn told(folder: &TempDir, error: &SourceError) -> String {
    let cause = std::error::Error::source(error).map_or(String::new(), |why| format!(": {why}"));
    format!("{error}{cause}").replace(&format!("{}/", folder.path().display()), "")
}

fn directory(written: &Written) -> Result<Directory, SourceError> {
    let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
    written.directory(mesh, DirectoryPosition { epoch: 1, revision: 1, root: None })
}

#[test]
fn files_make_one_whole_and_sets_make_agreements() {
    let folder = folder(&[
        ("b/care.toml", CARE),
        ("clusters.toml", CLUSTERS),
        ("a/sets.toml", SETS),
        (".hidden.toml", "not read"),
        ("notes.txt", "not read"),
    ]);
    let written = Written::read(folder.path()).unwrap();
    directory(&written).unwrap();
    let Objects { clusters, systems, agreements, .. } = &written.objects;
    assert_eq!((clusters.len(), systems.len(), agreements.len()), (1, 2, 1));
    assert_eq!(agreements[0].terms().consumer.to_string(), "ir/gov/care/desk");

    let alone = Written::read(&folder.path().join("a/sets.toml")).unwrap();
    assert_eq!(alone.objects.agreements, *agreements, "what it names may stand elsewhere");
    let error = directory(&alone).unwrap_err();
    let want = "names ir/gov/care/desk, which is not in the directory";
    assert!(told(&folder, &error).starts_with("a/sets.toml:2: agreement "), "{error}");
    assert!(error.to_string().ends_with(want), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    let twice = format!("\n\n{CLUSTERS}");
    let erase = SETS.replace("get", "erase");
    let header = format!("epoch = 1\n{CLUSTERS}");
    #[rustfmt::skip]
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("a.toml", CLUSTERS), ("b/c.toml", &twice)],
         "b/c.toml:3: cluster health is there twice, first at a.toml:1"),
        (&[("a.toml", CARE), ("s.toml", SETS), ("t.toml", SETS)],
         "t.toml:2: agreement "),
        (&[("a.toml", CARE)],
         "a.toml:6: system ir/gov/care/cards names health, which is not in the directory"),
        (&[("a.toml", CARE), ("c.toml", CLUSTERS), ("s.toml", &erase)],
         "s.toml:2: agreement "),
        (&[("a.toml", &header)],
         "a.toml:1: unknown field `epoch`, expected one of `clusters`"),
        (&[("a.toml", CLUSTERS), ("b.toml", "[[clusters]\n")],
         "b.toml:1: "),
        (&[("notes.txt", "")],
         "it holds no *.toml file"),
    ];
    for (files, want) in cases {
        let folder = folder(files);
        let error = Written::read(folder.path()).and_then(|written| directory(&written));
        let message = told(&folder, &error.expect_err(want));
        assert!(message.contains(want), "{message:?} does not say {want:?}");
    }
}

#[test]
fn a_link_is_not_followed_and_not_passed_over() {
    let folder = folder(&[("clusters.toml", CLUSTERS)]);
    std::os::unix::fs::symlink("clusters.toml", folder.path().join("link.toml")).unwrap();
    let message = told(&folder, &Written::read(folder.path()).unwrap_err());
    assert_eq!(message, "link.toml: cannot be read: it is a symbolic link, which is not followed");
}

#[test]
fn two_sources_join_unless_a_name_is_in_both() {
    let (clusters, care) = (folder(&[("a.toml", CLUSTERS)]), folder(&[("b.toml", CARE)]));
    let read = |folder: &TempDir| Written::read(folder.path()).unwrap();
    directory(&read(&clusters).join(read(&care)).unwrap()).unwrap();
    let error = read(&clusters).join(read(&clusters)).unwrap_err().to_string();
    assert!(error.contains("cluster health is there twice"), "{error}");
}

#[test]
fn a_pipe_is_refused_and_a_named_link_and_capitals_are_read() {
    let cluster = "[[clusters]]\nid = \"health\"\nname_fa = \"\"\nname_en = \"\"\nhub = true\n";
    let folder = folder(&[("in/clusters.TOML", cluster)]);
    let at = |name: &str| folder.path().join(name);
    assert_eq!(Written::read(&at("in")).unwrap().objects.clusters.len(), 1);
    std::os::unix::fs::symlink("in", at("link")).unwrap();
    assert_eq!(Written::read(&at("link")).unwrap().objects.clusters.len(), 1);

    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let error = Written::read(&at("pipe")).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(why, "it is no regular file; `-` means standard input");
}
