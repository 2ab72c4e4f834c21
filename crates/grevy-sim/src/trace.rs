//! The trace of a run: one line an event, and a hash over all lines, so that two runs of one
//! seed can be compared.

use grevy_node::Time;
use std::fmt;

/// Collects lines.
#[derive(Debug, Clone)]
pub struct Trace {
    hash: u64,
    lines: u64,
    /// Whether lines are printed as they come.
    print: bool,
    text: String,
}

impl Trace {
    /// Nothing yet. `print`: also to standard error.
    pub fn new(print: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: 0,
            print,
            text: String::new(),
        }
    }

    /// Adds a line.
    pub fn line(&mut self, now: Time, what: fmt::Arguments<'_>) {
        use fmt::Write as _;
        self.text.clear();
        // Writing into a string cannot fail.
        let _ = write!(self.text, "{:>10.3} {what}", now.0 as f64 / 1000.0);
        for byte in self.text.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines += 1;
        if self.print {
            eprintln!("{}", self.text);
        }
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many there were.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

/// Adds a line to a [`Trace`]: the time, then a format string and its arguments.
#[macro_export]
macro_rules! trace {
    ($trace:expr, $now:expr, $($arg:tt)*) => {
        $trace.line($now, format_args!($($arg)*))
    };
}
