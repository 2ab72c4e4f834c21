//! Where output goes.

use rustyline::ExternalPrinter;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Takes text as it is; lines come with their ends.
pub trait Console: Send + Sync {
    /// What scripts read.
    fn out(&self, text: &str);
    /// Complaints, and what was created.
    fn err(&self, text: &str);
    /// Events, at any time and from any thread.
    fn event(&self, text: &str) {
        self.out(text);
    }
}

/// The process's own streams.
#[derive(Default)]
pub struct Standard {
    /// Prints above the line that is being edited, if there is one.
    printer: Mutex<Option<Box<dyn ExternalPrinter + Send>>>,
}

impl Standard {
    /// From now on, events go through the line editor.
    pub fn print_events_with(&self, printer: Box<dyn ExternalPrinter + Send>) {
        *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = Some(printer);
    }
}

/// Nobody is left to tell when a stream is closed, so errors are ignored, as Java's streams do.
impl Console for Standard {
    fn out(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes());
        let _ = stdout.flush();
    }

    fn err(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn event(&self, text: &str) {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        match printer.as_mut() {
            Some(printer) => drop(printer.print(text.to_owned())),
            None => self.out(text),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Keeps what was printed.
    #[derive(Default)]
    pub struct Recorder {
        out: Mutex<String>,
        err: Mutex<String>,
    }

    impl Recorder {
        /// What went to stdout and stderr since the last call.
        pub fn take(&self) -> (String, String) {
            let take = |text: &Mutex<String>| std::mem::take(&mut *text.lock().unwrap());
            (take(&self.out), take(&self.err))
        }
    }

    impl Console for Recorder {
        fn out(&self, text: &str) {
            self.out.lock().unwrap().push_str(text);
        }

        fn err(&self, text: &str) {
            self.err.lock().unwrap().push_str(text);
        }
    }
}
