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

/// The only connection state that servers send: connected.
const SYNC_CONNECTED: i32 = 3;

/// Appends the frame of a notification: header, type, state, path. `zxid` is that of the
/// transaction (since 3.9), -1 for an event that makes up for one missed while disconnected.
pub fn encode_notification(zxid: Zxid, kind: EventType, path: &str, out: &mut Vec<u8>) {
    // Ten thousand may be told at once, each in an empty buffer, which is to grow once.
    out.reserve(BYTES_BESIDE_PATH + path.len());
    frame(out, |out| {
        Xid::NOTIFICATION.encode(out);
        zxid.encode(out);
        0i32.encode(out);
        (kind as i32).encode(out);
        SYNC_CONNECTED.encode(out);
        path.encode(out);
    });
}

/// Length, header (xid, zxid, error), kind, state, and the path's length.
const BYTES_BESIDE_PATH: usize = 4 + 16 + 4 + 4 + 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_fits_the_room_that_is_made_for_it() {
        let mut out = Vec::new();
        encode_notification(Zxid(7), EventType::NodeDeleted, "/a", &mut out);
        assert_eq!(out.len(), BYTES_BESIDE_PATH + 2);
        let tail = [0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, b'/', b'a'];
        assert!(out.ends_with(&tail));
        assert_eq!(out[..4], (out.len() as i32 - 4).to_be_bytes());
    }
}
