//! Log lines that strangers can cause, of which only so many are written.

use parking_lot::Mutex;
use std::fmt::Display;
use std::time::{Duration, Instant};
use tracing::warn;

/// How many lines are written in one [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Warnings about what came in from outside.
#[derive(Debug, Default)]
pub struct Complaints {
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    start: Instant,
    lines: u32,
}

impl Complaints {
    /// Writes the line, or counts it as left out.
    pub fn warn(&self, line: impl Display) {
        let (allowed, left_out) = self.count(Instant::now());
        if left_out > 0 {
            warn!("{left_out} more lines like the last ones were left out");
        }
        if allowed {
            warn!("{line}");
        }
    }

    /// Whether one more line may be written, and how many the window that has ended left out.
    fn count(&self, now: Instant) -> (bool, u32) {
        let mut window = self.window.lock();
        let mut left_out = 0;
        if let Some(old) = window.take_if(|w| now.saturating_duration_since(w.start) >= WINDOW) {
            left_out = old.lines.saturating_sub(LINES);
        }
        let window = window.get_or_insert(Window {
            start: now,
            lines: 0,
        });
        window.lines = window.lines.saturating_add(1);
        (window.lines <= LINES, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_counted() {
        let complaints = Complaints::default();
        let start = Instant::now();
        for n in 0..LINES + 7 {
            assert_eq!(complaints.count(start), (n < LINES, 0));
        }
        assert_eq!(complaints.count(start + WINDOW), (true, 7));
        assert_eq!(complaints.count(start + WINDOW), (true, 0));
        assert_eq!(complaints.count(start + 2 * WINDOW), (true, 0));
    }
}
