//! `bench store` measures every store that there is.

use std::process::Command;

#[test]
fn every_store_is_measured() {
    let size = ["--agencies", "5", "--services", "50", "--agreements", "300", "--changes", "20"];
    let bench = env!("CARGO_BIN_EXE_bench");
    let output = Command::new(bench).arg("store").args(size).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["objects"], 355);
    assert_eq!(report["missing"].as_array().unwrap().len(), 0, "{report}");
    for (row, store) in ["embedded", "etcd"].into_iter().enumerate() {
        let row = &report["rows"][row];
        assert_eq!(row["store"], store);
        assert_eq!(row["load_commits"], 4);
        for figure in ["load_s", "open_ms", "read_s", "commit_p50_ms", "heard_p99_ms"] {
            assert!(row[figure].as_f64().is_some_and(|value| 0.0 < value), "{store}, {figure}");
        }
    }
}
