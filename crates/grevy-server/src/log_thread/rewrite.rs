//! What a leader does to the history of a learner: takes its end back, or replaces all of it.
//! And what a leader reads back of its own history for a learner.

use super::Files;
use crate::peers::quorum::Received;
use crate::recovery::{self, RecoverError};
use crate::shared::Shared;
use crate::snapshot_board::Written;
use grevy_proto::Zxid;
use grevy_storage::log::TruncateError;
use grevy_storage::{DiskError, LogError};
use grevy_zab::{Entry, LinkId};
use std::fmt;
use std::io;
use std::sync::Arc;
use tracing::{info, warn};

/// The most that is read back for one learner, in bytes. More than that is sent as a snapshot.
const MAX_READ: u64 = 64 << 20;
/// And the least that may be read, however small the snapshot: a learner that is sent a snapshot
/// has to send its clients away.
const MIN_READ: u64 = 4 << 20;

/// Why a history could not be rewritten.
#[derive(Debug)]
pub(super) enum RewriteError {
    Truncate(Zxid, LogError),
    Rebuild(RecoverError),
    Install(DiskError),
    Log(LogError),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncate(to, error) => {
                write!(f, "cannot take back the transactions above {to}: {error}")
            }
            Self::Rebuild(error) => {
                write!(f, "cannot build the state anew from the storage: {error}")
            }
            Self::Install(error) => write!(f, "cannot take over the leader's snapshot: {error}"),
            Self::Log(error) => error.fmt(f),
        }
    }
}

/// What became of a truncation, with the files as they are.
pub(super) enum Truncated {
    Done(Files),
    /// Nothing leads to the state that was to be the last.
    Refused(Files),
}

/// Takes back all transactions above `to`.
pub(super) fn truncate(
    shared: &Shared,
    mut files: Files,
    to: Zxid,
    rebuild: bool,
) -> Result<Truncated, RewriteError> {
    let quiet = shared.stop_snapshot();
    let refused = match shared.store.truncate(&mut files.log, to) {
        Ok(()) => None,
        Err(TruncateError::Log(error)) => return Err(RewriteError::Truncate(to, error)),
        Err(refused) => Some(refused),
    };
    if rebuild || refused.is_some() {
        // Whoever recovers opens the files anew.
        drop(files);
        let config = shared.tree.read().config().clone();
        let recovered = recovery::rebuild(&shared.config, &shared.store, config);
        let (tree, reopened) = recovered.map_err(RewriteError::Rebuild)?;
        files = reopened;
        shared.replace_tree(tree);
    }
    drop(quiet);
    let now = shared.clock.now();
    let Some(refused) = refused else {
        shared.with_node(|node, _| node.truncated(now, to));
        return Ok(Truncated::Done(files));
    };
    let why = format!(
        "the transactions above {to} cannot be taken back, and a snapshot is asked for: {refused}"
    );
    let last = shared.tree.read().last_zxid();
    shared.with_node(|node, _| {
        // Whatever the node says from here on knows of this.
        shared.log.forget_entries();
        node.truncation_refused(now, last, &why);
    });
    Ok(Truncated::Refused(files))
}

/// Makes a leader's snapshot the base of the history, and its state the server's.
pub(super) fn install(
    shared: &Shared,
    files: &mut Files,
    received: Received,
    kept: &[Entry],
) -> Result<(), RewriteError> {
    let quiet = shared.stop_snapshot();
    let Received { zxid, tree, file } = received;
    let file = file.install().map_err(RewriteError::Install)?;
    let kept = kept.iter().map(|entry| (entry.zxid, &*entry.bytes));
    let installed = shared.store.installed(&mut files.log, zxid, kept);
    installed.map_err(RewriteError::Log)?;
    info!(
        "took over the leader's state at {zxid} ({} znodes) into {}",
        tree.znode_count(),
        file.path.display()
    );
    shared.replace_tree(tree);
    drop(quiet);
    let now = shared.clock.now();
    shared.snapshots.written(Written {
        path: file.path,
        zxid,
        wall_ms: now.wall_ms,
    });
    shared.with_node(|node, _| node.snapshot_installed(now, zxid));
    Ok(())
}

/// Reads transactions back, in a thread of its own: no commit is to wait for it.
pub(super) fn read(shared: &Arc<Shared>, link: LinkId, after: Zxid, until: Zxid) -> io::Result<()> {
    let shared = shared.clone();
    std::thread::Builder::new()
        .name("read-log".to_owned())
        .spawn(move || {
            let found = shared.store.read_log(after, until, read_limit(&shared));
            let entries = found.unwrap_or_else(|error| {
                warn!("cannot read the log back for a learner: {error}");
                None
            });
            let entry = |(zxid, bytes)| Entry { zxid, bytes };
            let entries = entries.map(|entries| entries.into_iter().map(entry).collect());
            let now = shared.clock.now();
            shared.with_node(|node, _| node.log_read(now, link, entries));
        })?;
    Ok(())
}

/// A part of the newest snapshot's size (`snapshotSizeFactor`): from there on, sending that is
/// cheaper. 0 stands for no limit.
fn read_limit(shared: &Shared) -> u64 {
    let factor = shared.config.storage.snapshot_size_factor;
    if factor == 0.0 {
        return MAX_READ;
    }
    let newest = shared.snapshots.outcome().newest;
    let size = newest.and_then(|newest| newest.path.metadata().ok());
    let size = size.map_or(0, |metadata| metadata.len());
    ((size as f64 * factor) as u64).clamp(MIN_READ, MAX_READ)
}
