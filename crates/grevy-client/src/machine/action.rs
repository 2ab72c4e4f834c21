//! What a session wants done, and what it tells.

use super::watches::WatcherId;
use crate::address::HostPort;
use grevy_proto::Zxid;
use grevy_proto::event::EventType;
use std::fmt;
use std::sync::Arc;

/// What the driver has to do. `T` is what came with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<T> {
    /// Open a connection to this server, resolving its name anew, and report
    /// [`handle_opened`](super::Session::handle_opened) or
    /// [`handle_lost`](super::Session::handle_lost).
    Connect(HostPort),
    /// Drop the connection, or the attempt to open it. Nothing of it is reported any more.
    Disconnect,
    /// Ask this server with the four-letter word `isro` whether it takes writes, and report
    /// [`handle_probed`](super::Session::handle_probed).
    Probe(HostPort),
    /// A request has its answer: the reply's record, or why there is none.
    Reply(T, Result<Vec<u8>, Failure>),
    /// A watcher's event.
    Event(WatcherId, NodeEvent),
    /// A persistent watch was set again on a new connection: whatever happened in between
    /// stays untold.
    Resumed(WatcherId),
    /// A watcher gets no more events. The failure tells why; `None`: the watch is used up, was
    /// removed, or never came to be.
    Unwatched(WatcherId, Option<Failure>),
    /// The state has changed.
    State(SessionState),
    /// A round of attempts has ended without a server that took us, for these reasons.
    Unreachable(Arc<str>),
}

/// What a session is doing. Source: `ZooKeeper.States`, `Watcher.Event.KeeperState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// No server serves it now; it looks for one. An established session may be alive or may
    /// have expired, which only a server can tell.
    Disconnected,
    /// A server serves it.
    Connected,
    /// A server serves it that is cut off from its ensemble: reads may be stale, writes are
    /// refused.
    ConnectedReadOnly,
    /// The servers have ended it, and its ephemeral znodes are gone.
    Expired,
    /// A server refused one of its identities.
    AuthFailed,
    /// It was closed from here.
    Closed,
}

impl SessionState {
    /// Whether requests are answered now.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::ConnectedReadOnly)
    }

    /// Whether nothing will change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::AuthFailed | Self::Closed)
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "disconnected",
            Self::Connected => "connected",
            Self::ConnectedReadOnly => "connected, read-only",
            Self::Expired => "expired",
            Self::AuthFailed => "authentication failed",
            Self::Closed => "closed",
        })
    }
}

/// Why a request has no record for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was not sent, or it cannot have changed anything. It may be sent again.
    ConnectionLoss(Arc<str>),
    /// It was sent, and the connection ended before the answer came: it may have taken effect
    /// or not.
    OutcomeUnknown(Arc<str>),
    /// The session is gone. The request took no effect, unless its own answer says otherwise.
    SessionExpired,
    /// A server refused an identity, which ends the session.
    AuthFailed,
    /// The session was closed from here.
    Closed,
    /// The server's answer: an [`ErrorCode`](grevy_proto::ErrorCode), if it is a known one.
    Server(i32),
}

/// What happened to a znode. Source: `WatchedEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEvent {
    /// What.
    pub kind: EventType,
    /// To which one.
    pub path: String,
    /// By which transaction. `None` from servers before 3.9, and for what is told after a
    /// reconnect.
    pub zxid: Option<Zxid>,
}
