//! A small blocking client: one session, kept alive by one thread over whichever server answers.
//!
//! Requests go out in the order of the calls and their replies come back in that order. After a
//! broken connection the session is resumed on the next server: identities are sent again and
//! watches set again; requests that were under way end as
//! [`OutcomeUnknown`](ClientError::OutcomeUnknown), requests made meanwhile wait for one round
//! of attempts.

pub mod address;
pub mod error;
pub mod event;
mod frames;
mod link;
mod ops;
pub mod path;
mod pipelined;
mod shared;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod watches;

pub use address::ConnectString;
pub use error::ClientError;
pub use event::{EventKind, KeeperState, WatchedEvent};
pub use ops::{Node, multi_outcome};
pub use pipelined::{Pending, Write};

use grevy_proto::SessionId;
use shared::{Core, Shared};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How to connect.
#[derive(Debug, Clone)]
pub struct Config {
    /// To which servers, below which path.
    pub connect: ConnectString,
    /// The session timeout to ask for.
    pub timeout: Duration,
    /// Whether a read-only server will do.
    pub read_only: bool,
}

/// What the client is doing (`ZooKeeper.States`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Looking for a server.
    Connecting,
    /// In a session.
    Connected,
    /// In a session with a read-only server.
    ConnectedReadOnly,
    /// Closed, or the session has expired.
    Closed,
    /// The server refused an identity.
    AuthFailed,
}

impl State {
    /// Whether requests can be made at all.
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Closed | Self::AuthFailed)
    }

    /// Whether requests are answered now.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::ConnectedReadOnly)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "CONNECTING",
            Self::Connected => "CONNECTED",
            Self::ConnectedReadOnly => "CONNECTEDREADONLY",
            Self::Closed => "CLOSED",
            Self::AuthFailed => "AUTH_FAILED",
        })
    }
}

/// A session. Dropping it leaves the session to its timeout, ephemeral znodes included;
/// [`close`](Client::close) ends it.
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// Starts to connect. `on_event` is called on the connection's thread, before any reply that
    /// comes after the event; it must not make requests.
    pub fn start(
        config: Config,
        on_event: impl Fn(&WatchedEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(config, Box::new(on_event)));
        let link = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("zookeeper-link".to_owned())
            .spawn(move || link::run(&link))?;
        Ok(Self { shared })
    }

    /// What the client is doing.
    pub fn state(&self) -> State {
        self.shared.lock().state
    }

    /// Waits for a session, at most for `timeout`. The error says why there is none.
    pub fn wait_connected(&self, timeout: Duration) -> Result<(), ClientError> {
        self.shared.wait(timeout, |core| core.state.is_connected())
    }

    /// Waits until the first attempts have succeeded or failed, or the session is over; at most
    /// for `timeout`. The state tells which.
    pub fn wait_settled(&self, timeout: Duration) {
        let is_settled = |core: &Core| core.state.is_connected() || core.failure.is_some();
        // An error would say no more than the state does.
        drop(self.shared.wait(timeout, is_settled));
    }

    /// The session's id; [`SessionId::NONE`] before the first connection.
    pub fn session(&self) -> SessionId {
        self.shared.lock().session
    }

    /// Until when the session is certainly alive, if no server hears of it again: its timeout after
    /// the last answer. Whoever holds something by the session must let go of it by then.
    pub fn safe_until(&self) -> Instant {
        let core = self.shared.lock();
        core.last_answer + core.timeout
    }

    /// Ends the session. Without a connection it is left to its timeout.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

/// The answer to a request that has been sent, or will be.
#[must_use]
pub struct Reply(Receiver<Result<Vec<u8>, ClientError>>);

impl Reply {
    /// Waits for the record of the reply.
    pub fn wait(self) -> Result<Vec<u8>, ClientError> {
        self.0.recv().unwrap_or(Err(ClientError::Closed))
    }

    /// As [`wait`](Self::wait); `None` if nothing came within `timeout`.
    pub fn wait_for(self, timeout: Duration) -> Option<Result<Vec<u8>, ClientError>> {
        match self.0.recv_timeout(timeout) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(ClientError::Closed)),
        }
    }
}
