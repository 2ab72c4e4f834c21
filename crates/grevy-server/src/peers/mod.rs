//! The connections with the other servers of an ensemble.

pub mod complaints;
pub mod connect;
pub mod election;
pub mod listen;
pub mod roster;

use grevy_proto::ServerId;
use grevy_proto::election::Notification;
use std::time::Duration;

/// How the ports are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This server's number.
    pub me: ServerId,
    /// How long connecting to an election port may take (`cnxTimeout`).
    pub connect_timeout: Duration,
    /// How long the other end of a connection of the election port may take to say who it is
    /// (`quorumCnxnTimeoutMs`, or `syncLimit`).
    pub hello_timeout: Duration,
    /// Whether connections use TCP keep-alive (`tcpKeepAlive`).
    pub keep_alive: bool,
    /// Whether servers may have several addresses (`multiAddress.enabled`).
    pub several_addresses: bool,
}

/// What is heard of other servers.
pub trait Events: Send + Sync {
    /// A message came on the election port.
    fn election_message(&self, from: ServerId, message: Notification);
    /// The connection with a server is there, also in place of another one; or it is lost, or
    /// could not be made.
    fn election_peer(&self, server: ServerId, connected: bool);
}
