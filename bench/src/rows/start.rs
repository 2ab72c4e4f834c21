//! `start-empty`: from exec to the first read.

use super::{Bench, seconds_to_first_read};
use crate::failure::Result;
use crate::report::{Figure, median};
use crate::server::Kind;
use std::time::Duration;

const STARTS: usize = 5;
const ROW: &str = "start-empty";

pub fn measure(bench: &mut Bench<'_>, kind: Kind) -> Result<()> {
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let home = bench.launcher.home(kind, "start", 100_000)?;
        let mut child = home.start()?;
        let seconds = seconds_to_first_read(
            &mut child,
            "/",
            Duration::from_millis(1),
            Duration::from_secs(30),
        )?;
        times.push(seconds * 1e3);
        if let Some(bytes) = child.target.resident_bytes()? {
            sizes.push(bytes as f64 / f64::from(1 << 20));
        }
        child.stop()?;
        home.remove();
    }
    if let Some(milliseconds) = median(&times) {
        bench
            .report
            .add(kind, ROW, Figure::lower("first read", "ms"), milliseconds);
    }
    if let Some(mebibytes) = median(&sizes) {
        bench
            .report
            .add(kind, ROW, Figure::lower("resident", "MiB"), mebibytes);
    }
    Ok(())
}
