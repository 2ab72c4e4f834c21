//! Tools for the servers of an ensemble.

pub mod configuration;
pub mod members;
pub mod reconfig;
pub mod screen;
pub mod server;
pub mod status;
pub mod table;
pub mod top;
pub mod words;
