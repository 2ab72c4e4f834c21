//! Reads a snapshot.

use super::Compression;
use super::source::{self, SourceError};
use super::trailer::{self, Digest, MAX_TRAILERS, TrailerError};
use crate::disk::{Disk, DiskError};
use crate::header::{self, HEADER_LEN, SNAPSHOT_MAGIC};
use crate::recovery::Rejected;
use grevy_proto::{DecodeError, Zxid};
use simd_adler32::Adler32;
use std::fmt;
use std::path::Path;

/// What a sink says to a chunk of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// All of it belonged to the body, and more must come.
    More,
    /// The body ended after this many of its bytes; the rest is not the sink's.
    Done(usize),
}

/// What a snapshot holds besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Length of the body in bytes, uncompressed.
    pub body_len: u64,
    /// The digest block.
    pub digest: Option<Digest>,
    /// The last zxid block.
    pub last_zxid: Option<Zxid>,
}

/// Why a snapshot is no good.
#[derive(Debug, Clone)]
pub enum SnapshotError {
    /// The disk failed.
    Disk(DiskError),
    /// The file does not begin with a snapshot's header.
    Header,
    /// It ends before its body does.
    CutShort,
    /// The compressed stream is damaged.
    Stream(String),
    /// The body does not parse.
    Body(Rejected),
    /// A checksum is wrong.
    Seal,
    /// What follows the body is not what follows a body.
    Trailers(DecodeError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Header => f.write_str("it does not begin with the header of a snapshot"),
            Self::CutShort => f.write_str("it ends too early"),
            Self::Stream(what) => write!(f, "its compressed stream is damaged: {what}"),
            Self::Body(what) => write!(f, "its content is damaged: {what}"),
            Self::Seal => f.write_str("a checksum in it is wrong"),
            Self::Trailers(what) => write!(f, "its end is damaged: {what}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<SourceError> for SnapshotError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Disk(error) => Self::Disk(error),
            SourceError::Stream(what) => Self::Stream(what),
        }
    }
}

/// Hands the body of `path` to `sink`, chunk by chunk, and checks every seal. What the sink has
/// built is good only if this succeeds.
pub fn read(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
    sink: &mut dyn FnMut(&[u8]) -> Result<Fed, Rejected>,
) -> Result<SnapshotInfo, SnapshotError> {
    let mut parser = Parser {
        part: Part::Header,
        held: Vec::new(),
        sum: Adler32::new(),
        body_len: 0,
    };
    source::for_each_chunk(disk, path, compression, |chunk| parser.feed(chunk, sink))?;
    parser.finish()
}

/// Which part of the file comes next.
enum Part {
    Header,
    Body,
    Trailers,
}

struct Parser {
    part: Part,
    /// The beginning of a header, or of the trailers.
    held: Vec<u8>,
    sum: Adler32,
    body_len: u64,
}

impl Parser {
    fn feed(
        &mut self,
        mut chunk: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<Fed, Rejected>,
    ) -> Result<(), SnapshotError> {
        if let Part::Header = self.part {
            let (head, rest) = chunk.split_at(chunk.len().min(HEADER_LEN - self.held.len()));
            self.held.extend_from_slice(head);
            if self.held.len() < HEADER_LEN {
                return Ok(());
            }
            if !header::has_magic(&self.held, SNAPSHOT_MAGIC) {
                return Err(SnapshotError::Header);
            }
            self.sum.write(&self.held);
            self.held.clear();
            self.part = Part::Body;
            chunk = rest;
        }
        if let (Part::Body, false) = (&self.part, chunk.is_empty()) {
            let fed = sink(chunk).map_err(SnapshotError::Body)?;
            let used = match fed {
                Fed::More => chunk.len(),
                Fed::Done(used) => {
                    self.part = Part::Trailers;
                    used.min(chunk.len())
                }
            };
            let (body, rest) = chunk.split_at(used);
            self.sum.write(body);
            self.body_len += used as u64;
            chunk = rest;
        }
        if let Part::Trailers = self.part {
            let room = MAX_TRAILERS.saturating_sub(self.held.len());
            if chunk.len() > room {
                let excess = DecodeError::TrailingBytes(chunk.len() - room);
                return Err(SnapshotError::Trailers(excess));
            }
            self.held.extend_from_slice(chunk);
        }
        Ok(())
    }

    fn finish(self) -> Result<SnapshotInfo, SnapshotError> {
        if !matches!(self.part, Part::Trailers) {
            return Err(SnapshotError::CutShort);
        }
        match trailer::parse(&self.held, self.sum) {
            Ok((digest, last_zxid)) => Ok(SnapshotInfo {
                body_len: self.body_len,
                digest,
                last_zxid,
            }),
            Err(TrailerError::Seal) => Err(SnapshotError::Seal),
            Err(TrailerError::Format(error)) => Err(SnapshotError::Trailers(error)),
        }
    }
}
