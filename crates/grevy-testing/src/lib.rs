#![doc = include_str!("../README.md")]

mod example;
mod place;
mod read_only;
mod relay;

pub use example::{run, run_at};
pub use place::Place;
pub use read_only::read_only_server;
pub use relay::{Network, Relay};
