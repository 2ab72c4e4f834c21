//! The thread that writes the log. It alone waits for the disk; what queues up meanwhile goes
//! out with its next sync.

use crate::log_queue::LogItem;
use crate::shared::Shared;
use crate::snapshot_thread::Snapshotter;
use grevy_proto::Zxid;
use grevy_storage::{Log, LogError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// After this time without work the durable mark is synced too.
const IDLE: Duration = Duration::from_millis(20);
/// While the log is busy, the mark is synced this often.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// Nothing to wait for but work.
const FOREVER: Duration = Duration::from_secs(3600);

/// Writes until the queue says stop or the disk fails. Returns whether everything is durable.
pub fn run(shared: &Arc<Shared>, mut log: Log, snapshotter: &Snapshotter) -> bool {
    let mut batch = Vec::new();
    // Since when the mark in memory is ahead of the one that would survive a power cut.
    let mut unsynced_since: Option<Instant> = None;
    loop {
        batch.clear();
        let patience = unsynced_since.map_or(FOREVER, |_| IDLE);
        let is_idle = !shared.log.take(&mut batch, patience);
        if unsynced_since.is_some_and(|since| is_idle || since.elapsed() > MARK_INTERVAL) {
            if let Err(error) = log.sync_mark() {
                shared.storage_failed(error.to_string());
                return false;
            }
            unsynced_since = None;
        }
        if is_idle {
            continue;
        }
        match write(shared, &mut log, snapshotter, &batch) {
            Ok(Next::GoOn) => {
                unsynced_since.get_or_insert_with(Instant::now);
            }
            Ok(Next::Stop) => {
                return match log.close() {
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
    log: &mut Log,
    snapshotter: &Snapshotter,
    batch: &[LogItem],
) -> Result<Next, LogError> {
    let mut unsynced = None;
    let mut next = Next::GoOn;
    for item in batch {
        match item {
            LogItem::Append { zxid, entry } => {
                log.append(*zxid, entry)?;
                let entries = unsynced.map_or(0, |unsynced: Unsynced| unsynced.entries);
                unsynced = Some(Unsynced {
                    last: *zxid,
                    entries: entries + 1,
                });
            }
            LogItem::Snapshot(info) => {
                commit(shared, log, unsynced.take())?;
                log.roll()?;
                snapshotter.start(*info);
            }
            LogItem::Stop => next = Next::Stop,
        }
    }
    commit(shared, log, unsynced)?;
    Ok(next)
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
    shared.with_node(|node, _| node.log_synced(last));
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
