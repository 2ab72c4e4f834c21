//! At most one thing in a while.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// See the module's text. Source: `RateLimiter` with a rate of 1.
#[derive(Debug)]
pub(super) struct RateLimiter {
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// One in each `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: Mutex::new(None),
        }
    }

    /// Whether it may be done now; if so, it counts as done.
    pub(super) fn allow(&self, now: Instant) -> bool {
        let mut last = self.last.lock();
        let early = last.is_some_and(|last| now.saturating_duration_since(last) < self.interval);
        if !early {
            *last = Some(now);
        }
        !early
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_each_interval() {
        let limiter = RateLimiter::new(Duration::from_secs(10));
        let start = Instant::now();
        for (second, expected) in [(0, true), (1, false), (9, false), (10, true), (19, false)] {
            assert_eq!(
                limiter.allow(start + Duration::from_secs(second)),
                expected,
                "{second}"
            );
        }
    }
}
