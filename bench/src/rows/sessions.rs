//! `idle-sessions`: a burst of new sessions, and what each of them keeps.

use super::{Bench, ready};
use crate::client::Pool;
use crate::clock::SECOND;
use crate::failure::Result;
use crate::load::keys;
use crate::process_stat::listen_overflows;
use crate::report::Figure;
use crate::server::Kind;
use std::time::Duration;

/// When the storm is given up; its figure then is this, and some sessions are missing.
const PATIENCE: Duration = Duration::from_secs(90);
const ROW: &str = "idle-sessions";

pub fn measure(bench: &mut Bench<'_>, kind: Kind) -> Result<()> {
    let count = bench.settings.sessions;
    let home = bench.launcher.home(kind, "sessions", 100_000)?;
    let mut child = home.start()?;
    drop(ready(&mut child)?);
    // A few sessions first, so that what is loaded only once does not count for each.
    keys::open(child.target.address, 100)?.close();
    std::thread::sleep(Duration::from_secs(1));
    let before = child.target.resident_bytes()?;
    let overflows = listen_overflows();
    let mut opened = Pool::open(child.target.address, count, count, PATIENCE)?;
    let overflows = listen_overflows() - overflows;
    for (figure, value) in [
        (
            Figure::lower("storm", "s"),
            opened.elapsed as f64 / SECOND as f64,
        ),
        (
            Figure::lower("sessions missing", "count"),
            opened.missing as f64,
        ),
        (
            Figure::lower("connects retried", "count"),
            opened.retries as f64,
        ),
        (Figure::lower("accept overflows", "count"), overflows as f64),
    ] {
        bench.report.add(kind, ROW, figure, value);
    }
    // A word from each, so that what a server keeps only for a session that has spoken counts too.
    opened.pool.ping_idle();
    std::thread::sleep(Duration::from_secs(2));
    if let Some((after, before)) = child.target.resident_bytes()?.zip(before) {
        let each = after.saturating_sub(before) as f64 / (count - opened.missing).max(1) as f64;
        bench
            .report
            .add(kind, ROW, Figure::lower("resident each", "bytes"), each);
    }
    drop(opened);
    child.stop()?;
    home.remove();
    Ok(())
}
