//! What waits for the disk: everything that queued up while the last sync ran goes out with
//! the next one (group commit).

use crate::peers::quorum::Received;
use grevy_proto::{Epoch, Zxid};
use grevy_tree::SnapshotInfo;
use grevy_zab::{Entry, LinkId, Membership};
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
    /// Make the promises durable.
    SaveEpochs {
        /// `acceptedEpoch`.
        accepted: Epoch,
        /// `currentEpoch`.
        current: Epoch,
    },
    /// Take back all transactions above `to`.
    Truncate {
        /// What stays.
        to: Zxid,
        /// Whether the tree has to be built anew.
        rebuild: bool,
    },
    /// Make a leader's snapshot the base of the history, and its state the server's.
    Install(Box<Received>, Vec<Entry>),
    /// Read transactions back, for a learner.
    Read {
        /// For whom.
        link: LinkId,
        /// From behind this one.
        after: Zxid,
        /// Up to this one.
        until: Zxid,
    },
    /// Bring the configuration files up to date.
    Configure {
        /// The configuration in force.
        committed: Arc<Membership>,
        /// One that is proposed.
        proposed: Option<Arc<Membership>>,
    },
    /// Make everything durable and end.
    Stop,
}

impl LogItem {
    /// Whether it is an entry to be written.
    pub fn is_entry(&self) -> bool {
        matches!(self, Self::Append { .. })
    }
}

/// The queue in front of the log's thread.
#[derive(Debug, Default)]
pub struct LogQueue {
    items: Mutex<Vec<LogItem>>,
    filled: Condvar,
}

impl LogQueue {
    /// Queues something to do. The log's thread need not know before [`wake`](Self::wake): it would
    /// take the first of many that are about to be queued.
    pub fn push(&self, item: LogItem) {
        self.items.lock().push(item);
    }

    /// Wakes the log's thread, if it waits and there is something to do.
    pub fn wake(&self) {
        if !self.items.lock().is_empty() {
            self.filled.notify_one();
        }
    }

    /// Drops entries that wait: nothing leads to them any more.
    pub fn forget_entries(&self) {
        self.items.lock().retain(|item| !item.is_entry());
    }

    /// Waits for items and moves all of them into `batch`. Returns false if none came in time.
    ///
    /// `others_first`: threads that wait for the processor run before that, if there are any. What
    /// they add shares the sync, which costs as much for many as for one.
    pub fn take(&self, batch: &mut Vec<LogItem>, patience: Duration, others_first: bool) -> bool {
        let mut items = self.items.lock();
        if items.is_empty() {
            // Whatever was queued may have been taken before this thread heard of it, and that is
            // not the end of the patience.
            let is_empty = |items: &mut Vec<LogItem>| items.is_empty();
            self.filled.wait_while_for(&mut items, is_empty, patience);
        }
        if others_first {
            drop(items);
            std::thread::yield_now();
            items = self.items.lock();
        }
        std::mem::swap(&mut *items, batch);
        !batch.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wakes_without_an_item_is_not_heard() {
        let queue = LogQueue::default();
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| {
                let mut batch = Vec::new();
                queue.take(&mut batch, Duration::from_secs(60), false)
            });
            for _ in 0..10_000 {
                queue.filled.notify_one();
                std::thread::yield_now();
            }
            queue.push(LogItem::Stop);
            queue.wake();
            assert!(taking.join().unwrap());
        });
    }
}
