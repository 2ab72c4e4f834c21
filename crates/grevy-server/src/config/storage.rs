//! The transaction log, the snapshots and their upkeep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Reader;

/// Where data is kept, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// Snapshots, `myid`. Empty only if the configuration is refused.
    pub data_dir: PathBuf,
    /// The transaction log; the same as `data_dir` unless set.
    pub data_log_dir: PathBuf,
    /// After how many transactions a snapshot is due, at the latest; at least 2.
    pub snap_count: u32,
    /// After how many bytes of log a snapshot is due.
    pub snap_size_limit_bytes: Option<u64>,
    /// After how many bytes a new log file is begun.
    pub log_size_limit_bytes: Option<u64>,
    /// By how many bytes a log file is extended ahead of the writes; 0: not.
    pub pre_alloc_bytes: u64,
    /// Whether a transaction is on the disk before it is acknowledged.
    pub force_sync: bool,
    /// After how long a sync of the log is reported as slow.
    pub slow_sync: Duration,
    /// How new snapshots are compressed.
    pub compression: SnapshotCompression,
    /// Whether a log without any snapshot is trusted.
    pub trust_empty_snapshot: bool,
    /// Whether the log counts as complete though the mark beside it is lost.
    pub accept_lost_mark: bool,
    /// Whether a log that another server wrote is cut at a damaged record though intact ones stand
    /// behind that.
    pub cut_unmarked_tail: bool,
    /// Whether missing directories are created.
    pub create_directories: bool,
    /// Whether a server without data begins with an empty tree. Without this it does so only if
    /// the file `initialize_file` is there, and deletes that.
    pub create_database: bool,
    /// Whether the tree's digest is kept.
    pub digest: bool,
    /// Whether a snapshot ends with the last zxid it holds.
    pub last_zxid_block: bool,
    /// Whether a closing session's transaction lists the nodes it deletes.
    pub close_session_paths: bool,
    /// How often old files are deleted; none for never.
    pub purge_interval: Option<Duration>,
    /// How many snapshots deleting old files keeps; at least 3.
    pub retained_snapshots: u32,
    /// How many committed transactions are kept in memory for learners; at least 500.
    pub commit_log_count: u32,
    /// Up to which share of a snapshot's size a learner is sent log instead; negative: never.
    pub snapshot_size_factor: f64,
}

/// How new snapshots are compressed; old ones are read whatever they are (`SnapStream`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotCompression {
    /// Not.
    #[default]
    None,
    /// `snapshot.<zxid>.gz`.
    Gzip,
    /// `snapshot.<zxid>.snappy`.
    Snappy,
}

impl SnapshotCompression {
    fn read(reader: &mut Reader<'_>) -> Self {
        match reader.text("snapshot.compression.method").as_deref() {
            Some("gz") => SnapshotCompression::Gzip,
            Some("snappy") => SnapshotCompression::Snappy,
            _ => SnapshotCompression::None,
        }
    }
}

impl Storage {
    /// The marker beside `myid` of a directory that was prepared for a first start.
    pub fn initialize_file(&self) -> PathBuf {
        self.data_log_dir.join("initialize")
    }

    /// The file with this server's number.
    pub fn my_id_file(&self) -> PathBuf {
        self.data_dir.join("myid")
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let data_dir = directory(reader, "dataDir");
        if !reader.is_set("dataDir") {
            reader.error(
                "dataDir",
                "is not set; add a line dataDir=/var/lib/zookeeper",
            );
        }
        let data_dir = data_dir.unwrap_or_default();
        let data_log_dir = directory(reader, "dataLogDir").unwrap_or_else(|| data_dir.clone());
        let force_sync = reader.flag("forceSync");
        if !force_sync {
            reader.warn("forceSync", "writes are acknowledged before they are on the disk; a crash of the machine can lose them");
        }
        let purge_interval = reader.interval("autopurge.purgeInterval");
        Storage {
            data_dir,
            data_log_dir,
            snap_count: reader.count_at_least("snapCount", 2),
            snap_size_limit_bytes: reader.bytes_limit("snapSizeLimitInKb"),
            log_size_limit_bytes: reader.bytes_limit("txnLogSizeLimitInKb"),
            pre_alloc_bytes: reader.bytes("preAllocSize"),
            force_sync,
            slow_sync: reader.duration("fsync.warningthresholdms"),
            compression: SnapshotCompression::read(reader),
            trust_empty_snapshot: reader.flag("snapshot.trust.empty"),
            accept_lost_mark: reader.flag("grevy.acceptLostMark"),
            cut_unmarked_tail: reader.flag("grevy.cutUnmarkedTail"),
            create_directories: reader.flag("datadir.autocreate"),
            create_database: reader.flag("db.autocreate"),
            digest: reader.flag("digest.enabled"),
            last_zxid_block: reader.flag("serializeLastProcessedZxid.enabled"),
            close_session_paths: reader.flag("closeSessionTxn.enabled"),
            purge_interval: Some(purge_interval).filter(|interval| !interval.is_zero()),
            retained_snapshots: reader.count_at_least("autopurge.snapRetainCount", 3),
            commit_log_count: reader.count_at_least("commitLogCount", 500),
            snapshot_size_factor: reader.float("snapshotSizeFactor"),
        }
    }
}

/// A relative path depends on where the server is started, so it must look intended.
fn directory(reader: &mut Reader<'_>, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text(name)?);
    if path.is_relative() && !path.starts_with(Path::new(".")) && !path.as_os_str().is_empty() {
        let text = format!(
            "{} is relative to where the server is started; write an absolute path, or put ./ in front if that is meant",
            path.display()
        );
        reader.warn(name, text);
    }
    Some(path)
}
