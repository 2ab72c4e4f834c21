//! The rows over a million znodes (or several): memory, restart, steady writes, snapshots.

use super::{Bench, Row, RowWork, ready, seconds_to_first_read};
use crate::clock::{self, SECOND};
use crate::failure::{Failure, Result};
use crate::load::closed::{self, Closed};
use crate::load::fixed::{self, Sample, Stream};
use crate::load::{Mix, Work, keys};
use crate::report::Figure;
use crate::server::{Child, Home, Kind, SnapshotWatch, Target, Window};
use std::time::Duration;

const MEBIBYTE: f64 = (1 << 20) as f64;
/// Transactions between snapshots once the tree is loaded: more than `million-set` makes, so that none disturbs it.
const SNAP_COUNT: u64 = 150_000;

pub fn measure(bench: &mut Bench<'_>, kind: Kind, rows: &[Row]) -> Result<()> {
    let wants = |work: RowWork| rows.iter().any(|row| row.work == work);
    if matches!(kind, Kind::Echo | Kind::Address { .. }) {
        // No tree to load, or not ours to restart.
        return if wants(RowWork::MillionSet) {
            steady_alone(bench, kind)
        } else {
            Ok(())
        };
    }
    let count = bench.settings.millions * 1_000_000;
    let mut home = bench
        .launcher
        .home(kind, "million", 100_000 * bench.settings.millions)?;
    let mut child = home.start()?;
    load(bench, kind, &mut child, count)?;
    let restarted = [
        RowWork::MillionRestart,
        RowWork::MillionSet,
        RowWork::MillionSnapshot,
    ]
    .into_iter()
    .any(wants);
    if restarted {
        child.stop()?;
        home.set_snap_count(SNAP_COUNT);
        child = home.start()?;
        restart(bench, kind, &mut child, count)?;
    }
    if wants(RowWork::MillionSet) {
        steady(bench, kind, &child.target, count)?;
    }
    if wants(RowWork::MillionSnapshot) {
        snapshot_timetable(bench, kind, &home, &child.target, count)?;
        snapshot_throughput(bench, kind, &home, &child.target, count)?;
    }
    child.stop()?;
    home.remove();
    Ok(())
}

fn load(bench: &mut Bench<'_>, kind: Kind, child: &mut Child, count: u64) -> Result<()> {
    const ROW: &str = "million-load";
    let mut client = ready(child)?;
    let empty = child.target.resident_bytes()?;
    keys::make_directories(&mut client, count)?;
    let (seconds, cpu) = closed::fill(&child.target, count)?;
    bench.report.add(
        kind,
        ROW,
        Figure::higher("create 4x100", "ops/s"),
        count as f64 / seconds,
    );
    if let Some(nanoseconds) = cpu {
        let microseconds = nanoseconds as f64 / 1e3 / count as f64;
        bench.report.add(
            kind,
            ROW,
            Figure::lower("server cpu", "µs/op"),
            microseconds,
        );
    }
    // Lets a snapshot that the load began come to its end.
    std::thread::sleep(Duration::from_secs(3));
    if let Some((bytes, empty)) = child.target.resident_bytes()?.zip(empty) {
        bench.report.add(
            kind,
            ROW,
            Figure::lower("resident", "MiB"),
            bytes as f64 / MEBIBYTE,
        );
        let each = bytes.saturating_sub(empty) as f64 / count as f64;
        bench
            .report
            .add(kind, ROW, Figure::lower("resident each", "bytes"), each);
    }
    Ok(())
}

fn restart(bench: &mut Bench<'_>, kind: Kind, child: &mut Child, count: u64) -> Result<()> {
    const ROW: &str = "million-restart";
    let (pause, patience) = (Duration::from_millis(5), Duration::from_secs(300));
    let seconds = seconds_to_first_read(child, &keys::key(count - 1), pause, patience)?;
    bench
        .report
        .add(kind, ROW, Figure::lower("first read", "s"), seconds);
    std::thread::sleep(Duration::from_secs(1));
    if let Some(bytes) = child.target.resident_bytes()? {
        bench.report.add(
            kind,
            ROW,
            Figure::lower("resident", "MiB"),
            bytes as f64 / MEBIBYTE,
        );
    }
    Ok(())
}

fn steady_alone(bench: &mut Bench<'_>, kind: Kind) -> Result<()> {
    let home = bench.launcher.home(kind, "million", SNAP_COUNT)?;
    let mut child = home.start()?;
    let mut client = ready(&mut child)?;
    let count = bench.settings.millions * 1_000_000;
    if kind != Kind::Echo {
        keys::make_directories(&mut client, count)?;
        closed::fill(&child.target, count)?;
    }
    steady(bench, kind, &child.target, count)?;
    child.stop()?;
    home.remove();
    Ok(())
}

/// `million-set`: sets at a fixed rate over 10 connections.
fn steady(bench: &mut Bench<'_>, kind: Kind, target: &Target, count: u64) -> Result<()> {
    const ROW: &str = "million-set";
    bench.wait_until_idle();
    let rate = bench.settings.rate;
    let warm = clock::now() + 2 * SECOND;
    let end = warm + 10 * SECOND;
    let stream = Stream {
        work: Work::new(Mix::Set, count, ""),
        rate,
        connections: 10,
    };
    let recording = bench
        .perf
        .record(target, ROW, kind, Duration::from_secs(12));
    let before = target.cpu()?;
    let ran = fixed::run(target, vec![stream], warm, |now| now >= end)?;
    let after = target.cpu()?;
    drop(recording);
    let samples = &ran.samples[0];
    bench.add_latencies(kind, ROW, &fixed::histogram(samples));
    if let Some((before, after)) = before.zip(after) {
        let microseconds = after.since(before) as f64 / 1e3 / (rate * 12) as f64;
        bench.report.add(
            kind,
            ROW,
            Figure::lower("server cpu", "µs/op"),
            microseconds,
        );
    }
    let microseconds = |quantile| ran.lag.quantile(quantile).unwrap_or(0) as f64 / 1e3;
    let (p50, high) = (microseconds(0.5), microseconds(0.999));
    eprintln!(
        "    {ROW:<18} the load generator itself was late by {p50:.0} µs (p50), {high:.0} µs (p99.9)"
    );
    Ok(())
}

/// `million-snapshot`, first half: latencies at fixed rates, inside and outside of snapshots.
fn snapshot_timetable(
    bench: &mut Bench<'_>,
    kind: Kind,
    home: &Home,
    target: &Target,
    count: u64,
) -> Result<()> {
    const ROW: &str = "million-snapshot";
    const LONGEST: u64 = 120 * SECOND;
    bench.wait_until_idle();
    let watch = SnapshotWatch::start(&home.data)?;
    let start = clock::now();
    let warm = start + 2 * SECOND;
    let streams = vec![
        Stream {
            work: Work::new(Mix::Get, count, ""),
            rate: 2 * bench.settings.rate,
            connections: 10,
        },
        Stream {
            work: Work::new(Mix::Set, count, ""),
            rate: bench.settings.rate,
            connections: 10,
        },
    ];
    // Until a snapshot was written from beginning to end and a second has passed after it.
    let mut looked = start;
    let mut complete = false;
    let ran = fixed::run(target, streams, warm, |now| {
        if now - looked > SECOND / 20 {
            looked = now;
            complete = windows_after(&watch, warm)
                .iter()
                .any(|w| w.end.is_some_and(|end| end + SECOND < now));
        }
        complete || now > start + LONGEST
    })?;
    let windows = windows_after(&watch, warm);
    let Some(window) = windows.iter().find(|window| window.end.is_some()) else {
        return Err(Failure::new(format!(
            "no snapshot was seen in {} within {}",
            home.data.display(),
            "120 s"
        )));
    };
    let seconds = (window.end.unwrap_or(0) - window.start) as f64 / SECOND as f64;
    bench
        .report
        .add(kind, ROW, Figure::lower("snapshot takes", "s"), seconds);
    const FIGURES: [[Figure; 3]; 2] = [
        [
            Figure::lower("get p99.9 outside", "µs"),
            Figure::lower("get p99.9 during", "µs"),
            Figure::lower("get worst during", "µs"),
        ],
        [
            Figure::lower("set p99.9 outside", "µs"),
            Figure::lower("set p99.9 during", "µs"),
            Figure::lower("set worst during", "µs"),
        ],
    ];
    for (samples, [outside, during, worst]) in ran.samples.iter().zip(FIGURES) {
        // A request belongs to a snapshot if any part of it does.
        let inside = |sample: &&Sample| {
            windows.iter().any(|window| {
                window.start <= sample.due + sample.latency
                    && window.end.is_none_or(|end| sample.due <= end)
            })
        };
        let (calm, busy): (Vec<&Sample>, Vec<&Sample>) =
            samples.iter().partition(|sample| !inside(sample));
        for (figure, samples, quantile) in [
            (outside, &calm, 0.999),
            (during, &busy, 0.999),
            (worst, &busy, 1.0),
        ] {
            if let Some(nanoseconds) = fixed::histogram(samples.iter().copied()).quantile(quantile)
            {
                bench
                    .report
                    .add(kind, ROW, figure, nanoseconds as f64 / 1e3);
            }
        }
    }
    Ok(())
}

/// `million-snapshot`, second half: throughput of sets in a closed loop, inside and outside of snapshots.
fn snapshot_throughput(
    bench: &mut Bench<'_>,
    kind: Kind,
    home: &Home,
    target: &Target,
    count: u64,
) -> Result<()> {
    const ROW: &str = "million-snapshot";
    let watch = SnapshotWatch::start(&home.data)?;
    let length = Duration::from_secs((12 * bench.settings.millions).min(60));
    let plan = Closed {
        connections: 10,
        depth: 10,
        warmup: Duration::from_secs(1),
        measure: length,
    };
    let start = clock::now();
    // Operations in each slot of 10 ms.
    let mut slots: Vec<u64> = Vec::new();
    let mut work = Work::new(Mix::Set, count, "");
    closed::run_counting(
        target,
        plan,
        &mut work,
        || {},
        |at| {
            let slot = ((at - start) / closed::SLOT) as usize;
            if slots.len() <= slot {
                slots.resize(slot + 1, 0);
            }
            slots[slot] += 1;
        },
    )?;
    let windows = watch.windows();
    let (mut calm, mut busy) = (Rate::default(), Rate::default());
    let measured = slots
        .iter()
        .enumerate()
        .skip_while(|(_, operations)| **operations == 0);
    for (slot, &operations) in measured {
        let middle = start + slot as u64 * closed::SLOT + closed::SLOT / 2;
        let rate = if windows.iter().any(|window| window.contains(middle)) {
            &mut busy
        } else {
            &mut calm
        };
        rate.slots += 1;
        rate.operations += operations;
    }
    const FIGURES: [Figure; 2] = [
        Figure::higher("set 10x10 outside", "ops/s"),
        Figure::higher("set 10x10 during", "ops/s"),
    ];
    for (rate, figure) in [calm, busy].into_iter().zip(FIGURES) {
        if rate.slots > 0 {
            let per_second =
                rate.operations as f64 * (SECOND / closed::SLOT) as f64 / rate.slots as f64;
            bench.report.add(kind, ROW, figure, per_second);
        }
    }
    Ok(())
}

#[derive(Default)]
struct Rate {
    slots: u64,
    operations: u64,
}

fn windows_after(watch: &SnapshotWatch, time: u64) -> Vec<Window> {
    watch
        .windows()
        .into_iter()
        .filter(|window| window.start >= time)
        .collect()
}
