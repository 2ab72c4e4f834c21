//! How far long work has come: a line on stderr, if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// No more often than this.
const EVERY: Duration = Duration::from_millis(100);
/// Characters of a bar.
const BAR: u64 = 30;

/// Work on its way.
pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    done: u64,
    is_shown: bool,
    last: Option<Instant>,
}

impl Progress {
    /// Nothing is done yet. `what`: what is counted, such as `deleted`.
    pub fn new(what: &'static str, total: Option<u64>) -> Self {
        Self {
            what,
            total,
            done: 0,
            is_shown: io::stderr().is_terminal(),
            last: None,
        }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.is_shown && self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last = Some(Instant::now());
            // Nobody is there to see it otherwise.
            let _ = write!(io::stderr(), "\r\x1b[K{}", self.text());
        }
    }

    /// How many are done.
    pub fn done(&self) -> u64 {
        self.done
    }

    fn text(&self) -> String {
        let Self { what, done, .. } = self;
        match self.total {
            Some(total) if total > 0 => {
                let full = (done * BAR / total).min(BAR);
                let bar: String = (0..BAR)
                    .map(|at| if at < full { '#' } else { '.' })
                    .collect();
                format!("[{bar}] {done} of {total} {what}")
            }
            _ => format!("{done} {what}"),
        }
    }
}

impl Drop for Progress {
    /// Takes the line away again.
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut progress = Progress {
            what: "deleted",
            total: Some(4),
            done: 0,
            is_shown: false,
            last: None,
        };
        progress.step();
        progress.step();
        assert_eq!(
            progress.text(),
            "[###############...............] 2 of 4 deleted"
        );
        progress.total = None;
        assert_eq!(progress.text(), "2 deleted");
    }
}
