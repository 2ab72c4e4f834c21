//! Reading length-prefixed frames from a socket, with a deadline.

use grevy_proto::frames::Frames;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The largest frame that is accepted. Java's client stops at 1 MiB, which breaks it on znodes
/// with many children; this only keeps a broken peer from filling the memory.
const MAX_FRAME: usize = 64 << 20;

/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// A socket, and what has been read of the next frames.
pub struct FrameReader {
    stream: TcpStream,
    frames: Frames,
}

impl FrameReader {
    /// Reads from the start of `stream`.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }

    /// The next frame's payload; `None` if it is not complete by `deadline`, then a later call
    /// goes on.
    pub fn next(&mut self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let bad_length = |error| io::Error::new(ErrorKind::InvalidData, error);
        loop {
            if let Some(frame) = self.frames.next(MAX_FRAME).map_err(bad_length)? {
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let mut chunk = [0; CHUNK];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.frames.push(chunk.get(..n).unwrap_or_default()),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
