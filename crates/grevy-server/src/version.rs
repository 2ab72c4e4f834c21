//! What the server calls itself.

use crate::date::Date;

/// The ZooKeeper whose behaviour this is; tools look for three numbers at the start.
const ZOOKEEPER: &str = "3.9.5";

/// As `Version.getFullVersion` writes it: `3.9.5-grevy-0.1.0, built on 2026-11-23 03:05 UTC`.
pub fn full() -> String {
    let seconds: i64 = env!("GREVY_BUILD_TIME").parse().unwrap_or(0);
    format!(
        "{ZOOKEEPER}-grevy-{}, built on {:#}",
        env!("CARGO_PKG_VERSION"),
        Date(seconds * 1000)
    )
}
