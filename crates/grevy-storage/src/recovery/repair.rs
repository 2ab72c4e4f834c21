//! Makes the disk agree with what recovery decided.

use super::replay::{ReadFile, Replayed};
use crate::disk::{Disk, DiskError, OpenMode};
use crate::names;
use std::path::Path;

const CHUNK: u64 = 1 << 20;

/// Cuts what does not count, removes what holds nothing, and makes durable all that was read and
/// may not be: it may stand in the page cache alone, and a sync that failed before the restart
/// may have left it there as if it were clean. So it is written once more before the sync.
pub(super) fn repair(disk: &dyn Disk, dir: &Path, replayed: &Replayed) -> Result<(), DiskError> {
    for &file in &replayed.removable {
        disk.remove(&dir.join(names::log(file)))?;
    }
    for read in &replayed.files {
        repair_file(disk, dir, read)?;
    }
    disk.sync_dir(dir)
}

fn repair_file(disk: &dyn Disk, dir: &Path, read: &ReadFile) -> Result<(), DiskError> {
    let end = read.end.offset;
    if read.durable >= end && !read.cut {
        return Ok(());
    }
    let file = disk.open(&dir.join(names::log(read.end.file)), OpenMode::Write)?;
    let mut chunk = Vec::new();
    let mut at = read.durable;
    while at < end {
        chunk.resize((end - at).min(CHUNK) as usize, 0);
        let n = file.read_at(&mut chunk, at)?;
        if n == 0 {
            break;
        }
        chunk.truncate(n);
        file.write_at(&chunk, at)?;
        at += n as u64;
    }
    if read.cut {
        file.set_len(end)?;
    }
    file.sync()
}
