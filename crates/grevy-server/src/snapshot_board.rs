//! What became of snapshots: whoever writes one says so here, whoever waits for one looks here.

use grevy_proto::Zxid;
use std::path::PathBuf;
use tokio::sync::watch;

/// A snapshot that is complete and on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its file.
    pub path: PathBuf,
    /// The last transaction in it.
    pub zxid: Zxid,
    /// When it was written, in ms since 1970.
    pub wall_ms: i64,
}

/// What is known of snapshots at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many tries have ended, well or not, since the start.
    pub tries: u64,
    /// Why the last one failed, if it did.
    pub error: Option<String>,
    /// The newest snapshot: the one that was loaded at the start, or a later one.
    pub newest: Option<Written>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct SnapshotBoard(watch::Sender<Outcome>);

impl SnapshotBoard {
    /// A snapshot was found at the start and loaded.
    pub fn loaded(&self, snapshot: Written) {
        self.0
            .send_modify(|outcome| outcome.newest = Some(snapshot));
    }

    /// A snapshot was written.
    pub fn written(&self, snapshot: Written) {
        self.0.send_modify(|outcome| {
            outcome.tries += 1;
            outcome.error = None;
            outcome.newest = Some(snapshot);
        });
    }

    /// A snapshot could not be written, or was given up.
    pub fn failed(&self, why: String) {
        self.0.send_modify(|outcome| {
            outcome.tries += 1;
            outcome.error = Some(why);
        });
    }

    /// What is known now.
    pub fn outcome(&self) -> Outcome {
        self.0.borrow().clone()
    }

    /// Hears of every change.
    pub fn subscribe(&self) -> watch::Receiver<Outcome> {
        self.0.subscribe()
    }
}
