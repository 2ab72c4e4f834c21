//! Removes what no recovery needs any more. Source: `PurgeTxnLog`.

use crate::disk::{Disk, DiskError};
use crate::names;
use crate::snapshot;
use crate::store::Dirs;
use std::path::{Path, PathBuf};

/// The fewest snapshots that are kept.
pub const MIN_KEPT: usize = 3;

/// What a purge removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purged {
    /// Snapshots, then logs.
    pub removed: Vec<PathBuf>,
}

/// Keeps the newest snapshots that look whole and every log that holds something behind the
/// oldest of them. Names without a zxid are left alone. Snapshots go first, each oldest first,
/// so that those that stay are always followed by an unbroken log. `before` sees each file before
/// it goes. A running server may use the directories: what it needs is among what is kept.
pub fn purge(
    disk: &dyn Disk,
    dirs: &Dirs,
    keep: usize,
    before: &mut dyn FnMut(&Path),
) -> Result<Purged, DiskError> {
    let mut purged = Purged::default();
    let (snapshots, logs) = (dirs.snapshots(), dirs.logs());
    let mut candidates = snapshot::candidates(&disk.list(&snapshots)?);
    let mut kept = Vec::new();
    for candidate in &candidates {
        let path = snapshots.join(&candidate.name);
        if kept.len() < keep.max(MIN_KEPT)
            && candidate.named
            && snapshot::looks_whole(disk, &path, candidate.compression)?
        {
            kept.push(candidate.zxid);
        }
    }
    let Some(&oldest) = kept.last() else {
        return Ok(purged);
    };
    candidates.reverse();
    for candidate in candidates {
        if candidate.zxid < oldest {
            purged.remove(disk, snapshots.join(&candidate.name), before)?;
        }
    }
    disk.sync_dir(&snapshots)?;
    let files = names::logs(&disk.list(&logs)?);
    // The newest log that starts at or below the snapshot may hold what follows it.
    let needed = files.iter().rposition(|&file| file <= oldest).unwrap_or(0);
    for &file in files.iter().take(needed) {
        purged.remove(disk, logs.join(names::log(file)), before)?;
    }
    disk.sync_dir(&logs)?;
    Ok(purged)
}

impl Purged {
    fn remove(
        &mut self,
        disk: &dyn Disk,
        path: PathBuf,
        before: &mut dyn FnMut(&Path),
    ) -> Result<(), DiskError> {
        before(&path);
        match disk.remove(&path) {
            Ok(()) => self.removed.push(path),
            // Another purge, of the server itself or by hand, was first.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
