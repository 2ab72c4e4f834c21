//! `disk-sync`: what no durable write can be faster than.

use super::Bench;
use crate::failure::Result;
use crate::floor::sync;
use crate::server::Kind;
use std::time::Duration;

pub fn measure(bench: &mut Bench<'_>) -> Result<()> {
    let path = bench.launcher.work.join("disk-sync");
    let histogram = sync::measure(&path, bench.settings.measure.max(Duration::from_secs(1)))?;
    bench.add_latencies(Kind::Echo, "disk-sync", &histogram);
    Ok(())
}
