//! Log lines that strangers can cause, of which only so many are written.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tracing::warn;

/// How many lines are written in one [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// How often the same is said of connections from one machine, which tries again every few seconds
/// for as long as something is set up wrongly.
const REPEATED: Duration = Duration::from_secs(60);
/// So many reasons are remembered.
const MAX_REASONS: usize = 64;

/// Warnings about what came in from outside.
#[derive(Debug, Default)]
pub struct Complaints {
    window: Mutex<Option<Window>>,
    /// Why a connection from there was closed, and when that was said.
    refused: Mutex<HashMap<(IpAddr, String), Instant>>,
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

    /// Says why a connection to the `port` is closed, unless it has said so a short time ago.
    pub fn refused(&self, address: SocketAddr, port: &str, why: impl Display) {
        let why = why.to_string();
        if self.is_news(address.ip(), &why, Instant::now()) {
            self.warn(format_args!(
                "closing a connection from {address} to the {port}: {why}"
            ));
        }
    }

    fn is_news(&self, from: IpAddr, why: &str, now: Instant) -> bool {
        let mut refused = self.refused.lock();
        refused.retain(|_, said| now.saturating_duration_since(*said) < REPEATED);
        let reason = (from, why.to_owned());
        if refused.contains_key(&reason) {
            return false;
        }
        if refused.len() < MAX_REASONS {
            refused.insert(reason, now);
        }
        true
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

    #[test]
    fn the_same_of_one_machine_is_said_once_a_minute() {
        let complaints = Complaints::default();
        let start = Instant::now();
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let said = |from, why: &str, seconds| {
            complaints.is_news(from, why, start + Duration::from_secs(seconds))
        };
        let times: Vec<u64> = (0..180)
            .step_by(3)
            .filter(|t| said(here, "a", *t))
            .collect();
        assert_eq!(times, [0, 60, 120]);
        assert!(said(there, "a", 180) && said(here, "b", 180));
        assert!(!said(there, "a", 181) && !said(here, "b", 181));
        // Strangers who always have another reason are remembered up to a limit.
        for n in 0..2 * MAX_REASONS {
            assert!(said(here, &n.to_string(), 182));
        }
        assert!(complaints.refused.lock().len() <= MAX_REASONS);
    }
}
