//! A server of its own for each test, and a network that can be broken.

mod place;
mod relay;

pub use place::Place;
pub use relay::{Network, Relay};
