//! The memory of this process, as the kernel counts it.

/// Resident memory now; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    resident_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = field.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found_or_there_is_none() {
        let cases = [
            ("Name:\thub\nVmHWM:\t  20480 kB\nVmRSS:\t  10240 kB\n", Some(10_485_760)),
            ("Name:\thub\n", None),
            ("VmRSS:\t  10240 pages\n", None),
            ("VmRSS:\t  18446744073709551615 kB\n", None),
        ];
        for (status, want) in cases {
            assert_eq!(resident_in(status), want, "{status:?}");
        }
        assert!(resident_bytes().is_some_and(|bytes| 1024 * 1024 < bytes));
    }
}
