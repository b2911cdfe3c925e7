//! The program as an operator meets it: its one line, its exit codes, its sentences.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use sample_registry::{SEED_DEFAULT, first_national_id};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sample-registry"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn start(database: &Path) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut child = command(&["--register", "civil", "--persons", "50", "--database"])
        .arg(database)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let address =
        line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('\n'));
    let address = address.expect(&line).to_owned();
    (child, out, address)
}

#[test]
fn serves_until_it_is_asked_to_stop_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("register.db");
    for stop in ["TERM", "INT"] {
        let (mut child, mut out, address) = start(&database);
        let mut stream = TcpStream::connect(address).unwrap();
        let path = format!("/persons/{}", first_national_id(SEED_DEFAULT));
        write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");

        let kill = Command::new("kill").args(["-s", stop, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line is all it writes");
    }
}

#[test]
fn prints_the_first_national_id() {
    for (arguments, seed) in
        [(&["--print-first"][..], 1405), (&["--print-first", "--seed", "7"], 7)]
    {
        let output = run(arguments);
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), first_national_id(seed) + "\n");
    }
}

#[test]
fn a_wrong_call_is_one_sentence_and_exit_2() {
    let cases: [(&[&str], &str); 10] = [
        (
            &[],
            "the following required arguments were not provided: \
             --register <KIND> --database <FILE>",
        ),
        (
            &["--register", "stars", "--database", "x"],
            "invalid value 'stars' for '--register <KIND>' [possible values: civil, \
             legal-persons, addresses, tax, degrees, health, insurance, procurement, treasury, \
             cards, licences]",
        ),
        (
            &["--register", "cards", "--database", "x"],
            "service cards are published by a cluster; name it as the publisher",
        ),
        (
            &["--register", "tax", "--publisher", "health", "--database", "x"],
            "only service cards have a publisher",
        ),
        (
            &["--register", "cards", "--publisher", "A b", "--database", "x"],
            "invalid value 'A b' for '--publisher <CLUSTER>': \
             cluster id has 'A' at byte 0, want a-z, 0-9 or an inner '-'",
        ),
        (&["--wrong"], "unexpected argument '--wrong' found"),
        (&["--seed", "x"], "invalid value 'x' for '--seed <SEED>': invalid digit found in string"),
        (
            &["--persons", "0"],
            "invalid value '0' for '--persons <PERSONS>': 0 is not in 1..=100000",
        ),
        (
            &["--listen", "localhost"],
            "invalid value 'localhost' for '--listen <ADDRESS>': \
             want an address and a port, such as 127.0.0.1:0",
        ),
        (
            &["--listen", "0.0.0.0:80"],
            "invalid value '0.0.0.0:80' for '--listen <ADDRESS>': \
             callers are not asked who they are, so it must be a loopback address",
        ),
    ];
    for (arguments, want) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{want}\n"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_failure_is_one_sentence_and_exit_1() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to be mistaken for one").unwrap();
    let missing = folder.path().join("missing/register.db");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let fine = folder.path().join("register.db");
    let [text, missing, fine] = [&text, &missing, &fine].map(|path| path.to_str().unwrap());
    let cases: [(&[&str], &str); 3] = [
        (&["--database", text], "cannot be used: file is not a database"),
        (&["--database", missing], "cannot be used: unable to open database file"),
        (&["--database", fine, "--persons", "5", "--listen", &taken], "cannot listen on"),
    ];
    for (arguments, want) in cases {
        let output = run(&[&["--register", "civil"], arguments].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(want) && stderr.lines().count() == 1, "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_is_no_mistake() {
    let output = run(&["--help"]);
    assert!(output.status.success() && output.stderr.is_empty());
}
