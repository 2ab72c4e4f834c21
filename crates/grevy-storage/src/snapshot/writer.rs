//! Writes a snapshot.

use super::Compression;
use super::snappy::{self, BlockWriter};
use super::trailer::{self, Trailers};
use crate::disk::{Disk, DiskError, DiskOp, File, OpenMode};
use crate::header;
use crate::names;
use flate2::write::GzEncoder;
use grevy_proto::Zxid;
use simd_adler32::Adler32;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes written at a time.
const CHUNK: usize = 1 << 20;
/// Bytes after which the file is synced, so that the last sync, and syncs of the log meanwhile,
/// never wait for a whole snapshot.
const SYNC_EVERY: u64 = 1 << 20;
/// What names of unfinished snapshots begin with; no Java server looks at them.
const UNFINISHED: &str = "grevy.snapshot.";

/// Writes a snapshot under another name and gives it its own when it is whole and durable.
/// An unfinished one is removed by [`abort`](Self::abort), or at the next start.
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    temporary: PathBuf,
    name: String,
    file: Box<dyn File>,
    output: Output,
    /// Over all uncompressed bytes.
    sum: Adler32,
    written: u64,
    synced: u64,
}

/// A snapshot that is whole and durable, but not in place.
pub struct SealedSnapshot {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    temporary: PathBuf,
    path: PathBuf,
    bytes: u64,
}

impl SealedSnapshot {
    /// Gives it its name, durably.
    pub fn install(self) -> Result<SnapshotFile, DiskError> {
        self.disk.rename(&self.temporary, &self.path)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(SnapshotFile {
            path: self.path,
            bytes: self.bytes,
        })
    }

    /// Removes it.
    pub fn discard(self) -> Result<(), DiskError> {
        self.disk.remove(&self.temporary)
    }
}

/// A snapshot that is in place and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Where.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What turns content into bytes of the file; they gather until there is a chunk.
enum Output {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Snappy(Box<BlockWriter>, Vec<u8>),
}

impl SnapshotWriter {
    /// Begins a snapshot in `dir` of the state at exactly `zxid`.
    pub fn begin(
        disk: Arc<dyn Disk>,
        dir: &Path,
        zxid: Zxid,
        compression: Compression,
    ) -> Result<Self, DiskError> {
        let temporary = dir.join(format!("{UNFINISHED}{:x}", zxid.0));
        Self::begin_at(disk, temporary, dir, zxid, compression)
    }

    /// The same for one that comes from the leader, and may be under way beside an own one at
    /// the same zxid.
    pub(crate) fn begin_received(
        disk: Arc<dyn Disk>,
        dir: &Path,
        zxid: Zxid,
        compression: Compression,
        number: u32,
    ) -> Result<Self, DiskError> {
        let temporary = dir.join(format!("{UNFINISHED}received.{number}"));
        Self::begin_at(disk, temporary, dir, zxid, compression)
    }

    fn begin_at(
        disk: Arc<dyn Disk>,
        temporary: PathBuf,
        dir: &Path,
        zxid: Zxid,
        compression: Compression,
    ) -> Result<Self, DiskError> {
        let name = names::snapshot(zxid, compression);
        let file = disk.open(&temporary, OpenMode::Create)?;
        let mut writer = Self {
            disk,
            dir: dir.into(),
            temporary,
            name,
            file,
            output: Output::new(compression),
            sum: Adler32::new(),
            written: 0,
            synced: 0,
        };
        writer.write(&header::snapshot_header())?;
        Ok(writer)
    }

    /// Appends to the body: sessions, ACL table and nodes with the `/` that ends them.
    pub fn write(&mut self, body: &[u8]) -> Result<(), DiskError> {
        self.sum.write(body);
        self.put(body)
    }

    /// Ends the body, makes the file durable and gives it its name.
    pub fn finish(self, trailers: Trailers) -> Result<SnapshotFile, DiskError> {
        self.seal(trailers)?.install()
    }

    /// Ends the body and makes the file durable, which no recovery looks at yet.
    pub fn seal(mut self, trailers: Trailers) -> Result<SealedSnapshot, DiskError> {
        let mut end = Vec::new();
        trailer::put(trailers, &mut self.sum, &mut end);
        self.put(&end)?;
        let ended = self.output.end();
        ended.map_err(|cause| DiskError::new(DiskOp::Write, &self.temporary, cause))?;
        self.write_out()?;
        self.file.sync()?;
        Ok(SealedSnapshot {
            path: self.dir.join(&self.name),
            disk: self.disk,
            dir: self.dir,
            temporary: self.temporary,
            bytes: self.written,
        })
    }

    /// Gives up and removes what was written.
    pub fn abort(self) -> Result<(), DiskError> {
        self.disk.remove(&self.temporary)
    }

    /// Bytes of the file so far, compressed.
    pub fn bytes_written(&self) -> u64 {
        self.written
    }

    fn put(&mut self, content: &[u8]) -> Result<(), DiskError> {
        let taken = self.output.write(content);
        taken.map_err(|cause| DiskError::new(DiskOp::Write, &self.temporary, cause))?;
        if self.output.bytes().len() >= CHUNK {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), DiskError> {
        let bytes = self.output.bytes();
        self.file.write_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        bytes.clear();
        if self.written - self.synced >= SYNC_EVERY {
            self.file.sync()?;
            self.synced = self.written;
        }
        Ok(())
    }
}

impl Output {
    fn new(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Plain(Vec::new()),
            Compression::Gzip => {
                Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::fast()))
            }
            Compression::Snappy => {
                Self::Snappy(Box::new(BlockWriter::new()), snappy::HEADER.to_vec())
            }
        }
    }

    fn write(&mut self, content: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.extend_from_slice(content),
            Self::Gzip(encoder) => encoder.write_all(content)?,
            Self::Snappy(blocks, out) => blocks.write(content, out)?,
        }
        Ok(())
    }

    /// What must still come behind the last content.
    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.try_finish(),
            Self::Snappy(blocks, out) => Ok(blocks.flush(out)?),
        }
    }

    fn bytes(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(out) | Self::Snappy(_, out) => out,
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }
}

/// Whether a file of that name is a snapshot that this software did not finish.
pub(crate) fn is_leftover(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}
