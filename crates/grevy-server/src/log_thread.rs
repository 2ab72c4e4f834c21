//! The thread that writes the log. It alone waits for the disk; what queues up meanwhile goes
//! out with its next sync.

mod rewrite;

use crate::log_queue::LogItem;
use crate::peers::config_files::ConfigFiles;
use crate::shared::Shared;
use crate::snapshot_thread::Snapshotter;
use grevy_proto::{Epoch, Zxid};
use grevy_storage::epochs::EpochError;
use grevy_storage::{Epochs, Log, LogError};
use rewrite::{RewriteError, Truncated};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// After this time without work the durable mark is synced too.
const IDLE: Duration = Duration::from_millis(20);
/// While the log is busy, the mark is synced this often.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// So many items at once are a sign that more are coming.
const MANY: usize = 8;
/// Nothing to wait for but work.
const FOREVER: Duration = Duration::from_secs(3600);

/// What the thread writes to.
pub struct Files {
    /// The log.
    pub log: Log,
    /// The epochs, which must not fall behind the log's.
    pub epochs: Epochs,
}

/// The other threads, and what is written beside the log.
pub struct Helpers {
    /// Writes snapshots.
    pub snapshotter: Snapshotter,
    /// The files with the ensemble's configuration; `None`: they are not to be changed.
    pub config_files: Option<ConfigFiles>,
}

/// Why nothing more can be written.
#[derive(Debug)]
enum Failure {
    Log(LogError),
    Epoch(EpochError),
    Rewrite(RewriteError),
    Thread(std::io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Epoch(error) => error.fmt(f),
            Self::Rewrite(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "no thread can be made: {error}"),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<EpochError> for Failure {
    fn from(error: EpochError) -> Self {
        Self::Epoch(error)
    }
}

impl From<RewriteError> for Failure {
    fn from(error: RewriteError) -> Self {
        Self::Rewrite(error)
    }
}

/// Writes until the queue says stop or the disk fails. Returns whether everything is durable.
pub fn run(shared: &Arc<Shared>, mut files: Files, helpers: &mut Helpers) -> bool {
    let mut batch = Vec::new();
    // Since when the mark in memory is ahead of the one that would survive a power cut.
    let mut unsynced_since: Option<Instant> = None;
    let mut are_many = false;
    loop {
        batch.clear();
        let patience = unsynced_since.map_or(FOREVER, |_| IDLE);
        let is_idle = !shared.log.take(&mut batch, patience, are_many);
        are_many = batch.len() >= MANY;
        if unsynced_since.is_some_and(|since| is_idle || since.elapsed() > MARK_INTERVAL) {
            if let Err(error) = files.log.sync_mark() {
                shared.storage_failed(error.to_string());
                return false;
            }
            unsynced_since = None;
        }
        if is_idle {
            continue;
        }
        match write(shared, files, helpers, batch.drain(..)) {
            Ok((kept, Next::GoOn)) => {
                files = kept;
                unsynced_since.get_or_insert_with(Instant::now);
            }
            Ok((kept, Next::Stop)) => {
                return match close(kept) {
                    Ok(()) => true,
                    Err(error) => {
                        error!("the log was not closed in order: {error}");
                        false
                    }
                };
            }
            Err(error) => {
                shared.storage_failed(error.to_string());
                return false;
            }
        }
    }
}

/// Leaves what any server can start with.
fn close(mut files: Files) -> Result<(), Failure> {
    files.epochs.catch_up(files.log.last_zxid())?;
    Ok(files.log.close()?)
}

/// What has been written and is not durable.
#[derive(Clone, Copy)]
struct Unsynced {
    last: Zxid,
    entries: u64,
}

enum Next {
    GoOn,
    Stop,
}

/// Writes a batch, makes it durable, and only then reports it.
fn write(
    shared: &Arc<Shared>,
    mut files: Files,
    helpers: &mut Helpers,
    batch: impl Iterator<Item = LogItem>,
) -> Result<(Files, Next), Failure> {
    let mut unsynced = None;
    let mut next = Next::GoOn;
    // Entries that were to follow a truncation that cannot be.
    let mut drops_entries = false;
    for item in batch {
        match item.is_entry() {
            true if drops_entries => continue,
            true => {}
            // All else relies on what was appended before it.
            false => commit(shared, &mut files.log, unsynced.take())?,
        }
        match item {
            LogItem::Append { zxid, entry } => {
                // A server that runs alone begins an epoch when the last one's counter is used
                // up; the files must say so before a record of it is in the log.
                if shared.is_alone() && zxid.epoch() > files.epochs.current() {
                    save_epochs(&mut files.epochs, zxid.epoch(), zxid.epoch())?;
                }
                files.log.append(zxid, &entry)?;
                let entries = unsynced.map_or(0, |unsynced: Unsynced| unsynced.entries);
                unsynced = Some(Unsynced {
                    last: zxid,
                    entries: entries + 1,
                });
            }
            LogItem::Snapshot(info) => {
                files.log.roll()?;
                helpers.snapshotter.start(info);
            }
            LogItem::SaveEpochs { accepted, current } => {
                save_epochs(&mut files.epochs, accepted, current)?;
                let now = shared.clock.now();
                shared.with_node(|node, _| node.epochs_saved(now, accepted, current));
            }
            LogItem::Truncate { to, rebuild } => {
                (files, drops_entries) = match rewrite::truncate(shared, files, to, rebuild)? {
                    Truncated::Done(files) => (files, false),
                    Truncated::Refused(files) => (files, true),
                };
            }
            LogItem::Install(received, kept) => {
                rewrite::install(shared, &mut files, *received, &kept)?;
            }
            LogItem::Read { link, after, until } => {
                rewrite::read(shared, link, after, until).map_err(Failure::Thread)?;
            }
            LogItem::Configure {
                committed,
                proposed,
            } => {
                if let Some(files) = &mut helpers.config_files {
                    files.configured(&committed, proposed.as_deref());
                }
            }
            LogItem::Stop => next = Next::Stop,
        }
    }
    commit(shared, &mut files.log, unsynced)?;
    Ok((files, next))
}

/// The promise to a leader comes before that one's history is taken over.
fn save_epochs(epochs: &mut Epochs, accepted: Epoch, current: Epoch) -> Result<(), EpochError> {
    if accepted != epochs.accepted() {
        epochs.set_accepted(accepted)?;
    }
    if current != epochs.current() {
        epochs.set_current(current)?;
    }
    Ok(())
}

fn commit(shared: &Arc<Shared>, log: &mut Log, unsynced: Option<Unsynced>) -> Result<(), LogError> {
    let Some(Unsynced { last, entries }) = unsynced else {
        return Ok(());
    };
    let start = Instant::now();
    log.commit()?;
    let took = start.elapsed();
    shared.metrics.fsync_time.add(took);
    shared.metrics.batch_size.add(entries);
    if took > shared.config.storage.slow_sync {
        shared.slow_syncs.add(1);
        warn!(
            "syncing the log took {} ms, which delays every write (fsync.warningthresholdms); \
             is the disk shared or failing?",
            took.as_millis()
        );
    }
    let now = shared.clock.now();
    shared.with_node(|node, _| node.log_synced(now, last));
    Ok(())
}

/// Says what an unusual setting means, once, at the start.
pub fn announce(shared: &Shared) {
    if !shared.config.storage.force_sync {
        warn!(
            "forceSync=no: writes are acknowledged before they are durable; a power cut can lose \
             them"
        );
    } else {
        info!("writes are acknowledged when they are durable");
    }
}
