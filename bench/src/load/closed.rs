//! Closed loop: every connection keeps a fixed number of requests in flight.

use super::keys;
use super::work::Work;
use crate::client::Pool;
use crate::clock::{self, SECOND};
use crate::failure::Result;
use crate::histogram::Histogram;
use crate::process_stat::{Cpu, Machine};
use crate::server::Target;
use std::time::Duration;

/// Shape and length of a closed-loop measurement.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    pub connections: usize,
    /// Requests in flight on each connection.
    pub depth: usize,
    pub warmup: Duration,
    pub measure: Duration,
}

/// What a measurement gave.
pub struct Measured {
    pub operations: u64,
    pub seconds: f64,
    /// Nanoseconds from a request to its answer.
    pub latency: Histogram,
    /// Processor nanoseconds of the server; `None` if its process is not known.
    pub server_cpu: Option<u64>,
    /// Processor nanoseconds of the load generator.
    pub own_cpu: u64,
    /// The share of a core that neither the server nor the load used; `None` if the server's is not known.
    pub others: Option<f64>,
}

/// How often the operations are counted for [`run_counting`].
pub const SLOT: u64 = SECOND / 100;

/// Drives `work` and measures after the warm-up.
pub fn run(
    target: &Target,
    plan: Closed,
    work: &mut Work,
    on_start: impl FnOnce(),
) -> Result<Measured> {
    run_counting(target, plan, work, on_start, |_| {})
}

/// Like [`run`], and tells `completed` the time of each answer.
pub fn run_counting(
    target: &Target,
    plan: Closed,
    work: &mut Work,
    on_start: impl FnOnce(),
    mut completed: impl FnMut(u64),
) -> Result<Measured> {
    let mut pool = keys::open(target.address, plan.connections)?;
    pool.prefer_blocking()?;
    let warm = clock::now() + plan.warmup.as_nanos() as u64;
    fill_depth(&mut pool, plan.depth, work)?;

    let mut ready = Vec::new();
    while clock::now() < warm {
        turn(&mut pool, &mut ready, work, |_, _| {})?;
    }
    on_start();
    let mut latency = Histogram::default();
    let (server_before, own_before) = (target.cpu()?, Cpu::of(std::process::id())?);
    let machine_before = Machine::now();
    let start = clock::now();
    let end = start + plan.measure.as_nanos() as u64;
    let mut now = start;
    while now < end {
        now = turn(&mut pool, &mut ready, work, |at, begun| {
            latency.record(at - begun);
            completed(at);
        })?;
    }
    let busy = Machine::now().busy_since(machine_before);
    let (server_after, own_after) = (target.cpu()?, Cpu::of(std::process::id())?);
    pool.drain(Duration::from_secs(20))?;
    pool.close();
    let server_cpu = server_before
        .zip(server_after)
        .map(|(before, after)| after.since(before));
    let own_cpu = own_after.since(own_before);
    let others = |server: u64| busy.saturating_sub(server + own_cpu) as f64 / (now - start) as f64;
    Ok(Measured {
        operations: latency.count(),
        seconds: (now - start) as f64 / SECOND as f64,
        latency,
        server_cpu,
        own_cpu,
        others: server_cpu.map(others),
    })
}

/// Creates znodes 0 to `count` of the benchmark; returns seconds taken and processor nanoseconds of the server.
pub fn fill(target: &Target, count: u64) -> Result<(f64, Option<u64>)> {
    const CONNECTIONS: usize = 4;
    const DEPTH: u64 = 100;
    let mut work = Work::new(super::Mix::Fill, count, "");
    let mut pool = keys::open(target.address, CONNECTIONS)?;
    let (start, before) = (clock::now(), target.cpu()?);
    let mut asked = 0;
    for index in 0..CONNECTIONS {
        for _ in 0..DEPTH.min(count - asked) {
            work.issue(&mut pool.connections[index], start);
            asked += 1;
        }
        pool.flush(index)?;
    }
    let mut ready = Vec::new();
    while asked < count {
        pool.wait(Some(SECOND), &mut ready)
            .map_err(|(_, error)| error)?;
        for &index in &ready {
            let mut answered = 0;
            pool.receive(index, |_, _| answered += 1)?;
            for _ in 0..answered.min(count - asked) {
                work.issue(&mut pool.connections[index], start);
                asked += 1;
            }
            pool.flush(index)?;
        }
    }
    pool.drain(Duration::from_secs(60))?;
    let (end, after) = (clock::now(), target.cpu()?);
    pool.close();
    let cpu = before.zip(after).map(|(before, after)| after.since(before));
    Ok(((end - start) as f64 / SECOND as f64, cpu))
}

fn fill_depth(pool: &mut Pool, depth: usize, work: &mut Work) -> Result<()> {
    for index in 0..pool.connections.len() {
        let start = clock::now();
        for _ in 0..depth {
            work.issue(&mut pool.connections[index], start);
        }
        pool.flush(index)?;
    }
    Ok(())
}

/// Waits for answers and sends as many new requests; `answered` gets the time of an answer and of its request.
/// Returns the time of the last answer, or the present if none came.
#[inline]
fn turn(
    pool: &mut Pool,
    ready: &mut Vec<usize>,
    work: &mut Work,
    mut answered: impl FnMut(u64, u64),
) -> Result<u64> {
    let mut last = None;
    pool.wait(Some(SECOND / 10), ready)
        .map_err(|(_, error)| error)?;
    for &index in ready.iter() {
        let mut count = 0;
        pool.receive(index, |at, pending| {
            answered(at, pending.start);
            last = Some(at);
            count += 1;
        })?;
        if count > 0 {
            let now = clock::now();
            for _ in 0..count {
                work.issue(&mut pool.connections[index], now);
            }
            pool.flush(index)?;
        }
    }
    Ok(last.unwrap_or_else(clock::now))
}
