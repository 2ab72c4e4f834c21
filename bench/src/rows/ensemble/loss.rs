//! How long an ensemble that loses its leader acknowledges no write, and who stays connected.

use super::PATIENCE;
use crate::client::Client;
use crate::clock::{self, MILLISECOND};
use crate::failure::{Failure, Result};
use crate::report::{Figure, median};
use crate::rows::Bench;
use crate::server::{Ensemble, Kind};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::time::Duration;

/// Clients of each survivor that do nothing meanwhile.
const IDLE: usize = 20;
const PATH: &str = "/loss";

/// Sends `signal` to the leader, `rounds` times; it comes back in between.
pub fn measure(
    bench: &mut Bench<'_>,
    kind: Kind,
    row: &'static str,
    signal: Signal,
    rounds: usize,
) -> Result<()> {
    let mut ensemble = Ensemble::new(bench.launcher, kind, row)?;
    ensemble.start_all()?;
    let leader = ensemble.leader()?;
    Client::connect(ensemble.target(leader).address, PATIENCE)?.ensure(PATH, b"")?;
    let (mut times, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let leader = ensemble.leader()?;
        let survivors: Vec<SocketAddr> = ensemble
            .others(leader)
            .into_iter()
            .map(|member| ensemble.target(member).address)
            .collect();
        let mut idle = Vec::new();
        for &survivor in &survivors {
            for _ in 0..IDLE {
                idle.push(Client::connect(survivor, PATIENCE)?);
            }
        }
        let mut writer = Client::connect(survivors[0], PATIENCE)?;
        writer.set(PATH, b"before")?;
        let struck = clock::now();
        ensemble.signal(leader, signal)?;
        let pause = longest_pause(&mut ensemble, leader, &survivors, writer, struck, signal)?;
        times.push(pause as f64 / MILLISECOND as f64);
        let alive = idle
            .iter_mut()
            .filter_map(|client| client.set(PATH, b"still here").ok());
        kept.push(alive.count() as f64 / (IDLE * survivors.len()) as f64 * 100.0);
        if signal == Signal::STOP {
            ensemble.signal(leader, Signal::CONT)?;
        } else {
            ensemble.restart(leader)?;
        }
        ensemble.await_serving(&[0, 1, 2])?;
    }
    let middle = |values: &[f64]| median(values).unwrap_or_default();
    bench.report.add(
        kind,
        row,
        Figure::lower("writes pause", "ms"),
        middle(&times),
    );
    bench.report.add(
        kind,
        row,
        Figure::higher("connections kept", "%"),
        middle(&kept),
    );
    ensemble.remove()
}

/// The longest time, in nanoseconds from `struck` on, in which no write was acknowledged, until one was by an ensemble
/// without the old leader. Who loses the connection makes a new one, to whichever survivor takes it.
fn longest_pause(
    ensemble: &mut Ensemble,
    leader: usize,
    survivors: &[SocketAddr],
    writer: Client,
    struck: u64,
    signal: Signal,
) -> Result<u64> {
    let deadline = struck + PATIENCE.as_nanos() as u64;
    let mut writer = Some(writer);
    let (mut last, mut longest) = (struck, 0);
    for attempt in 0.. {
        let now = clock::now();
        if now > deadline {
            break;
        }
        // One that is frozen neither ends nor acknowledges anything.
        let is_gone = signal == Signal::STOP || ensemble.has_ended(leader)?;
        if let Some(client) = &mut writer
            && client.set(PATH, b"after").is_ok()
        {
            let now = clock::now();
            longest = longest.max(now - last);
            last = now;
            if is_gone {
                return Ok(longest);
            }
            continue;
        }
        let survivor = survivors[attempt % survivors.len()];
        writer = Client::connect(survivor, PATIENCE).ok();
        if writer.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Err(Failure::new(format!(
        "no write was acknowledged within {PATIENCE:?}"
    )))
}
