//! A small directory: what it compiles to, and what is said of one that does not fit.

use std::fs;

use super::*;

const SOURCE: &str = r#"epoch = 1
revision = 7

[mesh]
id = "ir"
domain = "mesh.ir"

[[clusters]]
id = "economy"
name_fa = "اقتصاد"
name_en = "Economy"
hub = true

[[agencies]]
address = "ir/gov/tax"
name_fa = "مالیات"
name_en = "Tax"

[[systems]]
address = "ir/gov/tax/debts"
cluster = "economy"

[[systems]]
address = "ir/gov/tax/persons"
attributes = ["base_database"]

[[services]]
address = "ir/gov/tax/debts/debt.v1"
timeout_ms = 5000
operations = [
    { id = "get", kind = "inquiry", method = "GET", path = "/{id}" },
    { id = "pay", kind = "submission", method = "POST", path = "/{id}/payments" },
]

[[agreements]]
title = "tax-debts"
legal_basis = "act 7"
granted_fields = [""]
quota = { per_second = 1, burst = 1, per_day = 1 }
valid_from = "2024-03-20T00:00:00Z"
valid_until = "2034-03-20T00:00:00Z"
retention_days = 1
consumer = "ir/gov/tax/persons"
service = "ir/gov/tax/debts/debt.v1"
operations = ["pay", "get"]
purposes = ["licence"]

[[link_keys]]
node = "hub.economy.mesh.ir"
spki_sha256 = "abababababababababababababababababababababababababababababababab"
"#;

fn read(text: &str) -> Result<DirectorySource, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ir.toml");
    fs::write(&file, text).unwrap();
    read_source(&file)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn a_snapshot_shows_what_was_written() {
    let source = read(SOURCE).unwrap();
    let contents = Contents::read(&encode(&source).unwrap()).unwrap();
    let want = "\
mesh ir (mesh.ir) at 1.7

CLUSTERS  AGENCIES  SYSTEMS  SERVICES  AGREEMENTS  LINK KEYS
       1         1        2         1           1          1

AGREEMENT  CONSUMER            SERVICE                   OPERATIONS  PURPOSES
tax-debts  ir/gov/tax/persons  ir/gov/tax/debts/debt.v1  get, pay    licence
";
    assert_eq!(table(&contents), want);
}

#[test]
fn says_which_line_to_change() {
    let twice = "[[clusters]]\nid = \"economy\"\nname_fa = \"\"\nname_en = \"\"\nhub = false\n\n\
                 [[agencies]]";
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str)] = &[
        // Replace, by, and what `ir.toml:` is followed by.
        ("epoch = 1\n", "",
         "1: missing field `epoch`"),
        ("hub = true", "hubs = true",
         "12: unknown field `hubs`, expected one of `id`, `name_fa`, `name_en`, `hub`, \
          `intra_cluster`"),
        ("[[link_keys]]", "[[keys]]",
         "48: unknown field `keys`, expected one of `clusters`, `agencies`, `systems`, `services`, \
          `terms`, `agreements`, `link_keys`, `directory_keys`"),
        ("[[agencies]]", twice,
         "14: cluster economy is there twice, first at ir.toml:8"),
        ("address = \"ir/gov/tax\"\n", "address = \"ir/gov/toll\"\n",
         "19: system ir/gov/tax/debts names ir/gov/tax, which is not in the directory"),
        ("\"base_database\"]", "\"base_database\"]\ncluster = \"economy\"",
         "23: system ir/gov/tax/persons: a base database belongs to no cluster: its home is the \
          centre"),
        ("id = \"pay\"", "id = \"get\"",
         "27: operation get of ir/gov/tax/debts/debt.v1 is there twice"),
        ("hub.economy.mesh.ir", "hub.economy.evil.ir",
         "48: link key of hub.economy.evil.ir: \"hub.economy.evil.ir\" is not below the mesh \
          domain mesh.ir"),
    ];
    for (from, to, want) in cases {
        assert!(SOURCE.contains(from), "{from:?}");
        let message = read(&SOURCE.replacen(from, to, 1)).expect_err(want);
        assert_eq!(message, format!("ir.toml:{want}"), "{from:?} → {to:?}");
    }
    // An agreement is named by its id, which is that of its bytes.
    let message = read(&SOURCE.replacen("\"pay\", \"get\"", "\"erase\"", 1)).unwrap_err();
    let names = "names operation erase of ir/gov/tax/debts/debt.v1, which is not in the directory";
    assert!(message.starts_with("ir.toml:35: agreement "), "{message}");
    assert!(message.ends_with(names), "{message}");
}

#[test]
fn a_file_is_replaced_whole_or_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ir.pb");
    write_file(&file, b"old").unwrap();
    write_file(&file, b"new").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let nowhere = folder.path().join("not-there/ir.pb");
    let error = write_file(&nowhere, b"new").unwrap_err().to_string();
    assert!(error.ends_with("ir.pb: cannot be written"), "{error}");
}
