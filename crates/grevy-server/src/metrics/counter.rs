//! A number that only grows, until it is reset.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the module's text. Source: `SimpleCounter`.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it. Cheap, and cheaper if it is done once for many.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}
