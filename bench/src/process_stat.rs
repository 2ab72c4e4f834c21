//! What the kernel says about a process: processor time and resident memory.

use crate::failure::{Failure, Result};
use std::fs;

/// Nanoseconds in a tick of `/proc/<pid>/stat`; Linux shows user space 100 ticks a second on every architecture.
const TICK: u64 = 10_000_000;

/// Processor time a process has used so far, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Of all threads that ever ran, in ticks of 10 ms.
    coarse: u64,
    /// Of the threads alive, exact.
    fine: u64,
}

impl Cpu {
    /// Reads `/proc/<pid>/stat` and each thread's `schedstat`.
    pub fn of(pid: u32) -> Result<Cpu> {
        let text =
            fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| gone(pid, &error))?;
        // The name, in parentheses, may hold anything; fields are counted after it. utime and stime are 14 and 15.
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let ticks = |at: usize| {
            fields
                .get(at - 3)
                .and_then(|field| field.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let mut fine = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            // A thread may end between the listing and the reading.
            let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            fine += text
                .split_whitespace()
                .next()
                .and_then(|field| field.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(Cpu {
            coarse: (ticks(14) + ticks(15)) * TICK,
            fine,
        })
    }

    /// Nanoseconds used since `earlier`; the exact count if no thread that ended in between took its share away.
    pub fn since(self, earlier: Cpu) -> u64 {
        let coarse = self.coarse.saturating_sub(earlier.coarse);
        let fine = self.fine.saturating_sub(earlier.fine);
        if fine.abs_diff(coarse) <= 2 * TICK + coarse / 20 {
            fine
        } else {
            coarse
        }
    }
}

impl std::ops::Add for Cpu {
    type Output = Cpu;

    /// Of several processes together.
    fn add(self, other: Cpu) -> Cpu {
        Cpu {
            coarse: self.coarse + other.coarse,
            fine: self.fine + other.fine,
        }
    }
}

/// Resident bytes of a process (`Rss` of `smaps_rollup`).
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .or_else(|_| fs::read_to_string(format!("/proc/{pid}/status")))
        .map_err(|error| gone(pid, &error))?;
    text.lines()
        .find_map(|line| {
            line.strip_prefix("Rss:")
                .or_else(|| line.strip_prefix("VmRSS:"))
        })
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| {
            Failure::new(format!(
                "the kernel does not say how much memory process {pid} holds"
            ))
        })
}

/// Processor time of the whole machine and of our family, to tell how much others disturbed us.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Nanoseconds in which any core was busy.
    busy: u64,
    /// Nanoseconds of this process and of those children that ended.
    family: u64,
}

impl Machine {
    /// Reads `/proc/stat` and our own `stat`.
    pub fn now() -> Machine {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks: Vec<u64> = numbers(text.lines().next().unwrap_or(""));
        // user, nice, system; without idle and waiting; irq, softirq, steal.
        let busy: u64 = [0, 1, 2, 5, 6, 7]
            .iter()
            .filter_map(|&at| ticks.get(at))
            .sum();
        let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = numbers(text.rsplit(')').next().unwrap_or(""));
        // utime, stime, cutime, cstime are fields 14 to 17; the first number after the name and the state is field 4.
        let family: u64 = fields.iter().skip(10).take(4).sum();
        Machine {
            busy: busy * TICK,
            family: family * TICK,
        }
    }

    /// Nanoseconds in which any core was busy since `earlier`.
    pub fn busy_since(self, earlier: Machine) -> u64 {
        self.busy - earlier.busy
    }

    /// Nanoseconds that processes not ours took since `earlier`; children that live yet count as others.
    pub fn others_since(self, earlier: Machine) -> u64 {
        (self.busy - earlier.busy).saturating_sub(self.family - earlier.family)
    }
}

/// Connects that found a full accept queue anywhere on this machine so far (`ListenOverflows`).
pub fn listen_overflows() -> u64 {
    let text = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut rows = text
        .lines()
        .filter(|line| line.starts_with("TcpExt:"))
        .map(str::split_whitespace);
    match (rows.next(), rows.next()) {
        (Some(names), Some(values)) => names
            .zip(values)
            .find(|(name, _)| *name == "ListenOverflows")
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0),
        _ => 0,
    }
}

/// The fields of a line after the first, as numbers; what is none, or negative, counts as 0.
fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0))
        .collect()
}

fn gone(pid: u32, error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "process {pid} cannot be looked at, it probably ended: {error}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_seen_to_be_busy() {
        let pid = std::process::id();
        let before = Cpu::of(pid).unwrap();
        let mut sum = 0u64;
        let mut turns = 0;
        while Cpu::of(pid).unwrap().since(before) < 40_000_000 {
            (0..200_000u64).for_each(|n| sum = std::hint::black_box(sum.wrapping_add(n)));
            turns += 1;
            assert!(
                turns < 1_000_000,
                "no processor time counted after {turns} turns"
            );
        }
        assert!(resident_bytes(pid).unwrap() > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Cpu::of(u32::MAX).is_err());
        assert!(resident_bytes(u32::MAX).is_err());
    }
}
