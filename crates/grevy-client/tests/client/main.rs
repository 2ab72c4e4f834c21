//! A client against a whole server.

#[path = "../support/mod.rs"]
mod support;

mod operations;
mod read_only;
mod reconnecting;
#[cfg(feature = "tls")]
mod tls;
mod watching;
