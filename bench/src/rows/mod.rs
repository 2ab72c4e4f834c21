//! The rows of the table, and which of them share a server.

mod disk;
pub mod ensemble;
mod million;
mod sessions;
mod start;
mod throughput;
mod watchers;

use crate::client::{Client, first_read};
use crate::clock::{self, SECOND};
use crate::failure::{Failure, Result};
use crate::histogram::Histogram;
use crate::load::Mix;
use crate::perf::Perf;
use crate::process_stat::Machine;
use crate::report::{Figure, Report};
use crate::server::{Child, Kind, Launcher};
use std::time::Duration;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    work: RowWork,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowWork {
    Throughput {
        mix: Mix,
        connections: usize,
        depth: usize,
    },
    DiskSync,
    EmptyStart,
    MillionLoad,
    MillionRestart,
    MillionSet,
    MillionSnapshot,
    Sessions,
    Watchers,
}

/// Sizes and lengths, the same for every server of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of each throughput row.
    pub measure: Duration,
    pub warmup: Duration,
    /// Znodes of the throughput rows.
    pub keys: u64,
    /// Znodes of the million rows, in millions.
    pub millions: u64,
    pub sessions: usize,
    pub watchers: usize,
    /// Sets a second of `million-set`.
    pub rate: u64,
    /// How long to wait, before each measurement, for other processes to be idle.
    pub wait_idle: Duration,
    /// How often to measure a throughput row before taking figures that others disturbed.
    pub attempts: usize,
}

/// The share of a core that others may take before we say so.
const DISTURBING: f64 = 0.25;

/// What measuring a group of rows needs.
pub struct Bench<'a> {
    pub settings: &'a Settings,
    pub launcher: &'a Launcher,
    pub report: &'a mut Report,
    pub perf: Perf,
    /// Failures of rows so far.
    pub failed: Vec<String>,
    /// Groups of rows during which others used the processor.
    pub disturbed: Vec<String>,
}

const fn throughput(
    name: &'static str,
    about: &'static str,
    mix: Mix,
    connections: usize,
    depth: usize,
) -> Row {
    Row {
        name,
        about,
        work: RowWork::Throughput {
            mix,
            connections,
            depth,
        },
    }
}

const fn row(name: &'static str, about: &'static str, work: RowWork) -> Row {
    Row { name, about, work }
}

/// All rows in the order in which they are measured and shown.
pub const ALL: [Row; 25] = [
    throughput(
        "get-1x1",
        "getData, 1 connection, 1 in flight",
        Mix::Get,
        1,
        1,
    ),
    throughput(
        "get-10x1",
        "getData, 10 connections, 1 in flight on each",
        Mix::Get,
        10,
        1,
    ),
    throughput(
        "get-100x1",
        "getData, 100 connections, 1 in flight on each",
        Mix::Get,
        100,
        1,
    ),
    throughput(
        "get-1x100",
        "getData, 1 connection, 100 in flight",
        Mix::Get,
        1,
        100,
    ),
    throughput(
        "get-10x100",
        "getData, 10 connections, 100 in flight on each",
        Mix::Get,
        10,
        100,
    ),
    throughput(
        "set-1x1",
        "setData, 1 connection, 1 in flight",
        Mix::Set,
        1,
        1,
    ),
    throughput(
        "set-10x1",
        "setData, 10 connections, 1 in flight on each",
        Mix::Set,
        10,
        1,
    ),
    throughput(
        "set-100x1",
        "setData, 100 connections, 1 in flight on each",
        Mix::Set,
        100,
        1,
    ),
    throughput(
        "set-10x100",
        "setData, 10 connections, 100 in flight on each",
        Mix::Set,
        10,
        100,
    ),
    throughput(
        "mixed-1x1",
        "90 % getData, 10 % setData; 1 connection, 1 in flight",
        Mix::Mixed,
        1,
        1,
    ),
    throughput(
        "mixed-10x1",
        "90/10, 10 connections, 1 in flight on each",
        Mix::Mixed,
        10,
        1,
    ),
    throughput(
        "mixed-100x1",
        "90/10, 100 connections, 1 in flight on each",
        Mix::Mixed,
        100,
        1,
    ),
    throughput(
        "mixed-1x100",
        "90/10, 1 connection, 100 in flight",
        Mix::Mixed,
        1,
        100,
    ),
    throughput(
        "mixed-10x100",
        "90/10, 10 connections, 100 in flight on each",
        Mix::Mixed,
        10,
        100,
    ),
    throughput(
        "mixed-100x100",
        "90/10, 100 connections, 100 in flight on each",
        Mix::Mixed,
        100,
        100,
    ),
    throughput(
        "create-1x1",
        "create, 1 connection, 1 in flight",
        Mix::Create,
        1,
        1,
    ),
    throughput(
        "create-10x100",
        "create, 10 connections, 100 in flight on each",
        Mix::Create,
        10,
        100,
    ),
    row(
        "disk-sync",
        "append 200 bytes and fdatasync, no server at all",
        RowWork::DiskSync,
    ),
    row(
        "start-empty",
        "from exec to the first read, nothing on disk",
        RowWork::EmptyStart,
    ),
    row(
        "million-load",
        "create a million znodes; memory they take",
        RowWork::MillionLoad,
    ),
    row(
        "million-restart",
        "restart with them: from exec to the first read; memory",
        RowWork::MillionRestart,
    ),
    row(
        "million-set",
        "setData over them at a fixed rate",
        RowWork::MillionSet,
    ),
    row(
        "million-snapshot",
        "getData and setData while a snapshot of them is written",
        RowWork::MillionSnapshot,
    ),
    row(
        "idle-sessions",
        "10,000 sessions opened in one burst, then idle",
        RowWork::Sessions,
    ),
    row(
        "watchers",
        "one setData with 10,000 watchers on 10,000 connections",
        RowWork::Watchers,
    ),
];

/// The rows whose name is one of `patterns` or begins with one and a dash; all if there are none.
pub fn select(patterns: &[String]) -> Result<Vec<Row>> {
    let fits = |row: &Row, pattern: &str| {
        row.name == pattern
            || row
                .name
                .strip_prefix(pattern)
                .is_some_and(|rest| rest.starts_with('-'))
    };
    if let Some(stranger) = patterns
        .iter()
        .find(|pattern| !ALL.iter().any(|row| fits(row, pattern)))
    {
        return Err(Failure::new(format!(
            "no row is called {stranger}, see `list`"
        )));
    }
    let wanted =
        |row: &&Row| patterns.is_empty() || patterns.iter().any(|pattern| fits(row, pattern));
    Ok(ALL.iter().filter(wanted).copied().collect())
}

impl Bench<'_> {
    /// Measures `rows` with each of `kinds`, group by group, one server after the other.
    pub fn run(&mut self, rows: &[Row], kinds: &[Kind]) {
        let of = |fits: &dyn Fn(RowWork) -> bool| -> Vec<Row> {
            rows.iter().filter(|row| fits(row.work)).copied().collect()
        };
        let throughput = of(&|work| matches!(work, RowWork::Throughput { .. }));
        let million = of(&|work| {
            use RowWork::*;
            matches!(
                work,
                MillionLoad | MillionRestart | MillionSet | MillionSnapshot
            )
        });
        let has = |work: RowWork| rows.iter().any(|row| row.work == work);
        if has(RowWork::DiskSync) {
            self.attempt("disk-sync", Kind::Echo, disk::measure);
        }
        for &kind in kinds {
            if !throughput.is_empty() {
                self.attempt("throughput", kind, |bench| {
                    throughput::measure(bench, kind, &throughput)
                });
            }
        }
        for &kind in kinds {
            if has(RowWork::EmptyStart) && matches!(kind, Kind::Java | Kind::Grevy) {
                self.attempt("start-empty", kind, |bench| start::measure(bench, kind));
            }
        }
        for &kind in kinds {
            if !million.is_empty() {
                self.attempt("million", kind, |bench| {
                    million::measure(bench, kind, &million)
                });
            }
        }
        for &kind in kinds {
            if has(RowWork::Sessions) {
                self.attempt("idle-sessions", kind, |bench| {
                    sessions::measure(bench, kind)
                });
            }
        }
        for &kind in kinds {
            if has(RowWork::Watchers) {
                self.attempt("watchers", kind, |bench| watchers::measure(bench, kind));
            }
        }
    }

    /// Reports the usual three latencies of a histogram in microseconds.
    fn add_latencies(&mut self, kind: Kind, row: &'static str, latency: &Histogram) {
        const FIGURES: [(f64, Figure); 3] = [
            (0.5, Figure::lower("p50", "µs")),
            (0.99, Figure::lower("p99", "µs")),
            (0.999, Figure::lower("p99.9", "µs")),
        ];
        for (quantile, figure) in FIGURES {
            if let Some(nanoseconds) = latency.quantile(quantile) {
                self.report.add(kind, row, figure, nanoseconds as f64 / 1e3);
            }
        }
    }

    /// Waits until the processor is idle, as long as the settings allow.
    fn wait_until_idle(&self) {
        const LOOK: Duration = Duration::from_millis(500);
        let deadline = clock::now() + self.settings.wait_idle.as_nanos() as u64;
        while clock::now() < deadline {
            let before = Machine::now();
            std::thread::sleep(LOOK);
            let busy = Machine::now().busy_since(before);
            if busy < LOOK.as_nanos() as u64 / 10 {
                return;
            }
        }
    }

    /// Runs one group; a failure is told and kept, and the rest goes on.
    fn attempt(&mut self, what: &str, kind: Kind, measure: impl FnOnce(&mut Self) -> Result<()>) {
        eprintln!("{what}, {kind}:");
        self.wait_until_idle();
        let (start, before) = (clock::now(), Machine::now());
        if let Err(error) = measure(self) {
            eprintln!("    FAILED: {error}");
            self.failed.push(format!("{what}, {kind}: {error}"));
        }
        let others = Machine::now().others_since(before) as f64 / (clock::now() - start) as f64;
        eprintln!(
            "    other processes took {:.0} % of a core meanwhile",
            others * 100.0
        );
        // A server that somebody else runs would count as one of the others. The throughput rows have each looked for themselves.
        if others > DISTURBING && what != "throughput" && !matches!(kind, Kind::Address { .. }) {
            self.disturbed
                .push(format!("{what}, {kind}: {:.0} % of a core", others * 100.0));
        }
    }
}

/// Waits until a started server reads the root, and opens a session there.
fn ready(child: &mut Child) -> Result<Client> {
    seconds_to_first_read(
        child,
        "/",
        Duration::from_millis(10),
        Duration::from_secs(60),
    )?;
    Client::connect(child.target.address, Duration::from_secs(30))
}

/// Waits until a started server answers a read; returns seconds since it was started.
fn seconds_to_first_read(
    child: &mut Child,
    path: &str,
    pause: Duration,
    patience: Duration,
) -> Result<f64> {
    let (address, started) = (child.target.address, child.started);
    let read = first_read(address, path, pause, patience, || child.check())?;
    Ok((read - started) as f64 / SECOND as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_selected_by_name_or_family() {
        let names = |patterns: &[&str]| -> Vec<&str> {
            let patterns: Vec<String> =
                patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            select(&patterns)
                .unwrap()
                .iter()
                .map(|row| row.name)
                .collect()
        };
        assert_eq!(names(&[]).len(), ALL.len());
        assert_eq!(
            names(&["set-1x1", "create"]),
            ["set-1x1", "create-1x1", "create-10x100"]
        );
        assert_eq!(names(&["watchers"]), ["watchers"]);
        assert!(select(&["nothing".to_owned()]).is_err());
    }
}
