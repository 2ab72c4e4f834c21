//! Reads a stretch of the history back, for a learner that is a little behind.

use super::writer::follows;
use super::{LogReader, Step};
use crate::disk::{Disk, DiskError};
use crate::names;
use grevy_proto::Zxid;
use std::path::Path;
use std::sync::Arc;

/// Transactions with their zxids, as they stand in the log.
pub type Entries = Vec<(Zxid, Arc<[u8]>)>;

/// Which transactions are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// Where the learner's history ends.
    pub(crate) after: Zxid,
    /// The last one that is wanted.
    pub(crate) until: Zxid,
    /// Whether the history here is known to lead through `after`, as when a snapshot stands
    /// there.
    pub(crate) anchored: bool,
    /// The most that the entries may have together, in bytes.
    pub(crate) max_bytes: u64,
}

/// The transactions of a range, each following the one before. `None` if the files in `dir` do
/// not show that, or have more than is allowed; in one entry, `max_entry` bytes are.
pub(crate) fn read(
    disk: &dyn Disk,
    dir: &Path,
    max_entry: usize,
    range: Range,
) -> Result<Option<Entries>, DiskError> {
    match walk(disk, dir, max_entry, range) {
        // Purged meanwhile.
        Err(error) if error.is_not_found() => Ok(None),
        other => other,
    }
}

fn walk(
    disk: &dyn Disk,
    dir: &Path,
    max_entry: usize,
    range: Range,
) -> Result<Option<Entries>, DiskError> {
    let Range { after, until, .. } = range;
    let files = names::logs(&disk.list(dir)?);
    let start = files.iter().rposition(|&file| file <= after).unwrap_or(0);
    let mut anchored = range.anchored || after == Zxid::ZERO;
    let mut last = after;
    let mut bytes = 0;
    let mut entries = Entries::new();
    for &file in files.get(start..).unwrap_or_default() {
        let mut reader = LogReader::open(disk, &dir.join(names::log(file)))?;
        while let Step::Record(record) = reader.read()? {
            if record.zxid <= after {
                anchored |= record.zxid == after;
                continue;
            }
            // A leader's first transaction shows how its epoch began.
            anchored |= after.counter() == 0 && record.zxid == after.next();
            bytes += record.entry.len() as u64;
            if !anchored
                || record.entry.len() > max_entry
                || !follows(last, record.zxid)
                || record.zxid > until
                || bytes > range.max_bytes
            {
                return Ok(None);
            }
            last = record.zxid;
            entries.push((last, record.entry.into()));
            if last == until {
                return Ok(Some(entries));
            }
        }
    }
    Ok(None)
}
