//! What servers say to each other on the election port: a [`Hello`] on a new connection, then
//! framed [`Notification`]s both ways. Source: `QuorumCnxManager`, `FastLeaderElection`.
//!
//! No cluster state is safe to assume from one message: the first on a new connection may be
//! an old one, sent again.

mod hello;
mod notification;

pub use hello::{Hello, HelloError, MAX_ADDRESSES};
pub use notification::{
    BadMessageLength, MAX_MESSAGE, Notification, NotificationError, PeerState, split_message,
};
