//! The uncompressed bytes of a snapshot file, in order.

use super::Compression;
use super::snappy;
use crate::disk::{Disk, DiskError, File, OpenMode};
use flate2::read::GzDecoder;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

/// Bytes handed on at a time.
const CHUNK: usize = 1 << 20;
/// From this size of file on, another thread reads ahead.
const AHEAD_FROM: u64 = 4 << 20;
/// How many chunks it may be ahead.
const AHEAD: usize = 4;

/// Why no more bytes come.
pub(super) enum SourceError {
    Disk(DiskError),
    /// The compressed stream is damaged.
    Stream(String),
}

/// Hands the content of `path` to `take`, chunk by chunk, until `take` says no.
pub(super) fn for_each_chunk<E: From<SourceError>>(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut source = Source::open(disk, path, compression)?;
    if !disk.reads_ahead() || source.file_len < AHEAD_FROM {
        let mut chunk = Vec::new();
        while source.read(&mut chunk)? {
            take(&chunk)?;
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let (full_tx, full_rx) = mpsc::sync_channel(AHEAD);
        let (empty_tx, empty_rx) = mpsc::channel::<Vec<u8>>();
        scope.spawn(move || {
            loop {
                let mut chunk = empty_rx.try_recv().unwrap_or_default();
                let (item, last) = match source.read(&mut chunk) {
                    Ok(true) => (Ok(chunk), false),
                    Ok(false) => return,
                    Err(error) => (Err(error), true),
                };
                // An error means that the other side has heard enough.
                if full_tx.send(item).is_err() || last {
                    return;
                }
            }
        });
        for item in full_rx {
            let chunk = item?;
            take(&chunk)?;
            // The reader may have come to the end already.
            let _ = empty_tx.send(chunk);
        }
        Ok(())
    })
}

struct Source {
    file_len: u64,
    stream: Stream,
}

enum Stream {
    Plain(FileReader),
    Gzip(Box<GzDecoder<FileReader>>),
    Snappy { file: FileReader, begun: bool },
}

impl Source {
    fn open(disk: &dyn Disk, path: &Path, compression: Compression) -> Result<Self, SourceError> {
        let file = disk.open(path, OpenMode::Read).map_err(SourceError::Disk)?;
        let file_len = file.len().map_err(SourceError::Disk)?;
        let file = FileReader {
            file,
            at: 0,
            failed: None,
        };
        let stream = match compression {
            Compression::None => Stream::Plain(file),
            Compression::Gzip => Stream::Gzip(Box::new(GzDecoder::new(file))),
            Compression::Snappy => Stream::Snappy { file, begun: false },
        };
        Ok(Self { file_len, stream })
    }

    /// Fills `chunk` with the next bytes; `false` at the end.
    fn read(&mut self, chunk: &mut Vec<u8>) -> Result<bool, SourceError> {
        let (read, file) = match &mut self.stream {
            Stream::Plain(file) => (fill(file, chunk), file),
            Stream::Gzip(gzip) => (fill(gzip, chunk), gzip.get_mut()),
            Stream::Snappy { file, begun } => (unsnap(file, begun, chunk), file),
        };
        match (read, file.failed.take()) {
            (Ok(()), _) => Ok(!chunk.is_empty()),
            (Err(_), Some(error)) => Err(SourceError::Disk(error)),
            (Err(error), None) => Err(SourceError::Stream(error.to_string())),
        }
    }
}

fn fill(from: &mut impl Read, chunk: &mut Vec<u8>) -> io::Result<()> {
    chunk.resize(CHUNK, 0);
    let mut len = 0;
    while let Some(rest @ [_, ..]) = chunk.get_mut(len..) {
        match from.read(rest)? {
            0 => break,
            n => len += n,
        }
    }
    chunk.truncate(len);
    Ok(())
}

/// Reads blocks until there is a chunk's worth.
fn unsnap(file: &mut FileReader, begun: &mut bool, chunk: &mut Vec<u8>) -> io::Result<()> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    chunk.clear();
    if !*begun {
        let mut header = [0; snappy::HEADER.len()];
        file.read_exact(&mut header)?;
        if header != snappy::HEADER {
            return Err(damaged("not the header of a snappy-java stream"));
        }
        *begun = true;
    }
    let mut block = Vec::new();
    while chunk.len() < CHUNK {
        let mut prefix = [0; 4];
        match file.read(&mut prefix)? {
            0 => break,
            4 => {}
            n => file.read_exact(prefix.get_mut(n..).unwrap_or_default())?,
        }
        let len = snappy::block_len(prefix).ok_or_else(|| damaged("a block's length is wrong"))?;
        block.clear();
        let read = file.by_ref().take(len as u64).read_to_end(&mut block)?;
        if read < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        snappy::read_block(&block, chunk)?;
    }
    Ok(())
}

/// A file as a stream. It remembers its own error, which decoders would bury.
struct FileReader {
    file: Box<dyn File>,
    at: u64,
    failed: Option<DiskError>,
}

impl Read for FileReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.file.read_at(buf, self.at) {
            Ok(n) => {
                self.at += n as u64;
                Ok(n)
            }
            Err(error) => {
                let kind = error.cause.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}
