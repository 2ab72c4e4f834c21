//! What the configuration's reader has to say: errors that keep the server from starting, and
//! warnings that do not.

use std::fmt;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file, from 1.
    Line {
        /// The file as the operator named it.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// A file as a whole: what is wrong is in no single line.
    File(String),
    /// An argument of the command line, as it was written.
    Argument(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Line { file, line } => write!(f, "{file}:{line}"),
            Origin::File(file) => f.write_str(file),
            Origin::Argument(argument) => f.write_str(argument),
        }
    }
}

/// One thing to tell the operator: where it is, which key it is about (may be empty), what is the
/// matter and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it is.
    pub origin: Origin,
    /// The key as the operator wrote it; empty if it is about no key.
    pub key: String,
    /// What is the matter, and what to do.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// A configuration the server cannot start with: everything that is wrong with it, not only the
/// first thing. ZooKeeper's exit code for it is 2 (`ExitCode.INVALID_INVOCATION`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What must be put right; never empty.
    pub errors: Vec<Finding>,
    /// What was noticed besides.
    pub warnings: Vec<Finding>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects findings while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

impl Report {
    pub fn error(&mut self, origin: &Origin, key: &str, text: impl Into<String>) {
        self.errors.push(finding(origin, key, text));
    }

    pub fn warn(&mut self, origin: &Origin, key: &str, text: impl Into<String>) {
        self.warnings.push(finding(origin, key, text));
    }
}

fn finding(origin: &Origin, key: &str, text: impl Into<String>) -> Finding {
    Finding {
        origin: origin.clone(),
        key: key.to_owned(),
        text: text.into(),
    }
}
