#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;

pub mod leader;
pub mod quorum;
pub mod time;

pub use leader::{BroadcastError, Leader};
pub use quorum::Quorum;
pub use time::Time;
