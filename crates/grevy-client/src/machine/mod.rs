//! A session as a deterministic machine. Bytes, requests and the present time go in by method
//! calls; bytes to send, connections to open, replies and events come out as values. It knows no
//! socket, no clock, no task and no source of randomness, so the same machine runs behind real
//! connections and in a simulated world.
//!
//! Whoever drives it calls a `handle_…` method for whatever happened, then takes what is to do
//! with [`poll_action`](Session::poll_action) and what is to send with
//! [`poll_transmit`](Session::poll_transmit), both until they are empty, and comes back with
//! [`handle_timeout`](Session::handle_timeout) when
//! [`next_timeout`](Session::next_timeout) has come.

mod action;
mod backoff;
mod chance;
mod handshake;
mod identities;
mod options;
mod receive;
mod request;
mod servers;
mod session;
mod submit;
#[cfg(test)]
mod tests;
mod time;
mod watches;

pub use action::{Action, Failure, NodeEvent, SessionState};
pub use backoff::Backoff;
pub use chance::Chance;
pub use options::{Options, Ticket};
pub use request::{Effect, Request};
pub use session::Session;
pub use time::Time;
pub use watches::WatcherId;

pub use grevy_proto::watch::{WatchKind, WatcherType};
