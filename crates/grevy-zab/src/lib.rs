#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;

pub mod election;
pub mod leader;
pub mod membership;
pub mod quorum;
pub mod time;

pub use election::{Candidate, Election, ElectionConfig, ElectionOutput, Standing, Vote};
pub use leader::{BroadcastError, Leader};
pub use membership::{Membership, Memberships};
pub use quorum::Quorum;
pub use time::Time;
