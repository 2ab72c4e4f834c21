//! Watch events. Source: `WatcherEvent`, `Watcher.Event`.

use crate::ids::{Xid, Zxid};
use crate::jute::{Encode, frame};
use alloc::vec::Vec;

/// What happened to a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum EventType {
    /// It was created.
    NodeCreated = 1,
    /// It was deleted.
    NodeDeleted = 2,
    /// Its data was set.
    NodeDataChanged = 3,
    /// A child was created or deleted.
    NodeChildrenChanged = 4,
}

impl EventType {
    /// The type with this wire value; `None` for those that tell of no znode.
    pub fn from_wire(value: i32) -> Option<Self> {
        Some(match value {
            1 => Self::NodeCreated,
            2 => Self::NodeDeleted,
            3 => Self::NodeDataChanged,
            4 => Self::NodeChildrenChanged,
            _ => return None,
        })
    }
}

/// The only connection state that servers send: connected.
const SYNC_CONNECTED: i32 = 3;

/// Appends the frame of a notification: header, type, state, path. `zxid` is that of the
/// transaction (since 3.9), -1 for an event that makes up for one missed while disconnected.
pub fn encode_notification(zxid: Zxid, kind: EventType, path: &str, out: &mut Vec<u8>) {
    frame(out, |out| {
        Xid::NOTIFICATION.encode(out);
        zxid.encode(out);
        0i32.encode(out);
        (kind as i32).encode(out);
        SYNC_CONNECTED.encode(out);
        path.encode(out);
    });
}
