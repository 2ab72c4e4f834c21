//! The mark: up to where the log is known to be durable, in a file beside the logs.
//!
//! A torn tail after a power cut and rot of acknowledged records look the same in a log. The
//! mark tells them apart: what stands before it had been synced, so that damage there is rot and
//! must not be cut away; what stands behind it was never acknowledged, or only just.
//!
//! The file has two slots, written in turn after every commit, and below them one entry for each
//! log that is complete. A slot that a crash or rot took leaves the other; an older mark is true
//! as well, only less helpful. Slots are not synced with every commit but when a file is begun,
//! when the caller is idle ([`Log::sync_mark`](crate::log::Log::sync_mark)) and at the end.
//!
//! | offset | bytes | content |
//! | --- | --- | --- |
//! | 0, 4096 | 44 | `GREVYMRK`, sequence number, log's zxid or -1, offset, last zxid, CRC-32 |
//! | 8192 + 32 i | 32 | `GEND`, log's zxid, its end, last zxid, CRC-32 |
//!
//! Numbers are big-endian, checksums are of what precedes them. A Java server overlooks the
//! file: its name begins like none that it reads.

use crate::disk::{self, Disk, DiskError, File, OpenMode};
use grevy_proto::{Encode, Reader, Zxid};
use std::path::Path;

/// The file's name, in the directory of the logs.
pub const MARK_FILE: &str = "grevy.durable";
pub(crate) const MARK_TEMPORARY: &str = "grevy.durable.new";

const SLOT_MAGIC: &[u8; 8] = b"GREVYMRK";
const SLOT_LEN: usize = 44;
const SLOT_STRIDE: usize = 4096;
const ENDS_START: usize = 2 * SLOT_STRIDE;
const END_MAGIC: &[u8; 4] = b"GEND";
const END_LEN: usize = 32;
/// No more of the file than this is read: room for some 130,000 entries.
const MAX_LEN: usize = 4 << 20;

/// Up to where the log is durable. All of it is: earlier files, and in this one all before
/// `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The newest log, by the zxid in its name; `None`: there is none that matters.
    pub file: Option<Zxid>,
    /// The end of its last durable record; 0: nothing in it is known to be durable.
    pub offset: u64,
    /// The last durable transaction, in whichever file or snapshot.
    pub zxid: Zxid,
}

/// Where a log that is no longer written ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The log, by the zxid in its name.
    pub file: Zxid,
    /// The end of its last record.
    pub offset: u64,
    /// That record's zxid.
    pub zxid: Zxid,
}

/// What stands in a mark file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkFound {
    /// There is no such file.
    Missing,
    /// There is one, but neither slot is whole.
    Damaged,
    /// The newest mark, and the entries that are whole.
    Whole(Mark, Vec<End>),
}

/// Reads the mark file in `dir`.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<MarkFound, DiskError> {
    let Some(bytes) = disk::read_small(disk, &dir.join(MARK_FILE), MAX_LEN)? else {
        return Ok(MarkFound::Missing);
    };
    let slots = [0, SLOT_STRIDE].map(|at| bytes.get(at..at + SLOT_LEN).and_then(decode_slot));
    let newest = slots
        .into_iter()
        .flatten()
        .max_by_key(|(sequence, _)| *sequence);
    let Some((_, mark)) = newest else {
        return Ok(MarkFound::Damaged);
    };
    let ends = bytes.get(ENDS_START..).unwrap_or_default();
    let ends = ends.chunks_exact(END_LEN).filter_map(decode_end);
    Ok(MarkFound::Whole(mark, ends.collect()))
}

/// The mark file of a log that is being written.
pub(crate) struct MarkFile {
    file: Box<dyn File>,
    sequence: u64,
    ends: usize,
    synced: bool,
    buf: Vec<u8>,
}

impl MarkFile {
    /// Writes a new mark file in place of any old one, durably.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        mark: Mark,
        ends: &[End],
    ) -> Result<Self, DiskError> {
        let mut content = Vec::new();
        for sequence in 0..2 {
            encode_slot(sequence, mark, &mut content);
            content.resize((content.len() / SLOT_STRIDE + 1) * SLOT_STRIDE, 0);
        }
        for end in ends {
            encode_end(*end, &mut content);
        }
        disk::replace_file(disk, dir, MARK_FILE, MARK_TEMPORARY, &content)?;
        Ok(Self {
            file: disk.open(&dir.join(MARK_FILE), OpenMode::Write)?,
            sequence: 2,
            ends: ends.len(),
            synced: true,
            buf: Vec::new(),
        })
    }

    /// Moves the mark. Not synced: see [`Self::sync`].
    pub(crate) fn set(&mut self, mark: Mark) -> Result<(), DiskError> {
        self.buf.clear();
        encode_slot(self.sequence, mark, &mut self.buf);
        let slot = self.sequence % 2 * SLOT_STRIDE as u64;
        self.file.write_at(&self.buf, slot)?;
        self.sequence += 1;
        self.synced = false;
        Ok(())
    }

    /// Notes, durably and before anything is written to it, that a new log is begun, and where
    /// the one before ends. From then on a newer log than the mark's is one that somebody else
    /// wrote.
    pub(crate) fn begin_file(&mut self, mark: Mark, before: Option<End>) -> Result<(), DiskError> {
        if let Some(end) = before {
            self.buf.clear();
            encode_end(end, &mut self.buf);
            let at = ENDS_START + self.ends * END_LEN;
            self.file.write_at(&self.buf, at as u64)?;
            self.ends += 1;
        }
        // Both slots, so that the loss of one does not bring back the older file.
        self.set(mark)?;
        self.set(mark)?;
        self.sync()
    }

    /// Makes the mark durable, if it is not.
    pub(crate) fn sync(&mut self) -> Result<(), DiskError> {
        if !self.synced {
            self.file.sync()?;
            self.synced = true;
        }
        Ok(())
    }
}

fn encode_slot(sequence: u64, mark: Mark, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(SLOT_MAGIC);
    out.extend_from_slice(&sequence.to_be_bytes());
    mark.file.unwrap_or(Zxid(-1)).encode(out);
    out.extend_from_slice(&mark.offset.to_be_bytes());
    mark.zxid.encode(out);
    put_crc(start, out);
}

fn encode_end(end: End, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(END_MAGIC);
    end.file.encode(out);
    out.extend_from_slice(&end.offset.to_be_bytes());
    end.zxid.encode(out);
    put_crc(start, out);
}

fn put_crc(start: usize, out: &mut Vec<u8>) {
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
}

fn decode_slot(slot: &[u8]) -> Option<(u64, Mark)> {
    let mut reader = checked(slot, SLOT_MAGIC)?;
    let sequence = reader.long().ok()?.cast_unsigned();
    let file = Zxid(reader.long().ok()?);
    let mark = Mark {
        file: (file != Zxid(-1)).then_some(file),
        offset: reader.long().ok()?.cast_unsigned(),
        zxid: Zxid(reader.long().ok()?),
    };
    Some((sequence, mark))
}

fn decode_end(end: &[u8]) -> Option<End> {
    let mut reader = checked(end, END_MAGIC)?;
    Some(End {
        file: Zxid(reader.long().ok()?),
        offset: reader.long().ok()?.cast_unsigned(),
        zxid: Zxid(reader.long().ok()?),
    })
}

/// What stands between magic and checksum, if both are right.
fn checked<'a>(bytes: &'a [u8], magic: &[u8]) -> Option<Reader<'a>> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    let rest = content.strip_prefix(magic)?;
    (crc32fast::hash(content) == u32::from_be_bytes(*crc)).then(|| Reader::new(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MemDisk;

    const DIR: &str = "/log";

    fn mark(file: i64, offset: u64, zxid: i64) -> Mark {
        Mark {
            file: Some(Zxid(file)),
            offset,
            zxid: Zxid(zxid),
        }
    }

    fn end(file: i64) -> End {
        End {
            file: Zxid(file),
            offset: 99,
            zxid: Zxid(file + 1),
        }
    }

    fn scene() -> (MemDisk, MarkFile) {
        let disk = MemDisk::new();
        let dir = Path::new(DIR);
        disk.create_dir(dir).unwrap();
        assert_eq!(read(&disk, dir).unwrap(), MarkFound::Missing);
        let file = MarkFile::create(&disk, dir, mark(1, 16, 0), &[end(-7)]).unwrap();
        (disk, file)
    }

    fn found(disk: &MemDisk) -> MarkFound {
        read(disk, Path::new(DIR)).unwrap()
    }

    #[test]
    fn the_newest_mark_counts_and_ends_add_up() {
        let (disk, mut file) = scene();
        assert_eq!(
            found(&disk),
            MarkFound::Whole(mark(1, 16, 0), vec![end(-7)])
        );
        for i in 1..5 {
            file.set(mark(1, 16 + i, i as i64)).unwrap();
            assert_eq!(
                found(&disk),
                MarkFound::Whole(mark(1, 16 + i, i as i64), vec![end(-7)])
            );
        }
        file.begin_file(mark(5, 0, 4), Some(end(1))).unwrap();
        file.begin_file(mark(9, 0, 8), Some(end(5))).unwrap();
        disk.crash(1);
        assert_eq!(
            found(&disk),
            MarkFound::Whole(mark(9, 0, 8), vec![end(-7), end(1), end(5)])
        );
    }

    #[test]
    fn a_crash_leaves_some_mark_that_was_true() {
        for seed in 0..100 {
            let (disk, mut file) = scene();
            for i in 1..6 {
                file.set(mark(1, 16 + i, i as i64)).unwrap();
            }
            disk.crash(seed);
            let MarkFound::Whole(found, _) = found(&disk) else {
                panic!("no mark left");
            };
            assert!(found.offset <= 21 && found.zxid.0 as u64 == found.offset - 16);
        }
    }

    #[test]
    fn no_flipped_bit_makes_another_mark() {
        let (disk, mut file) = scene();
        file.set(mark(1, 40, 1)).unwrap();
        file.sync().unwrap();
        let path = Path::new(DIR).join(MARK_FILE);
        let before = (mark(1, 16, 0), mark(1, 40, 1));
        for bit in 0..disk.content(&path).unwrap().len() * 8 {
            let rotten = disk.fork();
            rotten.flip_bit(&path, bit);
            let MarkFound::Whole(found, ends) = found(&rotten) else {
                panic!("bit {bit}: no mark left");
            };
            assert!(found == before.0 || found == before.1, "bit {bit}");
            assert!(ends.is_empty() || ends == [end(-7)], "bit {bit}");
        }
    }
}
