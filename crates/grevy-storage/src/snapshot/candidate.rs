//! Which files are snapshots that may be loaded.

use super::source::{self, SourceError};
use super::trailer::{SEAL_END, SEAL_LEN};
use super::{Compression, snappy};
use crate::disk::{Disk, DiskError, File, OpenMode};
use crate::names::Name;
use grevy_proto::Zxid;
use simd_adler32::Adler32;
use std::path::Path;

/// A snapshot by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The last transaction wholly contained.
    pub zxid: Zxid,
    /// It has its proper name; otherwise a Java server had yet to give it that.
    pub named: bool,
    /// How it is compressed.
    pub compression: Compression,
    /// The file's name.
    pub name: String,
}

/// The snapshots among `names`, newest first.
pub fn candidates(names: &[String]) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = names
        .iter()
        .filter_map(|name| {
            let (zxid, named, compression) = match Name::parse(name) {
                Name::Snapshot(zxid, compression) => (zxid, true, compression),
                Name::UnnamedSnapshot(zxid) => (zxid, false, Compression::None),
                _ => return None,
            };
            Some(Candidate {
                zxid,
                named,
                compression,
                name: name.clone(),
            })
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// The cheap test of `SnapStream.isValidSnapshot`: whether writing it came to its end. A file
/// that passes may still be damaged inside.
pub fn looks_whole(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
) -> Result<bool, DiskError> {
    Ok(looks(disk, path, compression)? != Looks::CutShort)
}

/// What the cheap test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    CutShort,
    /// With the length of a file that is not compressed.
    Whole(Option<u64>),
}

/// The cheap test.
pub(crate) fn looks(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
) -> Result<Looks, DiskError> {
    let file = disk.open(path, OpenMode::Read)?;
    let (whole, len) = match compression {
        Compression::None => {
            let len = file.len()?;
            let ends = len >= 10 && holds(&*file, len - SEAL_END.len() as u64, &SEAL_END)?;
            (ends, Some(len))
        }
        Compression::Gzip => (holds(&*file, 0, &[0x1f, 0x8b])?, None),
        Compression::Snappy => (
            holds(&*file, 0, &snappy::HEADER[..snappy::MAGIC_LEN])?,
            None,
        ),
    };
    Ok(match whole {
        true => Looks::Whole(len),
        false => Looks::CutShort,
    })
}

/// Whether the last seal of a snapshot is right, and with it every byte before: as good as
/// loading it, short of understanding the body.
pub(crate) fn is_sealed(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
) -> Result<bool, DiskError> {
    let mut sum = Adler32::new();
    let mut held: Vec<u8> = Vec::new();
    let read = source::for_each_chunk(disk, path, compression, |chunk| {
        held.extend_from_slice(chunk);
        let settled = held.len().saturating_sub(SEAL_LEN);
        sum.write(held.get(..settled).unwrap_or_default());
        held.drain(..settled);
        Ok(())
    });
    match read {
        Ok(()) => {
            let expected = i64::from(sum.finish()).to_be_bytes();
            Ok(held.get(..8) == Some(&expected) && held.get(8..) == Some(&SEAL_END))
        }
        Err(SourceError::Stream(_)) => Ok(false),
        Err(SourceError::Disk(error)) => Err(error),
    }
}

fn holds(file: &dyn File, offset: u64, expected: &[u8]) -> Result<bool, DiskError> {
    let mut found = vec![0; expected.len()];
    let read = file.read_at(&mut found, offset)?;
    Ok(read == found.len() && found == expected)
}
