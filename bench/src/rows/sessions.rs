//! `idle-sessions`: a burst of new sessions, and what each of them keeps.

use super::{Bench, ready};
use crate::client::Pool;
use crate::clock::SECOND;
use crate::failure::Result;
use crate::process_stat::listen_overflows;
use crate::report::Figure;
use crate::server::Kind;
use std::time::Duration;

const ROW: &str = "idle-sessions";

pub fn measure(bench: &mut Bench<'_>, kind: Kind) -> Result<()> {
    let count = bench.settings.sessions;
    let home = bench.launcher.home(kind, "sessions", 100_000)?;
    let mut child = home.start()?;
    drop(ready(&mut child)?);
    // A few sessions first, so that what is loaded only once does not count for each.
    Pool::open(child.target.address, 100, 10, Duration::from_secs(30))?
        .pool
        .close();
    std::thread::sleep(Duration::from_secs(1));
    let before = child.target.resident_bytes()?;
    let overflows = listen_overflows();
    let mut opened = Pool::open(child.target.address, count, count, Duration::from_secs(90))?;
    let overflows = listen_overflows() - overflows;
    bench.report.add(
        kind,
        ROW,
        Figure::lower("storm", "s"),
        opened.elapsed as f64 / SECOND as f64,
    );
    bench.report.add(
        kind,
        ROW,
        Figure::lower("connects retried", "count"),
        opened.retries as f64,
    );
    bench.report.add(
        kind,
        ROW,
        Figure::lower("accept overflows", "count"),
        overflows as f64,
    );
    // A ping each, so that whatever a server keeps only for a session that has spoken counts too.
    for index in 0..count {
        opened.pool.connections[index].ping();
        opened.pool.flush(index)?;
    }
    std::thread::sleep(Duration::from_secs(2));
    if let Some((after, before)) = child.target.resident_bytes()?.zip(before) {
        let each = after.saturating_sub(before) as f64 / count as f64;
        bench
            .report
            .add(kind, ROW, Figure::lower("resident each", "bytes"), each);
    }
    drop(opened);
    child.stop()?;
    home.remove();
    Ok(())
}
