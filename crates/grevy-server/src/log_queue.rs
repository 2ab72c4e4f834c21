//! What waits for the disk: everything that queued up while the last sync ran goes out with
//! the next one (group commit).

use grevy_proto::Zxid;
use grevy_tree::SnapshotInfo;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// A thing for the log's thread to do, in order.
#[derive(Debug)]
pub enum LogItem {
    /// Write an entry.
    Append {
        /// The transaction's number.
        zxid: Zxid,
        /// Its bytes.
        entry: Arc<[u8]>,
    },
    /// Begin a new file with the next entry, and start writing a snapshot.
    Snapshot(SnapshotInfo),
    /// Make everything durable and end.
    Stop,
}

/// The queue in front of the log's thread.
#[derive(Debug, Default)]
pub struct LogQueue {
    items: Mutex<Vec<LogItem>>,
    filled: Condvar,
}

impl LogQueue {
    /// Queues an entry.
    pub fn append(&self, zxid: Zxid, entry: Arc<[u8]>) {
        self.push(LogItem::Append { zxid, entry });
    }

    /// Queues a snapshot.
    pub fn snapshot(&self, info: SnapshotInfo) {
        self.push(LogItem::Snapshot(info));
    }

    /// Queues the end.
    pub fn stop(&self) {
        self.push(LogItem::Stop);
    }

    fn push(&self, item: LogItem) {
        let mut items = self.items.lock();
        items.push(item);
        if items.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Waits for items and moves all of them into `batch`. Returns false if none came in time.
    pub fn take(&self, batch: &mut Vec<LogItem>, patience: Duration) -> bool {
        let mut items = self.items.lock();
        if items.is_empty() {
            self.filled.wait_for(&mut items, patience);
        }
        std::mem::swap(&mut *items, batch);
        !batch.is_empty()
    }
}
