#![doc = include_str!("../README.md")]

pub mod client;
pub mod clients;
pub mod clock;
pub mod config;
pub mod deadlines;
pub mod four_letter;
pub mod listener;
pub mod log_queue;
pub mod setup;
pub mod shared;
pub mod stats;
pub mod timer;
pub mod workers;
