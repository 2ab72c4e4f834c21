#![doc = include_str!("../README.md")]

#[macro_use]
mod trace;

pub mod answer;
pub mod builder;
pub mod checkers;
pub mod client;
pub mod clock;
pub mod counts;
pub mod election;
pub mod ensemble;
pub mod evidence;
pub mod faults;
pub mod fuzz;
pub mod history;
pub mod model;
pub mod net;
pub mod operation;
pub mod options;
pub mod partition;
pub mod planted;
pub mod random;
pub mod rot;
pub mod run;
pub mod scene;
pub mod scenes;
pub mod schedule;
pub mod server;
pub mod strangers;
pub mod workload;
pub mod world;

pub use grevy_node::Time;
pub use options::Options;
pub use planted::Bug;
pub use run::{Outcome, run};
