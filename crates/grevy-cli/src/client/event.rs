//! What a watcher is told. Source: `WatchedEvent`, `Watcher.Event`.

use grevy_proto::event::EventType;
use grevy_proto::watch::WatchKind;
use std::fmt;

/// The state of the connection, as events tell it (`Watcher.Event.KeeperState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeeperState {
    /// No server; the client looks for one.
    Disconnected,
    /// The session is alive on a server.
    SyncConnected,
    /// The server refused an identity.
    AuthFailed,
    /// The session is alive on a server that is cut off from its ensemble.
    ConnectedReadOnly,
    /// The session is gone.
    Expired,
    /// The client was closed.
    Closed,
}

/// What happened to a znode or its watch (`Watcher.Event.EventType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// Nothing to a znode: the state changed.
    None,
    /// It was created.
    NodeCreated,
    /// It was deleted.
    NodeDeleted,
    /// Its data was set.
    NodeDataChanged,
    /// A child was created or deleted.
    NodeChildrenChanged,
    /// A data watch was removed.
    DataWatchRemoved,
    /// A child watch was removed.
    ChildWatchRemoved,
    /// A persistent watch was removed.
    PersistentWatchRemoved,
}

impl EventKind {
    /// That a watch of this kind was removed.
    pub fn of_removed(watch: WatchKind) -> Self {
        match watch {
            WatchKind::Data | WatchKind::Exists => Self::DataWatchRemoved,
            WatchKind::Child => Self::ChildWatchRemoved,
            WatchKind::Persistent | WatchKind::PersistentRecursive => Self::PersistentWatchRemoved,
        }
    }
}

impl From<EventType> for EventKind {
    fn from(event: EventType) -> Self {
        match event {
            EventType::NodeCreated => Self::NodeCreated,
            EventType::NodeDeleted => Self::NodeDeleted,
            EventType::NodeDataChanged => Self::NodeDataChanged,
            EventType::NodeChildrenChanged => Self::NodeChildrenChanged,
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedEvent {
    /// The state of the connection.
    pub state: KeeperState,
    /// What happened.
    pub kind: EventKind,
    /// To which znode; `None` for a change of state.
    pub path: Option<String>,
    /// By which transaction; -1 if the server does not tell.
    pub zxid: i64,
}

impl WatchedEvent {
    /// A change of state.
    pub fn state(state: KeeperState) -> Self {
        Self {
            state,
            kind: EventKind::None,
            path: None,
            zxid: -1,
        }
    }
}

/// As `WatchedEvent.toString` prints it.
impl fmt::Display for WatchedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "WatchedEvent state:{:?} type:{:?} path:{} zxid: {}",
            self.state,
            self.kind,
            self.path.as_deref().unwrap_or("null"),
            self.zxid
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_java_does() {
        assert_eq!(
            WatchedEvent::state(KeeperState::SyncConnected).to_string(),
            "WatchedEvent state:SyncConnected type:None path:null zxid: -1"
        );
        let event = WatchedEvent {
            state: KeeperState::SyncConnected,
            kind: EventKind::NodeDataChanged,
            path: Some("/a".to_owned()),
            zxid: 370,
        };
        assert_eq!(
            event.to_string(),
            "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 370"
        );
    }
}
