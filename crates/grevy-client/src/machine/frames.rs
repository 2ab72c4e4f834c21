//! From a stream of bytes to frames.

/// How much consumed input is kept before it is moved out of the way.
const SLACK: usize = 64 << 10;

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

    /// The next whole frame without its length. The error says what is wrong with the length.
    pub fn next(&mut self, max: usize) -> Result<Option<Vec<u8>>, String> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some((prefix, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let claimed = i32::from_be_bytes(*prefix);
        let len = usize::try_from(claimed)
            .ok()
            .filter(|len| *len <= max)
            .ok_or_else(|| {
                format!("a frame claims {claimed} bytes, the limit is {max}; is this a ZooKeeper server?")
            })?;
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
            assert!(frames.next(2).is_err());
        }
    }
}
