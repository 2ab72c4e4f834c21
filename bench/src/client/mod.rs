//! A ZooKeeper client reduced to what a load generator needs.

mod blocking;
mod connection;
mod pool;
mod probe;
pub mod wire;

pub use blocking::Client;
pub use connection::{Connection, DATA_BYTES, MULTI_SETS, Operation};
pub use pool::Pool;
pub use probe::first_read;

/// The session timeout every connection asks for, in milliseconds.
pub const SESSION_TIMEOUT_MS: i32 = 40_000;
