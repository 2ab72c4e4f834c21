#![doc = include_str!("../README.md")]

pub mod admin;
pub mod client;
pub mod client_port;
pub mod clients;
pub mod clock;
pub mod config;
mod date;
pub mod deadlines;
pub mod ensemble;
pub mod four_letter;
pub mod inspect;
pub mod listener;
pub mod log_queue;
pub mod log_thread;
pub mod metrics;
pub mod peers;
pub mod recovery;
mod run_number;
pub mod server;
pub mod setup;
pub mod shared;
pub mod snapshot_board;
pub mod snapshot_thread;
pub mod stats;
pub mod timer;
pub mod version;
pub mod workers;
