//! The rows about three servers that are one ensemble.

mod loss;

use super::{Bench, throughput};
use crate::client::{Client, first_read};
use crate::clock::{self, SECOND};
use crate::failure::{Failure, Result};
use crate::load::closed::{self, Closed};
use crate::load::fixed::{self, Stream};
use crate::load::{Mix, Work, keys};
use crate::report::Figure;
use crate::server::{Ensemble, Kind};
use rustix::process::Signal;
use std::time::Duration;

/// The throughput rows: a name, what it is, the mix, requests in flight on each of ten connections, and whether the
/// clients are the leader's.
const THROUGHPUT: [(&str, &str, Mix, usize, bool); 8] = [
    (
        "ens-get-leader",
        "getData 10x100 at the leader",
        Mix::Get,
        100,
        true,
    ),
    (
        "ens-get-follower",
        "getData 10x100 at a follower",
        Mix::Get,
        100,
        false,
    ),
    (
        "ens-set-leader",
        "setData 10x100 at the leader",
        Mix::Set,
        100,
        true,
    ),
    (
        "ens-set-follower",
        "setData 10x100 through a follower",
        Mix::Set,
        100,
        false,
    ),
    (
        "ens-mixed-leader",
        "90/10 10x100 at the leader",
        Mix::Mixed,
        100,
        true,
    ),
    (
        "ens-mixed-follower",
        "90/10 10x100 through a follower",
        Mix::Mixed,
        100,
        false,
    ),
    (
        "ens-multi",
        "multi of ten setData 10x10 at the leader",
        Mix::Multi,
        10,
        true,
    ),
    (
        "ens-multi-100",
        "multi of ten setData 10x100 at the leader",
        Mix::Multi,
        100,
        true,
    ),
];

const RATE: &str = "ens-rate";
const KILL: &str = "ens-kill";
const HANDOVER: &str = "ens-handover";
const FREEZE: &str = "ens-freeze";
const JOIN: &str = "ens-join";

/// The other rows, and what they are.
const OTHERS: [(&str, &str); 5] = [
    (RATE, "setData through a follower at a fixed rate"),
    (
        KILL,
        "kill -9 of the leader; how long writes through a survivor pause",
    ),
    (
        HANDOVER,
        "SIGTERM to the leader; how long writes through a survivor pause",
    ),
    (
        FREEZE,
        "SIGSTOP to the leader; how long writes through a survivor pause",
    ),
    (
        JOIN,
        "an empty server joins when there are a million znodes",
    ),
];

/// All rows in the order in which they are measured and shown, and what they are.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let throughput = THROUGHPUT.iter().map(|&(name, about, ..)| (name, about));
    throughput.chain(OTHERS)
}

/// The names that are one of `patterns` or begin with one and a dash, with or without "ens-" before it; all if there
/// are none.
pub fn select(patterns: &[String]) -> Result<Vec<&'static str>> {
    let fits = |name: &str, pattern: &str| {
        let short = pattern.strip_prefix("ens-").unwrap_or(pattern);
        let rest = name.trim_start_matches("ens-").strip_prefix(short);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    if let Some(stranger) = patterns
        .iter()
        .find(|pattern| !all().any(|(name, _)| fits(name, pattern)))
    {
        return Err(Failure::new(format!(
            "no row of ensembles is called {stranger}, see `list`"
        )));
    }
    let wanted =
        |name: &&str| patterns.is_empty() || patterns.iter().any(|pattern| fits(name, pattern));
    Ok(all().map(|(name, _)| name).filter(wanted).collect())
}

/// Measures the rows named with ensembles of each of `kinds`, one after the other.
pub fn run(bench: &mut Bench<'_>, names: &[&'static str], kinds: &[Kind]) {
    let has = |name: &str| names.contains(&name);
    // The floor has no followers that clients could talk to, and nobody who could take a leader's place.
    let servers: Vec<Kind> = kinds
        .iter()
        .copied()
        .filter(|kind| *kind != Kind::Echo)
        .collect();
    for &kind in kinds {
        if THROUGHPUT.iter().any(|row| has(row.0)) || has(RATE) {
            bench.attempt("ensemble", kind, |bench| load(bench, kind, names));
        }
    }
    for (row, signal, rounds) in [
        (KILL, Signal::KILL, 5),
        (HANDOVER, Signal::TERM, 5),
        // Takes as long as the others wait for a leader that is silent.
        (FREEZE, Signal::STOP, 1),
    ] {
        for &kind in &servers {
            if has(row) {
                bench.attempt(row, kind, |bench| {
                    loss::measure(bench, kind, row, signal, rounds)
                });
            }
        }
    }
    for &kind in &servers {
        if has(JOIN) {
            bench.attempt(JOIN, kind, |bench| join(bench, kind));
        }
    }
}

fn load(bench: &mut Bench<'_>, kind: Kind, names: &[&'static str]) -> Result<()> {
    let mut ensemble = Ensemble::new(bench.launcher, kind, "ensemble")?;
    ensemble.start_all()?;
    let leader = ensemble.leader()?;
    let follower = ensemble.others(leader)[0];
    let target = ensemble.target(leader);
    let keys = bench.settings.keys;
    keys::make_directories(&mut Client::connect(target.address, PATIENCE)?, keys)?;
    closed::fill(&target, keys)?;
    let is_floor = kind == Kind::Echo;
    for member in [leader, follower] {
        if is_floor && member == follower {
            continue;
        }
        let plan = Closed {
            connections: 10,
            depth: 20,
            warmup: Duration::from_secs(2),
            measure: Duration::ZERO,
        };
        closed::run(
            &ensemble.target(member),
            plan,
            &mut Work::new(Mix::Mixed, keys, ""),
            || {},
        )?;
    }
    for (row, _, mix, depth, at_leader) in THROUGHPUT {
        if !names.contains(&row) || (is_floor && !at_leader) {
            continue;
        }
        let plan = Closed {
            connections: 10,
            depth,
            warmup: bench.settings.warmup,
            measure: bench.settings.measure,
        };
        let target = ensemble.target(if at_leader { leader } else { follower });
        throughput::measure_row(
            bench,
            kind,
            row,
            &target,
            plan,
            &mut Work::new(mix, keys, ""),
        )?;
    }
    if names.contains(&RATE) && !is_floor {
        rate(bench, kind, &ensemble, follower)?;
    }
    ensemble.remove()
}

/// Latencies of sets that are due on a timetable.
fn rate(bench: &mut Bench<'_>, kind: Kind, ensemble: &Ensemble, follower: usize) -> Result<()> {
    const WARMUP: u64 = 2;
    const SECONDS: u64 = 8;
    bench.wait_until_idle();
    let rate = bench.settings.rate;
    let target = ensemble.target(follower);
    let stream = Stream {
        work: Work::new(Mix::Set, bench.settings.keys, ""),
        rate,
        connections: 10,
    };
    let warm = clock::now() + WARMUP * SECOND;
    let end = warm + SECONDS * SECOND;
    let before = target.cpu()?;
    let ran = fixed::run(&target, vec![stream], warm, |now| now >= end)?;
    let after = target.cpu()?;
    bench.add_latencies(kind, RATE, &fixed::histogram(&ran.samples[0]));
    if let Some((before, after)) = before.zip(after) {
        let microseconds = after.since(before) as f64 / 1e3 / (rate * (WARMUP + SECONDS)) as f64;
        bench.report.add(
            kind,
            RATE,
            Figure::lower("server cpu", "µs/op"),
            microseconds,
        );
    }
    Ok(())
}

/// How long a server that starts has to send and take what is there.
const JOIN_PATIENCE: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(60);

fn join(bench: &mut Bench<'_>, kind: Kind) -> Result<()> {
    let mut ensemble = Ensemble::new(bench.launcher, kind, "join")?;
    ensemble.start(0)?;
    ensemble.start(1)?;
    ensemble.await_serving(&[0, 1])?;
    let count = bench.settings.millions * 1_000_000;
    let target = ensemble.target(ensemble.leader()?);
    keys::make_directories(&mut Client::connect(target.address, PATIENCE)?, count)?;
    closed::fill(&target, count)?;
    bench.wait_until_idle();
    ensemble.start(2)?;
    let (address, started) = (ensemble.target(2).address, ensemble.started(2)?);
    let last = keys::key(count - 1);
    let look = Duration::from_millis(5);
    let read = first_read(address, &last, look, JOIN_PATIENCE, || {
        ensemble.started(2).map(drop)
    })?;
    let seconds = (read - started) as f64 / SECOND as f64;
    bench
        .report
        .add(kind, JOIN, Figure::lower("first read", "s"), seconds);
    ensemble.remove()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_selected_with_and_without_the_prefix() {
        let names = |patterns: &[&str]| {
            let patterns: Vec<String> =
                patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            select(&patterns)
        };
        assert_eq!(names(&[]).unwrap().len(), all().count());
        assert_eq!(
            names(&["ens-set", "kill"]).unwrap(),
            ["ens-set-leader", "ens-set-follower", "ens-kill"]
        );
        assert!(names(&["get-1x1"]).is_err());
    }
}
