//! A request that is made from one task to another, at most once at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Set or not; one task waits for it.
#[derive(Debug, Default)]
pub(super) struct Flag {
    is_set: AtomicBool,
    changed: Notify,
}

impl Flag {
    /// Asks.
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Takes it that whoever asked has what it asked for.
    pub(super) fn clear(&self) {
        self.is_set.store(false, Ordering::Release);
    }

    /// Waits until somebody has asked, and takes the request.
    pub(super) async fn taken(&self) {
        while !self.is_set.swap(false, Ordering::AcqRel) {
            self.changed.notified().await;
        }
    }
}
