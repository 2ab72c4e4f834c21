//! The znodes the load works on: `/bench/d00012/n000012345`, a thousand to a directory.

use crate::client::{Client, Pool};
use crate::failure::{Failure, Result};
use std::time::Duration;

/// Znodes in one directory.
const FANOUT: u64 = 1000;
const TEMPLATE: &[u8; 24] = b"/bench/d00000/n000000000";
/// How long opening sessions may take.
const PATIENCE: Duration = Duration::from_secs(60);
const ROOT: &str = "/bench";

/// Writes paths by number into one buffer of its own.
#[derive(Clone)]
pub struct KeyPath([u8; 24]);

impl Default for KeyPath {
    fn default() -> KeyPath {
        KeyPath(*TEMPLATE)
    }
}

impl KeyPath {
    /// The path of znode `number`.
    #[inline]
    pub fn of(&mut self, number: u64) -> &[u8; 24] {
        digits(&mut self.0[8..13], number / FANOUT);
        digits(&mut self.0[15..24], number);
        &self.0
    }
}

/// The path of znode `number` as text.
pub fn key(number: u64) -> String {
    String::from_utf8_lossy(KeyPath::default().of(number)).into_owned()
}

/// Creates the directories for `count` znodes.
pub fn make_directories(client: &mut Client, count: u64) -> Result<()> {
    client.ensure(ROOT, b"")?;
    for directory in 0..count.div_ceil(FANOUT) {
        client.ensure(&format!("{ROOT}/d{directory:05}"), b"")?;
    }
    Ok(())
}

/// Opens `count` sessions as ordinary clients would, without a storm.
pub fn open(server: std::net::SocketAddr, count: usize) -> Result<Pool> {
    let opened = Pool::open(server, count, 16, PATIENCE)?;
    match opened.missing {
        0 => Ok(opened.pool),
        missing => Err(Failure::new(format!(
            "{missing} of {count} sessions did not open in {PATIENCE:?}"
        ))),
    }
}

/// Writes `number` in decimal so that it fills `into`, with zeros before it.
#[inline]
pub fn digits(into: &mut [u8], mut number: u64) {
    for place in into.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_number() {
        let cases = [
            (0, "/bench/d00000/n000000000"),
            (999, "/bench/d00000/n000000999"),
            (12_345, "/bench/d00012/n000012345"),
            (99_999_999, "/bench/d99999/n099999999"),
        ];
        for (number, expected) in cases {
            assert_eq!(key(number), expected);
        }
    }
}
