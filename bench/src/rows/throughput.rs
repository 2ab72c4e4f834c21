//! The closed-loop rows: throughput, processor time for an operation, latencies.

use super::{Bench, DISTURBING, Row, RowWork, ready};
use crate::clock;
use crate::failure::Result;
use crate::load::closed::{self, Closed};
use crate::load::{Mix, Work, keys};
use crate::report::Figure;
use crate::server::{Kind, Target};
use std::time::Duration;

/// Long enough for the Java machine to compile what is hot.
const FIRST_WARMUP: Duration = Duration::from_secs(4);

pub fn measure(bench: &mut Bench<'_>, kind: Kind, rows: &[Row]) -> Result<()> {
    let home = bench.launcher.home(kind, "throughput", 100_000)?;
    let mut child = home.start()?;
    let mut client = ready(&mut child)?;
    let target = child.target;
    let keys = bench.settings.keys;
    keys::make_directories(&mut client, keys)?;
    closed::fill(&target, keys)?;
    for mix in [Mix::Mixed, Mix::Set] {
        let plan = Closed {
            connections: 10,
            depth: 20,
            warmup: FIRST_WARMUP / 2,
            measure: Duration::ZERO,
        };
        closed::run(&target, plan, &mut Work::new(mix, keys, ""), || {})?;
    }
    for row in rows {
        if let RowWork::Throughput {
            mix,
            connections,
            depth,
        } = row.work
        {
            let parent = format!("/bench/create-{}-{connections}x{depth}", clock::now());
            if mix == Mix::Create {
                client = ready(&mut child)?;
                client.ensure(&parent, b"")?;
            }
            let mut work = Work::new(mix, keys, &parent);
            let plan = Closed {
                connections,
                depth,
                warmup: bench.settings.warmup,
                measure: bench.settings.measure,
            };
            if let Err(error) = measure_row(bench, kind, row.name, &target, plan, &mut work) {
                child.check()?;
                // The server lives, so the other rows can be measured.
                let what = error.during(format!("{}, {kind}", row.name)).to_string();
                eprintln!("    FAILED: {what}");
                bench.failed.push(what);
            }
        }
    }
    drop(client);
    child.stop()?;
    home.remove();
    Ok(())
}

/// Measures one row in a closed loop.
pub(super) fn measure_row(
    bench: &mut Bench<'_>,
    kind: Kind,
    row: &'static str,
    target: &Target,
    plan: Closed,
    work: &mut Work,
) -> Result<()> {
    let mut attempts = bench.settings.attempts;
    let measured = loop {
        bench.wait_until_idle();
        let mut recording = None;
        let perf = &bench.perf;
        let record = || recording = perf.record(target, row, kind, plan.measure);
        let measured = closed::run(target, plan, work, record)?;
        drop(recording);
        attempts = attempts.saturating_sub(1);
        match measured.others {
            Some(others) if others > DISTURBING => {
                eprintln!(
                    "    {row:<18} other processes took {:.0} % of a core",
                    others * 100.0
                );
                if attempts == 0 {
                    bench
                        .disturbed
                        .push(format!("{row}, {kind}: {:.0} % of a core", others * 100.0));
                    break measured;
                }
            }
            _ => break measured,
        }
    };
    let operations = measured.operations as f64;
    bench.report.add(
        kind,
        row,
        Figure::higher("throughput", "ops/s"),
        operations / measured.seconds,
    );
    if let Some(nanoseconds) = measured.server_cpu {
        let microseconds = nanoseconds as f64 / 1e3 / operations;
        bench.report.add(
            kind,
            row,
            Figure::lower("server cpu", "µs/op"),
            microseconds,
        );
    }
    bench.add_latencies(kind, row, &measured.latency);
    eprintln!(
        "    {row:<18} the load generator itself took {:.2} µs/op, {:.0} % of a core",
        measured.own_cpu as f64 / 1e3 / operations,
        measured.own_cpu as f64 / 1e7 / measured.seconds
    );
    Ok(())
}
