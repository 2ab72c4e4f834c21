//! Reading length-prefixed frames from a socket, with a deadline.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The largest frame that is accepted. Java's client stops at 1 MiB, which breaks it on znodes
/// with many children; this only keeps a broken peer from filling the memory.
const MAX_FRAME: usize = 64 << 20;

/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// A socket, and what has been read of the next frame.
pub struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Frames {
    /// Reads from the start of `stream`.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next frame's payload; `None` if it is not complete by `deadline`, then a later call
    /// goes on.
    pub fn next(&mut self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(frame) = self.take()? {
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
                Ok(n) => self
                    .buffer
                    .extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some((prefix, rest)) = self.buffer.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let len = i32::from_be_bytes(*prefix);
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= MAX_FRAME)
            .ok_or_else(|| {
                io::Error::new(
                    ErrorKind::InvalidData,
                    format!("a frame claims {len} bytes; is this a ZooKeeper server?"),
                )
            })?;
        let Some(frame) = rest.get(..len) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.buffer.drain(..4 + len);
        Ok(Some(frame))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
