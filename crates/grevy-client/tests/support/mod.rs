//! A server of its own for each test, and a network that can be broken.

mod place;
mod read_only;
mod relay;

pub use place::Place;
pub use read_only::read_only_server;
pub use relay::{Network, Relay};
