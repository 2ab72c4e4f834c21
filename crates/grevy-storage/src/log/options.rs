//! How a log is written.

use super::MAX_ENTRY;

/// Settings of a [`Log`](super::Log). The names in quotes are ZooKeeper's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// How many zero bytes to write ahead of the records at a time, so that a sync finds the
    /// file's length and blocks already in place; 0: none. `preAllocSize` (64 MiB by default) is
    /// a sparse extension in the original; real zeros in smaller steps make syncs faster and cost
    /// no long pause, so larger values are taken as [`LogOptions::MAX_PREALLOCATION`].
    pub preallocate: u32,
    /// Whether a commit waits for the disk (`forceSync`). Without it a power cut may lose
    /// acknowledged transactions, and no [`mark`](crate::mark) is kept.
    pub force_sync: bool,
    /// The size in bytes at which a new file is begun (`txnLogSizeLimitInKb`); `None`: only when
    /// [`Log::roll`](super::Log::roll) is called.
    pub size_limit: Option<u64>,
    /// The longest entry, in bytes (`jute.maxbuffer` and its extra): a longer one is not appended,
    /// and none is given to a learner. A history that needs one is not taken up, either, for a
    /// server could not pass it on.
    pub max_entry: usize,
}

impl LogOptions {
    /// The most that is written ahead at a time, in bytes.
    pub const MAX_PREALLOCATION: u32 = 256 << 10;
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            preallocate: Self::MAX_PREALLOCATION,
            force_sync: true,
            size_limit: None,
            max_entry: MAX_ENTRY,
        }
    }
}
