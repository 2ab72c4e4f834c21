//! Snapshots while serving: a slice of the tree at a time, each short enough that no request
//! feels it, and the disk's part outside of any lock.

use crate::shared::Shared;
use grevy_storage::{Compression, Disk, SnapshotWriter, purge};
use grevy_tree::SnapshotInfo;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{error, info};

/// Znodes that are serialised at a time while others wait for the tree.
const SLICE: usize = 256;
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
    pub fn start_thread(shared: Arc<Shared>, disk: Arc<dyn Disk>) -> std::io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || {
                for info in received {
                    snapshot(&shared, &disk, info);
                    shared.with_node(|node, _| node.snapshot_done());
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

fn snapshot(shared: &Shared, disk: &Arc<dyn Disk>, info: SnapshotInfo) {
    let start = Instant::now();
    match write(shared, disk, info) {
        Ok(Some(path)) => info!(
            "wrote {} ({} znodes) in {} ms",
            path.display(),
            info.znodes,
            start.elapsed().as_millis()
        ),
        Ok(None) => {}
        Err(error) => {
            // The log goes on, and so does the server; the next snapshot is tried in its time.
            error!("no snapshot was written: {error}; older ones and the log are complete");
            shared.tree.write().abandon_snapshot();
        }
    }
}

/// `None`: given up because the server stops.
fn write(
    shared: &Shared,
    disk: &Arc<dyn Disk>,
    info: SnapshotInfo,
) -> Result<Option<PathBuf>, grevy_storage::SnapshotError> {
    let dirs = shared.dirs();
    let digest = shared.config.storage.digest.then_some(info.digest);
    let mut writer = SnapshotWriter::begin(disk, &dirs.snap_dir, info.zxid, Compression::None)?;
    let mut bytes = Vec::with_capacity(WRITE + (64 << 10));
    loop {
        let more = shared.tree.write().snapshot_slice(SLICE, &mut bytes);
        if bytes.len() >= WRITE || !more {
            writer.write(&bytes)?;
            bytes.clear();
        }
        if !more {
            let digest = digest.map(|digest| (info.zxid, digest));
            return writer.finish(digest, Some(info.zxid)).map(Some);
        }
        if shared.is_stopping() {
            shared.tree.write().abandon_snapshot();
            writer.abandon();
            return Ok(None);
        }
    }
}

/// Deletes snapshots and logs that are not needed, now and then.
pub async fn purge(shared: Arc<Shared>, disk: Arc<dyn Disk>, every: Duration) {
    while !shared.is_stopping() {
        let keep = shared.config.storage.retained_snapshots as usize;
        let dirs = shared.dirs();
        match purge::purge(&*disk, &dirs, keep) {
            Ok(purged) => {
                for path in purged {
                    info!("deleted {}: newer snapshots make it needless", path.display());
                }
            }
            Err(error) => error!("could not delete old snapshots and logs: {error}"),
        }
        tokio::time::sleep(every).await;
    }
}
