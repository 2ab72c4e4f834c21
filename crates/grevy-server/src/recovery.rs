//! From the files to the state: the storage reads, the tree is built.

mod build;

use crate::config::{Config, Storage};
use crate::log_thread::Files;
use crate::metrics::ServerMetrics;
use crate::setup;
use crate::snapshot_board::{SnapshotBoard, Written};
use build::{Plan, build};
use grevy_proto::{Epoch, Zxid};
use grevy_storage::recovery::Start;
use grevy_storage::snapshot::Trailers;
use grevy_storage::{Disk, DiskError, OpenOptions, Opened, Recover, RecoveryError, Store};
use grevy_tree::{Tree, TreeConfig};
use grevy_zab::{Entry, Standing};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// What a server starts with.
pub struct Recovery {
    /// The state.
    pub tree: Tree,
    /// The directories.
    pub store: Store,
    /// The log and the epochs, ready for the next transaction.
    pub files: Files,
    /// The last transactions, for learners; none for a server that runs alone.
    pub recent: Vec<Entry>,
    /// Whether a member of an ensemble may vote with what was found.
    pub standing: Standing,
    /// How it went.
    pub startup: Startup,
}

/// How a recovery went, for operators.
#[derive(Debug, Clone)]
pub struct Startup {
    /// How long it took.
    pub took: Duration,
    /// How long reading the snapshot took.
    pub snapshot_took: Duration,
    /// How many transactions were replayed.
    pub log_entries: u64,
    /// The snapshot that was loaded, or the first one ever.
    pub snapshot: Option<Written>,
    /// Whether the state has the digest that its last transaction names.
    pub digest_matches: bool,
}

impl Startup {
    /// Notes it where operators look.
    pub fn report(self, metrics: &ServerMetrics, snapshots: &SnapshotBoard) {
        metrics.startup_load_time.add(self.took);
        metrics.startup_snapshot_load_time.add(self.snapshot_took);
        let replay = self.took.saturating_sub(self.snapshot_took);
        metrics.startup_log_load_time.add(replay);
        metrics.startup_log_entries.add(self.log_entries);
        metrics
            .digest_mismatches
            .add(u64::from(!self.digest_matches));
        if let Some(snapshot) = self.snapshot {
            snapshots.loaded(snapshot);
        }
    }
}

/// Why there is no state to start with.
#[derive(Debug)]
pub enum RecoverError {
    /// The storage refuses.
    Storage(RecoveryError),
    /// There is no thread to read with.
    Thread(io::Error),
    /// The first snapshot of an empty server could not be written.
    FirstSnapshot(DiskError),
    /// The server has no data, and is not allowed to begin without.
    NoData,
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Thread(error) => write!(
                f,
                "cannot start a thread to read the files: {error}; look for a limit of processes \
                 or memory"
            ),
            Self::FirstSnapshot(error) => write!(f, "cannot write the first snapshot: {error}"),
            Self::NoData => f.write_str(
                "there is no data, and db.autocreate=false keeps a server from beginning without; \
                 create a file named initialize in the data directory if this server is new",
            ),
        }
    }
}

impl std::error::Error for RecoverError {}

/// Opens the directories and rebuilds the state that was durable.
pub fn recover(config: &Config, disk: Arc<dyn Disk>, seed: u64) -> Result<Recovery, RecoverError> {
    let start = Instant::now();
    let options = OpenOptions {
        log: setup::log_options(config),
        create_dirs: config.storage.create_directories,
        create_db: config.storage.create_database,
        trust_empty: config.storage.trust_empty_snapshot,
        cut_unmarked_tail: config.storage.cut_unmarked_tail,
        member: config.membership.is_some(),
        accept_lost_mark: config.storage.accept_lost_mark,
    };
    let dirs = setup::dirs(config);
    let tree_config = setup::tree_config(config, seed);
    let plan = plan(config, tree_config.clone());
    let read = |visitor: &mut dyn Recover| Store::open(disk, dirs, options, visitor);
    let (opened, built) = build(plan, read).map_err(RecoverError::Thread)?;
    let Opened {
        store,
        log,
        epochs,
        recovered,
    } = opened.map_err(RecoverError::Storage)?;
    for note in &recovered.notes {
        warn!("{note}");
    }
    let snapshot_took = built.loaded.map_or(Duration::ZERO, |at| at - start);
    let mut digest_matches = true;
    let (tree, loaded, standing) = match recovered.start {
        Start::Unknown if config.membership.is_none() => return Err(RecoverError::NoData),
        Start::Unknown => {
            warn!(
                "there is no data, although this server has served before; it does not vote until \
                 a leader has filled it"
            );
            (Tree::new(tree_config), None, Standing::Abstaining)
        }
        Start::Empty => {
            let (tree, first) = begin(config, &store, tree_config)?;
            (tree, Some(first), Standing::Empty)
        }
        Start::History { snapshot, zxid } => {
            let loaded = match snapshot {
                Some((path, zxid, _)) => written(path, zxid),
                // The log was trusted. What it begins with is put beside it, so that the next start
                // needs no trust. A snapshot of the end might have what is taken back.
                None => begin(config, &store, tree_config.clone())?.1,
            };
            let standing = standing(zxid, epochs.accepted());
            let mut tree;
            (tree, digest_matches) = built.tree.unwrap_or_else(|| (Tree::new(tree_config), true));
            finish_with_warnings(&mut tree);
            (tree, Some(loaded), standing)
        }
    };
    let standing = match recovered.is_new {
        true => Standing::New,
        false => standing,
    };
    if !digest_matches {
        warn!(
            "the state does not have the digest that its last transaction names: it differs from \
             what the server had that wrote it; compare it with another copy"
        );
    }
    info!(
        "recovered {} znodes up to zxid {}, {} transactions of them from the log, in {} ms",
        tree.znode_count(),
        tree.last_zxid(),
        recovered.txns,
        start.elapsed().as_millis()
    );
    let startup = Startup {
        took: start.elapsed(),
        snapshot_took,
        log_entries: recovered.txns,
        snapshot: loaded,
        digest_matches,
    };
    Ok(Recovery {
        tree,
        store,
        files: Files { log, epochs },
        recent: built.recent.into(),
        standing,
        startup,
    })
}

/// An empty tree, and the snapshot of it that is written beside the log.
fn begin(
    config: &Config,
    store: &Store,
    tree_config: TreeConfig,
) -> Result<(Tree, Written), RecoverError> {
    let mut tree = Tree::new(tree_config);
    let path =
        write_first_snapshot(config, store, &mut tree).map_err(RecoverError::FirstSnapshot)?;
    let first = written(path, tree.last_zxid());
    Ok((tree, first))
}

/// Whether a member whose history ends at `last` may vote.
fn standing(last: Zxid, accepted: Epoch) -> Standing {
    match accepted {
        // A leader was about to fill it.
        accepted if accepted < last.epoch() => Standing::Abstaining,
        Epoch(0) if last == Zxid::ZERO => Standing::Empty,
        _ => Standing::Normal,
    }
}

/// Builds the state anew from directories that are open, after a truncation. What was opened
/// before must have been dropped.
pub fn rebuild(
    config: &Config,
    store: &Store,
    tree: TreeConfig,
) -> Result<(Tree, Files), RecoverError> {
    let plan = plan(config, tree.clone());
    let read = |visitor: &mut dyn Recover| store.recover(visitor);
    let (recovered, built) = build(plan, read).map_err(RecoverError::Thread)?;
    let (log, epochs, recovered) = recovered.map_err(RecoverError::Storage)?;
    for note in &recovered.notes {
        warn!("{note}");
    }
    match recovered.start {
        Start::History { .. } => {
            let (mut tree, _) = built.tree.unwrap_or_else(|| (Tree::new(tree), true));
            finish_with_warnings(&mut tree);
            Ok((tree, Files { log, epochs }))
        }
        Start::Empty | Start::Unknown => Err(RecoverError::NoData),
    }
}

/// What stands behind a snapshot's body, as the settings want it.
pub fn trailers(storage: &Storage, zxid: Zxid, digest: i64) -> Trailers {
    let last_zxid = zxid;
    match (storage.digest, storage.last_zxid_block) {
        (false, _) => Trailers::None,
        (true, false) => Trailers::Digest { zxid, digest },
        (true, true) => Trailers::All {
            zxid,
            digest,
            last_zxid,
        },
    }
}

/// A snapshot that is there, as its file says.
fn written(path: PathBuf, zxid: Zxid) -> Written {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    let modified = modified.unwrap_or_else(|_| SystemTime::now());
    let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Written {
        path,
        zxid,
        wall_ms: i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
    }
}

fn write_first_snapshot(
    config: &Config,
    store: &Store,
    tree: &mut Tree,
) -> Result<PathBuf, DiskError> {
    let info = tree.start_snapshot();
    let mut writer = store.snapshot(info.zxid, setup::compression(config))?;
    let mut body = Vec::new();
    while tree.snapshot_slice(usize::MAX, &mut body) {}
    writer.write(&body)?;
    // A digest block of an empty database says zero, as the Java server writes it.
    let file = writer.finish(trailers(&config.storage, info.zxid, 0))?;
    store.created()?;
    Ok(file.path)
}

fn plan(config: &Config, tree: TreeConfig) -> Plan {
    let keep = config.storage.commit_log_count as usize;
    Plan {
        tree,
        field_limit: setup::field_limit(config),
        keep: config.membership.as_ref().map_or(0, |_| keep),
    }
}

/// The state, put in order.
fn finish_with_warnings(tree: &mut Tree) {
    for path in tree.finish_recovery() {
        warn!("{path} has an access control list that no file holds; nobody may access it");
    }
    for orphan in tree.drop_orphan_ephemerals() {
        warn!(
            "deleted {}: its session {} does not exist",
            orphan.path, orphan.session
        );
    }
}
