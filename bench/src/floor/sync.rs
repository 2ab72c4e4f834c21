//! What the disk costs: short appends to a file whose blocks are in place, each made durable.

use crate::clock;
use crate::failure::Result;
use crate::histogram::Histogram;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Bytes appended for a write: a transaction with 100 bytes of data and its header in ZooKeeper's log.
pub const RECORD: usize = 200;
/// Written in a circle, so that every write meets blocks that are in place.
const LENGTH: usize = 64 << 20;
const BLOCK: usize = 4096;
/// Bytes written at a time as the file is made.
const STEP: usize = 1 << 20;

/// A log as short as a log can be. Its bytes go to the disk without a copy of them being kept.
pub struct LogFile {
    file: File,
    end: usize,
    /// What is written, from `gap` on, where the memory is aligned.
    bytes: Vec<u8>,
    gap: usize,
}

impl LogFile {
    pub fn create(path: &Path) -> Result<LogFile> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let direct = OFlags::DIRECT.bits().cast_signed();
        let file = match options.clone().custom_flags(direct).open(path) {
            // Not every file system can.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => options.open(path)?,
            opened => opened?,
        };
        let mut log = LogFile {
            file,
            end: 0,
            bytes: Vec::new(),
            gap: 0,
        };
        for at in (0..LENGTH).step_by(STEP) {
            let step = log.aligned(STEP);
            log.file.write_all_at(&log.bytes[step], at as u64)?;
        }
        log.file.sync_all()?;
        Ok(log)
    }

    /// Appends as many bytes in one write, with what the first and the last block have besides, and makes them durable.
    pub fn append_and_sync(&mut self, bytes: usize) -> Result<()> {
        if self.end + bytes > LENGTH {
            self.end = 0;
        }
        let begin = self.end - self.end % BLOCK;
        self.end += bytes;
        let blocks = self.aligned((self.end - begin).next_multiple_of(BLOCK));
        self.file.write_all_at(&self.bytes[blocks], begin as u64)?;
        self.file.sync_data()?;
        Ok(())
    }

    /// Where `length` bytes are that begin at a multiple of [`BLOCK`] in memory.
    fn aligned(&mut self, length: usize) -> std::ops::Range<usize> {
        if self.bytes.len() < self.gap + length {
            self.bytes = vec![b'x'; BLOCK + length];
            self.gap = self.bytes.as_ptr().align_offset(BLOCK);
        }
        self.gap..self.gap + length
    }
}

/// Nanoseconds of one append with `fdatasync`, over and over for `length`.
pub fn measure(path: &Path, length: Duration) -> Result<Histogram> {
    let mut log = LogFile::create(path)?;
    let mut histogram = Histogram::default();
    let end = clock::now() + length.as_nanos() as u64;
    let mut before = clock::now();
    while before < end {
        log.append_and_sync(RECORD)?;
        let after = clock::now();
        histogram.record(after - before);
        before = after;
    }
    std::fs::remove_file(path)?;
    Ok(histogram)
}
