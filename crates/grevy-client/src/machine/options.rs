//! How a session is set up.

use crate::address::HostPort;
use grevy_proto::SessionId;
use std::fmt;
use std::time::Duration;

/// A session's settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// Servers to choose from.
    pub servers: Vec<HostPort>,
    /// The session timeout to ask for; the server may grant another.
    pub session_timeout: Duration,
    /// Whether a read-only server will do while no other can be reached (`canBeReadOnly`).
    pub can_be_read_only: bool,
    /// A session to resume instead of opening a new one.
    pub resume: Option<Ticket>,
    /// The first pause after a round in which no server took us; it doubles from there.
    pub first_pause: Duration,
    /// The longest such pause.
    pub longest_pause: Duration,
    /// The longest frame that is accepted from a server, in bytes.
    pub max_frame: usize,
}

impl Options {
    /// The usual settings: 30 s of session timeout (the middle of what a server with ZooKeeper's
    /// defaults grants), pauses of 100 ms to 10 s, frames of 64 MiB.
    pub fn new(servers: Vec<HostPort>) -> Self {
        Self {
            servers,
            session_timeout: Duration::from_secs(30),
            can_be_read_only: false,
            resume: None,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            max_frame: 64 << 20,
        }
    }
}

/// What resumes a session, here or in another process. Whoever has it can also end the session.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The session's number.
    pub id: SessionId,
    /// Its password.
    pub password: Vec<u8>,
}

/// The password stays out of logs.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
