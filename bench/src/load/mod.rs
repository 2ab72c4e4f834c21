//! The load generator: what to ask, and in which rhythm.

pub mod closed;
pub mod fixed;
pub mod keys;
mod work;

pub use work::{Mix, Work};
