//! `watchers`: one write that thousands wait for.

use super::{Bench, ready};
use crate::client::{Client, Operation, Pool};
use crate::clock::{self, SECOND};
use crate::failure::{Failure, Result};
use crate::load::keys;
use crate::report::{Figure, median};
use crate::server::Kind;
use std::time::Duration;

const ROW: &str = "watchers";
const ROUNDS: usize = 9;
/// How long all events of a round may take.
const PATIENCE: u64 = 20 * SECOND;

pub fn measure(bench: &mut Bench<'_>, kind: Kind) -> Result<()> {
    let count = bench.settings.watchers;
    let home = bench.launcher.home(kind, "watchers", 100_000)?;
    let mut child = home.start()?;
    let mut setter = ready(&mut child)?;
    let path = keys::key(0);
    let data = [b'x'; crate::client::DATA_BYTES];
    keys::make_directories(&mut setter, 1)?;
    setter.ensure(&path, &data)?;
    let mut pool = keys::open(child.target.address, count)?;
    let (mut replies, mut last_events) = (Vec::new(), Vec::new());
    let mut cpu = Vec::new();
    for _ in 0..ROUNDS {
        for index in 0..count {
            pool.connections[index].get_and_watch(path.as_bytes(), clock::now());
            pool.flush(index)?;
        }
        pool.drain(Duration::from_secs(30))?;
        let before = child.target.cpu()?;
        let round = round(&mut pool, &mut setter, &path, &data, count)?;
        if let Some((before, after)) = before.zip(child.target.cpu()?) {
            cpu.push(after.since(before) as f64 / 1e3 / count as f64);
        }
        replies.push(round.reply as f64 / 1e6);
        last_events.push(round.last_event as f64 / 1e6);
    }
    for (figure, values) in [
        (Figure::lower("setter's reply", "ms"), replies),
        (Figure::lower("last event", "ms"), last_events),
        (Figure::lower("server cpu each", "µs"), cpu),
    ] {
        if let Some(value) = median(&values) {
            bench.report.add(kind, ROW, figure, value);
        }
    }
    drop(pool);
    child.stop()?;
    home.remove();
    Ok(())
}

/// Nanoseconds after the set was sent.
struct Round {
    reply: u64,
    last_event: u64,
}

/// Sets once and waits for the reply, on a thread of its own, and for every event.
fn round(
    pool: &mut Pool,
    setter: &mut Client,
    path: &str,
    data: &[u8],
    count: usize,
) -> Result<Round> {
    let start = clock::now();
    std::thread::scope(|scope| {
        let reply = scope.spawn(|| setter.set(path, data).map(|sent| clock::now() - sent));
        let mut ready = Vec::new();
        let (mut events, mut last) = (0, start);
        while events < count {
            if clock::now() > start + PATIENCE {
                return Err(Failure::new(format!("{events} of {count} events came")));
            }
            pool.wait(Some(SECOND), &mut ready)
                .map_err(|(_, error)| error)?;
            for &index in &ready {
                pool.receive(index, |at, pending| {
                    events += usize::from(pending.operation == Operation::Event);
                    last = last.max(at);
                })?;
            }
        }
        let reply = reply
            .join()
            .map_err(|_| Failure::new("the thread of the setter failed"))??;
        Ok(Round {
            reply,
            last_event: last - start,
        })
    })
}
