//! Counters that threads do not share, so that counting costs no more on many processors.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// More threads than this share slots.
const MOST_SLOTS: usize = 64;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Relaxed);
}

/// Keeps slots in cache lines of their own; some processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot<T>(T);

/// One `T` for each thread, or for a few of them.
pub struct PerThread<T> {
    /// A power of two of them.
    slots: Box<[Slot<T>]>,
}

impl<T: Default> Default for PerThread<T> {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // Besides the workers there are the threads of the log, the snapshots and the timers.
        let slots = (threads + 2).next_power_of_two().min(MOST_SLOTS);
        Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
        }
    }
}

impl<T> PerThread<T> {
    /// The calling thread's own. Another thread may have the same one.
    pub fn local(&self) -> &T {
        let number = NUMBER.with(|number| *number);
        &self.slots[number & (self.slots.len() - 1)].0
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|slot| &slot.0)
    }
}

impl<T> fmt::Debug for PerThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerThread({} slots)", self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Counter;

    #[test]
    fn nothing_that_any_thread_counts_is_lost() {
        let counters: PerThread<Counter> = PerThread::default();
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| (0..100).for_each(|_| counters.local().add(1)));
            }
        });
        assert_eq!(counters.iter().map(Counter::get).sum::<u64>(), 10_000);
    }
}
