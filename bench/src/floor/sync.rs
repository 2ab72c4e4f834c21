//! What the disk costs: short appends to a preallocated file, each made durable.

use crate::clock;
use crate::failure::Result;
use crate::histogram::Histogram;
use rustix::fs::FallocateFlags;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Bytes appended for a write: a transaction with 100 bytes of data and its header in ZooKeeper's log.
pub const RECORD: usize = 200;
const PREALLOCATED: u64 = 64 << 20;

/// A log as short as a log can be.
pub struct LogFile {
    file: File,
    end: u64,
    room: u64,
    records: Vec<u8>,
}

impl LogFile {
    pub fn create(path: &Path) -> Result<LogFile> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let mut log = LogFile {
            file,
            end: 0,
            room: 0,
            records: Vec::new(),
        };
        log.grow()?;
        Ok(log)
    }

    /// Appends as many bytes in one write and makes them durable.
    pub fn append_and_sync(&mut self, bytes: usize) -> Result<()> {
        self.records.resize(bytes, b'x');
        if self.end + self.records.len() as u64 > self.room {
            self.grow()?;
        }
        self.file.write_all_at(&self.records, self.end)?;
        self.end += self.records.len() as u64;
        self.file.sync_data()?;
        Ok(())
    }

    fn grow(&mut self) -> Result<()> {
        rustix::fs::fallocate(&self.file, FallocateFlags::empty(), self.room, PREALLOCATED)?;
        self.room += PREALLOCATED;
        self.file.sync_all()?;
        Ok(())
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
