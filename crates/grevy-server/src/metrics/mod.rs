//! Metrics under ZooKeeper's names, for `mntr`, the admin server and Prometheus.
//!
//! Nothing off the shelf fits: the names must come out as ZooKeeper writes them (Prometheus'
//! libraries add suffixes), the same numbers go into three texts, and a request must pay no more
//! than a few unshared atomics. So this is a table and a few counters:
//!
//! - [`ServerMetrics`] has a field for each thing that is counted, and whoever does the thing
//!   adds to it;
//! - [`Stats`](crate::stats::Stats) counts requests, apart for each thread;
//! - gauges are looked up when somebody asks;
//! - [`UNCOUNTED`] names what ZooKeeper counts and Grevy has nothing to count for.

mod catalog;
mod counter;
mod gauges;
mod histogram;
mod info;
mod keyed;
mod per_thread;
pub mod process;
pub mod prometheus;
mod reading;
mod summary;
mod tallied;
mod uncounted;

pub use catalog::{COUNTED, ServerMetrics};
pub use counter::Counter;
pub use gauges::{ENSEMBLE_GAUGES, GAUGE_SETS, GAUGES};
pub use info::{Info, Kind};
pub use keyed::{CountsByZnode, TimesByServer};
pub use per_thread::PerThread;
pub use reading::{Number, OF_REQUESTS, Value, catalog, numbers, read};
pub use summary::{Distribution, Sizes, Times};
pub use uncounted::{Group, UNCOUNTED};
