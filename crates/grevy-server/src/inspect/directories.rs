//! Where the data lies, and how much it is.

use crate::config::Config;
use std::fs;
use std::path::{Path, PathBuf};

/// ZooKeeper keeps its files in a directory of this name, below the configured one.
const VERSION: &str = "version-2";
/// Nothing that belongs here lies deeper.
const DEEPEST: usize = 8;

/// The snapshots' directory, as an absolute path.
pub fn snapshots(config: &Config) -> PathBuf {
    absolute(config.storage.data_dir.join(VERSION))
}

/// The log's directory, as an absolute path.
pub fn log(config: &Config) -> PathBuf {
    absolute(config.storage.data_log_dir.join(VERSION))
}

/// How many bytes the files in a directory have; 0 if it cannot be read.
pub fn size(path: &Path) -> u64 {
    size_within(path, DEEPEST)
}

fn size_within(path: &Path, depth: usize) -> u64 {
    let entries = match fs::read_dir(path) {
        Ok(entries) if depth > 0 => entries,
        _ => return 0,
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_within(&entry.path(), depth - 1),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
