//! Removes what no recovery needs any more. Source: `PurgeTxnLog`.

use crate::disk::{Disk, DiskError};
use crate::names::{self, Name};
use crate::snapshot;
use crate::store::Dirs;
use grevy_proto::Zxid;
use std::path::PathBuf;

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
/// so that those that stay are always followed by an unbroken log.
pub(crate) fn purge(disk: &dyn Disk, dirs: &Dirs, keep: usize) -> Result<Purged, DiskError> {
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
            purged.remove(disk, snapshots.join(&candidate.name))?;
        }
    }
    disk.sync_dir(&snapshots)?;
    let names = disk.list(&logs)?;
    let mut files: Vec<Zxid> = names
        .iter()
        .filter_map(|name| match Name::parse(name) {
            Name::Log(zxid) => Some(zxid),
            _ => None,
        })
        .collect();
    files.sort_unstable();
    // The newest log that starts at or below the snapshot may hold what follows it.
    let needed = files.iter().rposition(|&file| file <= oldest).unwrap_or(0);
    for &file in files.iter().take(needed) {
        purged.remove(disk, logs.join(names::log(file)))?;
    }
    disk.sync_dir(&logs)?;
    Ok(purged)
}

impl Purged {
    fn remove(&mut self, disk: &dyn Disk, path: PathBuf) -> Result<(), DiskError> {
        disk.remove(&path)?;
        self.removed.push(path);
        Ok(())
    }
}
