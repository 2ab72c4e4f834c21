#![doc = include_str!("../README.md")]

mod example;
mod place;
mod relay;

pub use example::{run, run_at};
pub use place::Place;
pub use relay::{Network, Relay};
