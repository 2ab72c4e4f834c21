//! From the files to the state: the storage reads, the tree is built.

use crate::config::{Config, Storage};
use crate::log_thread::Files;
use crate::metrics::ServerMetrics;
use crate::setup;
use crate::snapshot_board::{SnapshotBoard, Written};
use grevy_proto::txn::TxnEntry;
use grevy_proto::{Decode, Epoch, Zxid};
use grevy_storage::recovery::Start;
use grevy_storage::snapshot::{Fed, Trailers};
use grevy_storage::{
    Disk, DiskError, OpenOptions, Opened, Recover, RecoveryError, Rejected, Store,
};
use grevy_tree::{Loader, Replay, Tree, TreeConfig};
use grevy_zab::{Entry, Standing};
use std::collections::VecDeque;
use std::fmt;
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
    /// The first snapshot of an empty server could not be written.
    FirstSnapshot(DiskError),
    /// The server has no data, and is not allowed to begin without.
    NoData,
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
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
        member: config.membership.is_some(),
        ..OpenOptions::default()
    };
    let mut builder = Builder::new(config, setup::tree_config(config, seed));
    let dirs = setup::dirs(config);
    let Opened {
        store,
        log,
        epochs,
        recovered,
    } = Store::open(disk, dirs, options, &mut builder).map_err(RecoverError::Storage)?;
    for note in &recovered.notes {
        warn!("{note}");
    }
    let snapshot_took = builder.loaded.map_or(Duration::ZERO, |at| at - start);
    let recent = std::mem::take(&mut builder.recent);
    let mut digest_matches = true;
    let (tree, loaded, standing) = match recovered.start {
        Start::Unknown if config.membership.is_none() => return Err(RecoverError::NoData),
        Start::Unknown => {
            warn!(
                "there is no data, although this server has served before; it does not vote until \
                 a leader has filled it"
            );
            (Tree::new(builder.config), None, Standing::Abstaining)
        }
        Start::Empty => {
            let mut tree = Tree::new(builder.config);
            let path = write_first_snapshot(config, &store, &mut tree)
                .map_err(RecoverError::FirstSnapshot)?;
            let first = written(path, tree.last_zxid());
            (tree, Some(first), Standing::Empty)
        }
        Start::History { snapshot, zxid } => {
            let loaded = match snapshot {
                Some((path, zxid, _)) => written(path, zxid),
                // The log was trusted. What it begins with is put beside it, so that the next start
                // needs no trust. A snapshot of the end might have what is taken back.
                None => {
                    let mut beginning = Tree::new(builder.config.clone());
                    let path = write_first_snapshot(config, &store, &mut beginning)
                        .map_err(RecoverError::FirstSnapshot)?;
                    written(path, beginning.last_zxid())
                }
            };
            let standing = standing(zxid, epochs.accepted());
            let tree;
            (tree, digest_matches) = builder.finish_with_warnings();
            (tree, Some(loaded), standing)
        }
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
        recent: recent.into(),
        standing,
        startup,
    })
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
    let mut builder = Builder::new(config, tree);
    let recovered = store.recover(&mut builder);
    let (log, epochs, recovered) = recovered.map_err(RecoverError::Storage)?;
    for note in &recovered.notes {
        warn!("{note}");
    }
    match recovered.start {
        Start::History { .. } => Ok((builder.finish_with_warnings().0, Files { log, epochs })),
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

/// Builds a tree from what recovery finds.
struct Builder {
    field_limit: usize,
    config: TreeConfig,
    state: State,
    /// When the snapshot had been read.
    loaded: Option<Instant>,
    /// The last transactions.
    recent: VecDeque<Entry>,
    /// How many of them are kept.
    keep: usize,
}

enum State {
    None,
    Loading(Box<Loader>),
    Loaded(Replay),
}

impl Builder {
    fn new(config: &Config, tree: TreeConfig) -> Self {
        let keep = config.storage.commit_log_count as usize;
        Self {
            field_limit: setup::field_limit(config),
            config: tree,
            state: State::None,
            loaded: None,
            recent: VecDeque::new(),
            keep: config.membership.as_ref().map_or(0, |_| keep),
        }
    }

    /// The state, put in order, and whether it has the digest that the log names last.
    fn finish_with_warnings(self) -> (Tree, bool) {
        let (mut tree, digest_matches) = match self.state {
            State::Loaded(replay) => replay.finish(),
            State::None | State::Loading(_) => (Tree::new(self.config), true),
        };
        for path in tree.finish_recovery() {
            warn!("{path} has an access control list that no file holds; nobody may access it");
        }
        for orphan in tree.drop_orphan_ephemerals() {
            warn!(
                "deleted {}: its session {} does not exist",
                orphan.path, orphan.session
            );
        }
        (tree, digest_matches)
    }

    /// Keeps a transaction for learners.
    fn remember(&mut self, zxid: Zxid, entry: &[u8]) {
        if self.keep > 0 {
            if self.recent.len() == self.keep {
                self.recent.pop_front();
            }
            let bytes = entry.into();
            self.recent.push_back(Entry { zxid, bytes });
        }
    }
}

impl Recover for Builder {
    fn begin(&mut self, zxid: Option<Zxid>) {
        // What an earlier attempt built must not take memory beside this one.
        self.state = State::None;
        self.recent.clear();
        self.state = match zxid {
            Some(zxid) => {
                let loader = Loader::new(self.config.clone(), zxid).field_limit(self.field_limit);
                State::Loading(Box::new(loader))
            }
            None => State::Loaded(Replay::new(Tree::new(self.config.clone()))),
        };
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        let State::Loading(loader) = &mut self.state else {
            return Err(Rejected("bytes behind the end of the body".to_owned()));
        };
        match loader.feed(chunk) {
            Ok(grevy_tree::Fed::More) => Ok(Fed::More),
            Ok(grevy_tree::Fed::Done(used)) => {
                if let State::Loading(loader) = std::mem::replace(&mut self.state, State::None) {
                    let tree = loader
                        .finish()
                        .map_err(|error| Rejected(error.to_string()))?;
                    self.state = State::Loaded(Replay::new(tree));
                    self.loaded = Some(Instant::now());
                }
                Ok(Fed::Done(used))
            }
            Err(error) => Err(Rejected(error.to_string())),
        }
    }

    fn txn(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Rejected> {
        self.remember(zxid, entry);
        let State::Loaded(replay) = &mut self.state else {
            return Err(Rejected(
                "a transaction before the state it changes".to_owned(),
            ));
        };
        let entry = TxnEntry::from_bytes(entry).map_err(|error| Rejected(error.to_string()))?;
        replay.push(entry);
        Ok(())
    }
}
