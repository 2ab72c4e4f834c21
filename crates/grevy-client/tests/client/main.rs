//! A client against a whole server.

mod operations;
mod read_only;
mod reconnecting;
#[cfg(feature = "tls")]
mod tls;
mod watching;
