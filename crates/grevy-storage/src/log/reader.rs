//! Reads one log file, record by record, and says how it ends.

use super::record::{self, END_MARK, FRAME, MIN_ENTRY, PREFIX};
use crate::disk::{Disk, DiskError, File, OpenMode};
use crate::header::{self, HEADER_LEN, LOG_MAGIC};
use grevy_proto::Zxid;
use std::fmt;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Walks through one file. Nothing is interpreted beyond the zxid.
pub struct LogReader {
    path: PathBuf,
    file: Box<dyn File>,
    len: u64,
    buf: Vec<u8>,
    /// Where in the file `buf` begins.
    base: u64,
    /// Where in `buf` the next record begins.
    pos: usize,
}

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A whole record.
    Record(LogRecord<'a>),
    /// There is none, nor will there be.
    End(Ending),
}

/// A record whose frame and checksum are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// Where it ends, and the next one begins.
    pub end: u64,
    /// Its zxid.
    pub zxid: Zxid,
    /// What it holds: a [`TxnEntry`](grevy_proto::txn::TxnEntry).
    pub entry: &'a [u8],
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The end of the last whole record.
    pub offset: u64,
    /// What is wrong there; `None`: zeros or nothing follow.
    pub flaw: Option<Flaw>,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The file does not begin with a log's header.
    Header,
    /// The file ends inside the record.
    CutShort,
    /// The length is negative, or too small for any entry.
    Length(i32),
    /// The length is 0, as at the end, but bytes other than 0 follow.
    NotZeros,
    /// The byte after the entry is not the end mark.
    EndMark,
    /// The checksum is another.
    Checksum,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the file does not begin with the header of a log"),
            Self::CutShort => f.write_str("the file ends inside a record"),
            Self::Length(len) => write!(f, "a record claims a length of {len} bytes"),
            Self::NotZeros => f.write_str("the records seem to end, but not only zeros follow"),
            Self::EndMark => f.write_str("a record does not end with its end mark"),
            Self::Checksum => f.write_str("a record's checksum is wrong"),
        }
    }
}

impl LogReader {
    /// Opens the log `path`. Entries may have any length: what checksum and end mark bear out was
    /// written, and perhaps acknowledged, whatever the limit is here.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, DiskError> {
        let file = disk.open(path, OpenMode::Read)?;
        let len = file.len()?;
        Ok(Self {
            path: path.into(),
            file,
            len,
            buf: Vec::new(),
            base: 0,
            pos: 0,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes when it was opened, with the zeros.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// Reads the next record. After an [`Step::End`] the same end comes again.
    pub fn read(&mut self) -> Result<Step<'_>, DiskError> {
        if self.offset() == 0
            && let Some(ending) = self.read_header()?
        {
            return Ok(Step::End(ending));
        }
        let flaw = match self.fill(PREFIX)? {
            false => match self.rest_is_zeros()? {
                true => None,
                false => Some(Flaw::CutShort),
            },
            true => match self.frame()? {
                Ok((zxid, len)) => {
                    let offset = self.offset();
                    let start = self.pos + PREFIX;
                    self.pos += len + FRAME;
                    return Ok(Step::Record(LogRecord {
                        offset,
                        end: self.offset(),
                        zxid,
                        entry: self.buf.get(start..start + len).unwrap_or_default(),
                    }));
                }
                Err(flaw) => flaw,
            },
        };
        Ok(Step::End(Ending {
            offset: self.offset(),
            flaw,
        }))
    }

    /// For tools: the record here although its checksum is wrong, if its length and end mark are
    /// right. Reading goes on behind it.
    pub fn read_flawed(&mut self) -> Result<Option<LogRecord<'_>>, DiskError> {
        match self.read()? {
            Step::End(Ending {
                flaw: Some(Flaw::Checksum),
                ..
            }) => {}
            _ => return Ok(None),
        }
        let here = self.buf.get(self.pos..).unwrap_or_default();
        let len = record::prefix(here).map_or(0, |(_, len)| len);
        let len = usize::try_from(len).unwrap_or(0);
        let (offset, start) = (self.offset(), self.pos + PREFIX);
        self.pos += len + FRAME;
        let entry = self.buf.get(start..start + len).unwrap_or_default();
        Ok(record::zxid(entry).map(|zxid| LogRecord {
            offset,
            end: self.offset(),
            zxid,
            entry,
        }))
    }

    /// For tools: where an intact record with a zxid above `after` stands behind the place where
    /// reading came to an end.
    pub fn intact_behind(&mut self, after: Zxid) -> Result<Option<u64>, DiskError> {
        let rest = self.rest()?;
        let behind = record::find_intact(&rest, after);
        Ok(behind.map(|behind| self.offset() + behind as u64))
    }

    /// All that follows the last record.
    fn rest(&mut self) -> Result<Vec<u8>, DiskError> {
        let start = self.offset();
        let mut rest = Vec::new();
        let mut at = start;
        while at < self.len {
            let n = usize::try_from(self.len - at).map_or(CHUNK, |left| left.min(CHUNK));
            let old = rest.len();
            rest.resize(old + n, 0);
            let read = self.file.read_at(&mut rest[old..], at)?;
            rest.truncate(old + read);
            if read == 0 {
                break;
            }
            at += read as u64;
        }
        Ok(rest)
    }

    fn read_header(&mut self) -> Result<Option<Ending>, DiskError> {
        let whole = self.fill(HEADER_LEN)?;
        if whole && header::has_magic(&self.buf, LOG_MAGIC) {
            self.pos = HEADER_LEN;
            return Ok(None);
        }
        let flaw = match whole {
            true => Flaw::Header,
            false => Flaw::CutShort,
        };
        Ok(Some(Ending {
            offset: 0,
            flaw: Some(flaw),
        }))
    }

    /// Checks the record at the current place; returns its zxid and the length of its entry.
    /// `Err(None)` is the end.
    fn frame(&mut self) -> Result<Result<(Zxid, usize), Option<Flaw>>, DiskError> {
        let Some((sum, len)) = self.buf.get(self.pos..).and_then(record::prefix) else {
            return Ok(Err(Some(Flaw::CutShort)));
        };
        if len == 0 {
            return Ok(Err(match self.rest_is_zeros()? {
                true => None,
                false => Some(Flaw::NotZeros),
            }));
        }
        let entry_len = match usize::try_from(len) {
            Ok(entry_len) if entry_len >= MIN_ENTRY => entry_len,
            _ => return Ok(Err(Some(Flaw::Length(len)))),
        };
        if let Some(flaw) = self.doubt(entry_len)? {
            return Ok(Err(Some(flaw)));
        }
        if !self.fill(entry_len + FRAME)? {
            return Ok(Err(Some(Flaw::CutShort)));
        }
        let start = self.pos + PREFIX;
        let entry = self.buf.get(start..start + entry_len).unwrap_or_default();
        if self.buf.get(start + entry_len) != Some(&END_MARK) {
            return Ok(Err(Some(Flaw::EndMark)));
        }
        if record::checksum(entry) != sum {
            return Ok(Err(Some(Flaw::Checksum)));
        }
        Ok(match record::zxid(entry) {
            Some(zxid) => Ok((zxid, entry_len)),
            None => Err(Some(Flaw::Length(len))),
        })
    }

    /// Why a record of that length cannot be here, as far as can be told without reading it: a
    /// length that damage has made up takes no memory.
    fn doubt(&self, entry_len: usize) -> Result<Option<Flaw>, DiskError> {
        let end = self.offset() + (entry_len + FRAME) as u64;
        if end > self.len {
            return Ok(Some(Flaw::CutShort));
        }
        if entry_len <= CHUNK {
            return Ok(None);
        }
        let mut mark = [0];
        Ok(match self.file.read_at(&mut mark, end - 1)? {
            0 => Some(Flaw::CutShort),
            _ => (mark != [END_MARK]).then_some(Flaw::EndMark),
        })
    }

    /// Brings `n` bytes from the current place into the buffer; `false` if the file ends before.
    fn fill(&mut self, n: usize) -> Result<bool, DiskError> {
        while self.buf.len() - self.pos < n {
            self.buf.drain(..self.pos);
            self.base += self.pos as u64;
            self.pos = 0;
            let at = self.base + self.buf.len() as u64;
            let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
            let more = left.min(CHUNK.max(n));
            let old = self.buf.len();
            self.buf.resize(old + more, 0);
            let read = self.file.read_at(&mut self.buf[old..], at)?;
            self.buf.truncate(old + read);
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn rest_is_zeros(&self) -> Result<bool, DiskError> {
        if !is_zero(self.buf.get(self.pos..).unwrap_or_default()) {
            return Ok(false);
        }
        let mut at = self.base + self.buf.len() as u64;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = self.file.read_at(&mut chunk, at)?;
            if read == 0 {
                return Ok(true);
            }
            if !is_zero(chunk.get(..read).unwrap_or_default()) {
                return Ok(false);
            }
            at += read as u64;
        }
    }
}

/// In blocks without a branch inside, which the compiler turns into vector instructions.
fn is_zero(bytes: &[u8]) -> bool {
    let zero = |block: &[u8]| block.iter().fold(0, |all, byte| all | byte) == 0;
    bytes.chunks(256).all(zero)
}
