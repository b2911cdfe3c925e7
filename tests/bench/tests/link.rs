//! `bench link` measures every contender, and judges by what it is told to hold.

use std::process::{Command, Output};

/// A short run; what it measures is of no interest here.
fn bench_link(hold: &str) -> Output {
    let size = ["--callers", "1,4", "--rounds", "1", "--seconds", "1", "--connections", "1"];
    let bench = env!("CARGO_BIN_EXE_bench");
    Command::new(bench).arg("link").args(size).args(["--hold", hold, "--json"]).output().unwrap()
}

#[test]
fn every_contender_is_measured_at_every_number_of_callers() {
    let output = bench_link("0");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let figures = ["exchanges_per_s", "p50_us", "p99_us", "processor_us_per_exchange"];
    for (contender, callers) in [("link", 1), ("unary x1", 1), ("link", 4), ("unary x1", 4)] {
        let row =
            rows.iter().find(|row| row["contender"] == contender && row["callers"] == callers);
        let row = row.unwrap_or_else(|| panic!("no row of {contender} at {callers}: {report}"));
        for figure in figures {
            let value = row[figure].as_f64();
            assert!(value.is_some_and(|value| 0.0 < value), "{contender}, {figure}: {value:?}");
        }
    }
    assert!(0.0 < report["held"]["throughput"].as_f64().unwrap(), "{report}");
}

#[test]
fn a_shortfall_is_told_and_fails() {
    let output = bench_link("1000");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.starts_with("bench: at 4 callers the link carries "), "{told:?}");
    assert!(told.trim_end().ends_with("want at least 1000"), "{told:?}");
}
