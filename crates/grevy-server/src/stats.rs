//! What a server counts over all its connections. Source: `ServerStats`.

use grevy_node::connection::ConnectionStats;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that every thread adds to, once a batch.
#[derive(Debug)]
pub struct Stats {
    received: AtomicU64,
    sent: AtomicU64,
    replies: AtomicU64,
    total_latency: AtomicU64,
    min_latency: AtomicU64,
    max_latency: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        let stats = Self {
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            replies: AtomicU64::new(0),
            total_latency: AtomicU64::new(0),
            min_latency: AtomicU64::new(0),
            max_latency: AtomicU64::new(0),
        };
        stats.reset();
        stats
    }
}

/// The counters at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// The shortest time that a request took, in ms.
    pub min_latency_ms: u64,
    /// The average, in ms.
    pub avg_latency_ms: f64,
    /// The longest, in ms.
    pub max_latency_ms: u64,
}

impl Stats {
    /// Adds what a connection has counted since `before`.
    pub fn count(&self, before: &ConnectionStats, after: &ConnectionStats) {
        self.received
            .fetch_add(after.received.saturating_sub(before.received), Relaxed);
        self.sent
            .fetch_add(after.sent.saturating_sub(before.sent), Relaxed);
        let replies = after.replies.saturating_sub(before.replies);
        if replies == 0 {
            return;
        }
        self.replies.fetch_add(replies, Relaxed);
        let latency = after.total_latency.saturating_sub(before.total_latency);
        self.total_latency.fetch_add(latency, Relaxed);
        let max = self.max_latency.load(Relaxed);
        if after.last_latency > max {
            self.max_latency.fetch_max(after.last_latency, Relaxed);
        }
        if after.last_latency < self.min_latency.load(Relaxed) {
            self.min_latency.fetch_min(after.last_latency, Relaxed);
        }
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let replies = self.replies.load(Relaxed);
        let min = self.min_latency.load(Relaxed);
        let total = self.total_latency.load(Relaxed);
        Snapshot {
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            min_latency_ms: if min == u64::MAX { 0 } else { min / 1000 },
            avg_latency_ms: match replies {
                0 => 0.0,
                _ => total as f64 / replies as f64 / 1000.0,
            },
            max_latency_ms: self.max_latency.load(Relaxed) / 1000,
        }
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.received.store(0, Relaxed);
        self.sent.store(0, Relaxed);
        self.replies.store(0, Relaxed);
        self.total_latency.store(0, Relaxed);
        self.min_latency.store(u64::MAX, Relaxed);
        self.max_latency.store(0, Relaxed);
    }
}
