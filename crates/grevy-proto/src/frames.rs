//! From a stream of bytes to frames, for clients.

use alloc::vec::Vec;
use core::fmt;

/// How much consumed input is kept before it is moved out of the way.
const SLACK: usize = 64 << 10;

/// A frame that is too long, or of less than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLength {
    /// The length in bytes that stands before it.
    pub claimed: i32,
    /// The longest that is taken.
    pub max: usize,
}

impl fmt::Display for BadLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claimed, max } = self;
        write!(
            f,
            "a frame claims {claimed} bytes, the limit is {max}; is this a ZooKeeper server?"
        )
    }
}

impl core::error::Error for BadLength {}

/// What was received and not yet read.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Everything before it has been read.
    start: usize,
}

impl Frames {
    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() || self.start > SLACK {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame without its length, of at most `max` bytes; `None` until it is there.
    ///
    /// # Errors
    /// Its length is negative or above `max`. Then nothing more can be read.
    pub fn next(&mut self, max: usize) -> Result<Option<Vec<u8>>, BadLength> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some((prefix, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let claimed = i32::from_be_bytes(*prefix);
        let len = usize::try_from(claimed)
            .ok()
            .filter(|len| *len <= max)
            .ok_or(BadLength { claimed, max })?;
        let Some(frame) = rest.get(..len) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.start += 4 + len;
        Ok(Some(frame))
    }

    /// Forgets everything; the connection is gone.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn frames_come_out_however_they_were_cut() {
        let stream = [&[0, 0, 0, 1, 7][..], &[0, 0, 0, 0], &[0, 0, 0, 2, 8, 9]].concat();
        for cut in 1..stream.len() {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for part in stream.chunks(cut) {
                frames.push(part);
                while let Some(frame) = frames.next(2).expect("good lengths") {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, [vec![7], vec![], vec![8, 9]]);
        }
    }

    #[test]
    fn a_bad_length_is_refused() {
        for length in [[0xff; 4], [0, 0, 0, 3]] {
            let mut frames = Frames::default();
            frames.push(&length);
            let claimed = i32::from_be_bytes(length);
            assert_eq!(frames.next(2), Err(BadLength { claimed, max: 2 }));
        }
    }
}
