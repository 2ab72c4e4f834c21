//! Why a row of the benchmark could not be measured.

use crate::client::wire::WireError;
use std::fmt;

/// One sentence for the person at the terminal.
#[derive(Debug)]
pub struct Failure(String);

/// What everything here returns.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure described by `what`.
    pub fn new(what: impl Into<String>) -> Failure {
        Failure(what.into())
    }

    /// The same failure with what was being done put before it.
    pub fn during(self, what: impl fmt::Display) -> Failure {
        Failure(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure(error.to_string())
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Failure {
        std::io::Error::from(error).into()
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Failure {
        Failure(error.to_string())
    }
}
