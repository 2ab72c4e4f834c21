//! A number that is counted up and down. Source: Curator's `DistributedAtomicLong`, kazoo's
//! `Counter`.
//!
//! An [`AtomicValue`] that holds a number; protocol, **session loss** and **cost** are its own.
//! If an answer is lost, whether it was counted is unknown, and it is not counted again.

use crate::atomic_value::AtomicValue;
use grevy_client::{Client, Error};
use std::fmt;

/// A number at a path.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Counter, CounterFormat};
///
/// let visits = Counter::new(&client, "/visits", CounterFormat::Binary);
/// let now = visits.add(1).await?;
/// assert_eq!(now, 1);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Counter {
    value: AtomicValue,
    format: CounterFormat,
}

/// How a counter's znode holds its number.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Counter, CounterError, CounterFormat};
///
/// Counter::new(&client, "/visits", CounterFormat::Binary).add(1).await?;
/// let other = Counter::new(&client, "/visits", CounterFormat::Text);
/// assert!(matches!(other.get().await, Err(CounterError::NotANumber(_))));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterFormat {
    /// Eight bytes, the highest first: as Curator's `DistributedAtomicLong`.
    Binary,
    /// Decimal digits: as kazoo's `Counter`.
    Text,
}

/// Why a counter did not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CounterError {
    /// An operation failed.
    Client(Error),
    /// The znode's data is no number of the counter's format.
    NotANumber(Vec<u8>),
    /// The number would not fit into 64 bits.
    Overflow,
}

impl Counter {
    /// The counter at a path, which counts from 0 if its znodes do not exist.
    pub fn new(client: &Client, path: &str, format: CounterFormat) -> Self {
        Self {
            value: AtomicValue::new(client, path),
            format,
        }
    }

    /// The present number.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is none.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Counter, CounterFormat};
    ///
    /// let visits = Counter::new(&client, "/visits", CounterFormat::Binary);
    /// assert_eq!(visits.get().await?, 0);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn get(&self) -> Result<i64, CounterError> {
        self.format.read(&self.value.get().await?.data)
    }

    /// Counts; returns the new number.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written, or is none; if an answer is lost (`OutcomeUnknown`).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Counter, CounterFormat};
    ///
    /// let visits = Counter::new(&client, "/visits", CounterFormat::Binary);
    /// assert_eq!(visits.add(7).await?, 7);
    /// assert_eq!(visits.add(-2).await?, 5);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn add(&self, difference: i64) -> Result<i64, CounterError> {
        loop {
            let old = self.value.get().await?;
            let number = self.format.read(&old.data)?;
            let number = number
                .checked_add(difference)
                .ok_or(CounterError::Overflow)?;
            let data = self.format.write(number);
            if self.value.set_if(old.version, &data).await? {
                return Ok(number);
            }
        }
    }
}

impl CounterFormat {
    fn read(self, data: &[u8]) -> Result<i64, CounterError> {
        if data.is_empty() {
            return Ok(0);
        }
        let number = match self {
            Self::Binary => data.try_into().ok().map(i64::from_be_bytes),
            Self::Text => str::from_utf8(data).ok().and_then(|text| text.parse().ok()),
        };
        number.ok_or_else(|| CounterError::NotANumber(data.to_vec()))
    }

    fn write(self, number: i64) -> Vec<u8> {
        match self {
            Self::Binary => number.to_be_bytes().to_vec(),
            Self::Text => number.to_string().into_bytes(),
        }
    }
}

impl From<Error> for CounterError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl fmt::Display for CounterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::NotANumber(data) => {
                let text = String::from_utf8_lossy(data);
                write!(
                    f,
                    "the counter's znode holds {text:?}; is its format another one?"
                )
            }
            Self::Overflow => f.write_str("the counter would not fit into 64 bits"),
        }
    }
}

impl std::error::Error for CounterError {}

#[cfg(test)]
mod tests {
    use super::*;
    use CounterFormat::{Binary, Text};

    #[test]
    fn numbers_have_two_formats() {
        for (format, number, data) in [
            (Binary, 258, &[0, 0, 0, 0, 0, 0, 1, 2][..]),
            (Binary, -1, &[0xff; 8]),
            (Text, -17, b"-17"),
        ] {
            assert_eq!(format.write(number), data);
            assert_eq!(format.read(data), Ok(number));
            assert_eq!(format.read(b""), Ok(0));
            assert!(format.read(b"1.5").is_err());
        }
    }
}
