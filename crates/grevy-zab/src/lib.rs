#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;

pub mod election;
pub mod history;
pub mod membership;
pub mod peer;
pub mod quorum;
pub mod time;

mod common;
mod leader;
mod learner;
mod limits;
mod output;
#[cfg(test)]
mod testing;

pub use common::{Epochs, Timing};
pub use election::{ElectionConfig, Standing, Vote};
pub use history::Entry;
pub use leader::ProposeError;
pub use learner::who_heals;
pub use limits::Limits;
pub use membership::{Membership, MembershipError, Memberships};
pub use output::{LinkId, Output, Part};
pub use peer::report::{LearnerReport, Phase, Traffic, VoterReport};
pub use peer::{Peer, PeerConfig, Recovered};
pub use quorum::Quorum;
pub use time::Time;
