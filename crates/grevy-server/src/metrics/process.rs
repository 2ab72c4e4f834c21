//! What the system says of this process, as far as it says it in `/proc`.

use std::fs;
use std::path::Path;

/// Memory of the machine and of this process, in bytes; 0 where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What this process has in memory.
    pub resident: u64,
    /// What programs could still take.
    pub available: u64,
    /// What the machine has.
    pub total: u64,
}

impl Memory {
    /// As it is now.
    pub fn now() -> Self {
        let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let process = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            resident: kilobytes(&process, "VmRSS:"),
            available: kilobytes(&machine, "MemAvailable:"),
            total: kilobytes(&machine, "MemTotal:"),
        }
    }
}

/// How many files and sockets this process has open; -1 where that is not known.
pub fn open_files() -> i64 {
    let Ok(entries) = fs::read_dir(Path::new("/proc/self/fd")) else {
        return -1;
    };
    // The directory itself is open while it is read.
    i64::try_from(entries.count()).unwrap_or(i64::MAX) - 1
}

/// How many it may have open; -1 where that is not known.
pub fn max_open_files() -> i64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    parse_limit(&limits).unwrap_or(-1)
}

fn parse_limit(limits: &str) -> Option<i64> {
    let line = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(i64::MAX),
        number => number.parse().ok(),
    }
}

fn kilobytes(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.map_or(0, |kilobytes: u64| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_sizes_are_found_in_their_texts() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            20000                20000                files\n";
        assert_eq!(parse_limit(limits), Some(20000));
        assert_eq!(
            parse_limit("Max open files unlimited unlimited files\n"),
            Some(i64::MAX)
        );
        assert_eq!(parse_limit(""), None);
        assert_eq!(
            kilobytes("Name: x\nVmRSS:\t    2048 kB\n", "VmRSS:"),
            2 << 20
        );
        assert_eq!(kilobytes("VmRSS: many\n", "VmRSS:"), 0);
    }
}
