//! Tools for ZooKeeper's files: snapshots, transaction logs, data directories.

pub mod compare;
pub mod filter;
pub mod inspect;
pub mod log;
pub mod repair;
pub mod replay;
pub mod sizes;
pub mod snapshot;
pub mod transaction;
pub mod verify;

use crate::exit::Failure;
use grevy_proto::Zxid;
use grevy_storage::names::Name;
use grevy_storage::{Compression, Disk, RealDisk};
use std::path::{Path, PathBuf};

/// Items of a snapshot longer than this count as damage. More than any server writes; what a
/// server itself takes is up to its `jute.maxbuffer`.
pub const MAX_ITEM: usize = 256 << 20;

/// What lies in directories of this name.
const VERSION: &str = "version-2";

/// The directory that holds the files: `dir` itself, or its `version-2`.
pub fn version_dir(dir: &Path) -> PathBuf {
    let inner = dir.join(VERSION);
    match inner.is_dir() {
        true => inner,
        false => dir.to_owned(),
    }
}

/// The logs in a directory, oldest first, with the zxids in their names.
pub fn logs(dir: &Path) -> Result<Vec<(Zxid, PathBuf)>, Failure> {
    let names = RealDisk.list(dir)?;
    let mut logs: Vec<_> = names
        .iter()
        .filter_map(|name| match Name::parse(name) {
            Name::Log(zxid) => Some((zxid, dir.join(name))),
            _ => None,
        })
        .collect();
    logs.sort_unstable();
    Ok(logs)
}

/// How a snapshot is compressed, as the end of its name says; copies may have any beginning.
pub fn compression(path: &Path) -> Compression {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("gz") => Compression::Gzip,
        Some("snappy") => Compression::Snappy,
        _ => Compression::None,
    }
}
