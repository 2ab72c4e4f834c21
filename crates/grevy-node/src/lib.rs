#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;

pub mod auth;
pub mod clients;
pub mod config;
pub mod connection;
pub mod node;
mod read_only;
pub mod reads;
pub mod session_clock;
pub mod time;
pub mod watches;

mod apply;
pub mod digest_log;
mod ensemble;
mod events;
mod forwarding;
mod local_sessions;
pub mod noted;
mod output;
mod reaper;
mod relaying;
mod reply;
mod sessions;
mod stopping;
pub mod tally;
mod writes;

pub use clients::Clients;
pub use config::NodeConfig;
pub use connection::{Action, ClientId, CloseReason, Connection, View};
pub use grevy_zab::{LearnerReport, LinkId, Membership, Part, Peer, Phase, VoterReport};
pub use node::{Node, Status};
pub use output::{Broken, Output, Service};
pub use tally::Tally;
pub use time::{Now, Time};
pub use watches::Watches;
