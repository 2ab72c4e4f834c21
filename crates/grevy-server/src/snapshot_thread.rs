//! Snapshots while serving: a slice of the tree at a time, each short enough that no request
//! feels it, and the disk's part outside of any lock.

use crate::recovery;
use crate::setup;
use crate::shared::Shared;
use crate::snapshot_board::Written;
use grevy_storage::DiskError;
use grevy_storage::snapshot::SnapshotFile;
use grevy_tree::SnapshotInfo;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{error, info};

/// Znodes that are serialised at a time while others wait for the tree.
const SLICE: usize = 256;
/// How long the tree is left alone after a slice, in times of what the slice took.
const REST: u32 = 4;
/// Bytes that are collected before they are written.
const WRITE: usize = 1 << 20;

/// Starts snapshots; the thread behind it writes one at a time.
#[derive(Debug)]
pub struct Snapshotter {
    orders: mpsc::Sender<SnapshotInfo>,
    thread: JoinHandle<()>,
}

impl Snapshotter {
    /// Starts the thread.
    pub fn start_thread(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || {
                for info in received {
                    let written = snapshot(&shared, info);
                    let now = shared.clock.now();
                    shared.with_node(|node, _| node.snapshot_done(now, written));
                }
            })?;
        Ok(Self { orders, thread })
    }

    /// Has a snapshot written that the tree has begun.
    pub fn start(&self, info: SnapshotInfo) {
        // The thread ends only after this sender is gone.
        let _ = self.orders.send(info);
    }

    /// Waits for the last snapshot. One that is being written is given up.
    pub fn stop(self) {
        drop(self.orders);
        let _ = self.thread.join();
    }
}

/// Returns whether it is there.
fn snapshot(shared: &Shared, info: SnapshotInfo) -> bool {
    let start = Instant::now();
    let result = write(shared, info);
    let written = matches!(result, Ok(Some(_)));
    match result {
        Ok(Some(file)) => {
            let took = start.elapsed();
            info!(
                "wrote {} ({} znodes, {} bytes) in {} ms",
                file.path.display(),
                info.znodes,
                file.bytes,
                took.as_millis()
            );
            shared.metrics.snapshot_time.add(took);
            shared.snapshots.written(Written {
                path: file.path,
                zxid: info.zxid,
                wall_ms: shared.clock.now().wall_ms,
            });
        }
        Ok(None) => {
            let why = match shared.is_stopping() {
                true => "the server stops",
                false => "the state is replaced by the leader's",
            };
            shared.snapshots.failed(why.to_owned());
        }
        Err(error) => {
            shared.metrics.snapshot_errors.add(1);
            shared.snapshots.failed(error.to_string());
            // The log goes on, and so does the server; the next snapshot is tried in its time.
            error!("no snapshot was written: {error}; older ones and the log are complete");
            shared.tree.write().abandon_snapshot();
        }
    }
    written
}

/// `None`: given up because the server stops, or because the state is about to be replaced.
fn write(shared: &Shared, info: SnapshotInfo) -> Result<Option<SnapshotFile>, DiskError> {
    // Until this is over, the history is not rewritten.
    let _writing = shared.snapshot_lock.lock();
    let mut writer = shared
        .store
        .snapshot(info.zxid, setup::compression(&shared.config))?;
    let mut bytes = Vec::with_capacity(WRITE + (64 << 10));
    loop {
        let more = {
            let mut tree = shared.tree.write();
            if !tree.is_taking_snapshot() {
                drop(tree);
                writer.abort()?;
                return Ok(None);
            }
            let start = Instant::now();
            let more = tree.snapshot_slice(SLICE, &mut bytes);
            let took = start.elapsed();
            drop(tree);
            std::thread::sleep(took * REST);
            more
        };
        if bytes.len() >= WRITE || !more {
            if let Err(error) = writer.write(&bytes) {
                // Best effort: the next start removes it, too.
                let _ = writer.abort();
                return Err(error);
            }
            bytes.clear();
        }
        if !more {
            let trailers = recovery::trailers(&shared.config.storage, info.zxid, info.digest);
            return writer.finish(trailers).map(Some);
        }
        if shared.is_stopping() {
            shared.tree.write().abandon_snapshot();
            writer.abort()?;
            return Ok(None);
        }
    }
}

/// Deletes snapshots and logs that are not needed, now and then.
pub async fn purge(shared: Arc<Shared>, every: Duration) {
    while !shared.is_stopping() {
        let purging = shared.clone();
        let purge = move || {
            let retained = purging.config.storage.retained_snapshots;
            purging.store.purge(retained as usize)
        };
        // Whoever waits for the disk keeps others waiting.
        match tokio::task::spawn_blocking(purge).await {
            Ok(Ok(purged)) => {
                for path in purged.removed {
                    info!("deleted {}: newer files make it needless", path.display());
                }
            }
            Ok(Err(error)) => error!("could not delete old snapshots and logs: {error}"),
            Err(error) => error!("deleting old snapshots and logs failed: {error}"),
        }
        tokio::time::sleep(every).await;
    }
}
