//! A ZooKeeper client reduced to what a load generator needs.

mod blocking;
mod connection;
mod pool;
pub mod wire;

pub use blocking::Client;
pub use connection::{Connection, DATA_BYTES, Operation};
pub use pool::Pool;

/// The session timeout every connection asks for, in milliseconds.
pub const SESSION_TIMEOUT_MS: i32 = 40_000;
