//! `cargo xtask setup`: what a fresh Debian machine with only Rust and a C compiler lacks.
//!
//! It does nothing where everything is there, and then needs no network.

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

/// Components of the toolchain, with the cargo command that each brings.
const COMPONENTS: &[(&str, &str)] = &[("rustfmt", "fmt"), ("clippy", "clippy")];

/// A program that comes from the system.
struct SystemProgram {
    name: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    why: &'static str,
}

const SYSTEM_PROGRAMS: &[SystemProgram] = &[
    SystemProgram {
        name: "curl",
        package: "curl",
        why: "the scenarios call services with it, as an agency would",
    },
    SystemProgram {
        name: "etcd",
        package: "etcd-server",
        why: "the registry's store is tried on it",
    },
    SystemProgram {
        name: "git",
        package: "git",
        why: "tidy asks it which files belong to the repository",
    },
];

/// Pinned, so that a release of theirs never turns a commit of ours red.
const CARGO_DENY: &str = "0.20.2";

/// Cargo's own layout below the folder that is given to `cargo install --root`.
const TOOLS: &str = "target/tools";

pub(crate) fn setup() -> Result<ExitCode, String> {
    for (component, subcommand) in COMPONENTS {
        require_component(component, subcommand)?;
    }
    install_system_programs()?;
    install_cargo_deny()?;
    println!("setup: everything is here");
    Ok(ExitCode::SUCCESS)
}

/// Components belong to the toolchain, which is the developer's to change.
fn require_component(component: &str, subcommand: &str) -> Result<(), String> {
    let answer = version_of(Command::new("cargo").arg(subcommand));
    if answer.is_some_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(format!("the toolchain lacks {component}; run `rustup component add {component}`"))
}

fn install_system_programs() -> Result<(), String> {
    let is_missing =
        |program: &&SystemProgram| version_of(&mut Command::new(program.name)).is_none();
    let missing: Vec<_> = SYSTEM_PROGRAMS.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for SystemProgram { name, why, .. } in &missing {
        println!("setup: {name} is missing: {why}");
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    let update = run(&mut apt_get(&["update"]));
    let install = ["install", "-y", "--no-install-recommends"];
    update.and_then(|()| run(apt_get(&install).args(&packages))).map_err(|problem| {
        let packages = packages.join(" ");
        format!("{problem}; install these packages by hand, then try again: {packages}")
    })
}

/// `apt-get`, through sudo unless we are root already. Nobody is there to answer a question.
fn apt_get(arguments: &[&str]) -> Command {
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = Command::new(if is_root { "env" } else { "sudo" });
    if !is_root {
        command.args(["--non-interactive", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
    command
}

fn install_cargo_deny() -> Result<(), String> {
    let program = Path::new(TOOLS).join("bin/cargo-deny");
    let answer = version_of(&mut Command::new(&program));
    if answer.is_some_and(|output| is_version(&output.stdout, CARGO_DENY)) {
        return Ok(());
    }
    println!("setup: cargo-deny {CARGO_DENY} is missing; building it takes some minutes, once");
    let install = ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--root", TOOLS];
    run(Command::new("cargo").args(install)).map_err(|problem| {
        format!("{problem}; cargo-deny {CARGO_DENY} needs a network to be installed, once")
    })
}

/// Reads what `cargo-deny --version` prints: the name, then the version.
fn is_version(printed: &[u8], wanted: &str) -> bool {
    let printed = String::from_utf8_lossy(printed);
    printed.split_whitespace().nth(1) == Some(wanted)
}

/// Asks a program for its version; `None` if it cannot be started, so is as good as missing.
fn version_of(command: &mut Command) -> Option<Output> {
    command.arg("--version").stdin(Stdio::null()).output().ok()
}

fn run(command: &mut Command) -> Result<(), String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    println!("$ {line}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("`{line}` cannot be started: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(is_version(b"cargo-deny 0.20.2\n", "0.20.2"));
        assert!(!is_version(b"cargo-deny 0.20.21\n", "0.20.2"));
        assert!(!is_version(b"", "0.20.2"));
    }

    #[test]
    fn a_missing_program_is_told_from_one_that_fails() {
        assert!(version_of(&mut Command::new("no-such-program")).is_none());
        assert!(version_of(&mut Command::new("false")).is_some_and(|out| !out.status.success()));
    }
}
