//! Snapshots of exactly one zxid, taken in slices while transactions go on being applied.

use crate::tree::Tree;
use alloc::vec::Vec;
use grevy_proto::Zxid;

/// What a snapshot that was begun will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The last transaction in it.
    pub zxid: Zxid,
    /// The tree's digest after that transaction; 0 if digests are off.
    pub digest: i64,
    /// How many znodes it has.
    pub znodes: usize,
}

impl Tree {
    /// Begins a snapshot of the tree as it is now. One that was under way is abandoned.
    pub fn start_snapshot(&mut self) -> SnapshotInfo {
        todo!()
    }

    /// Appends the next part of the body, about `max_znodes` znodes, to `out`. Returns whether
    /// there is more to come.
    pub fn snapshot_slice(&mut self, max_znodes: usize, out: &mut Vec<u8>) -> bool {
        let _ = (max_znodes, out);
        todo!()
    }

    /// Ends a snapshot before it is complete.
    pub fn abandon_snapshot(&mut self) {
        todo!()
    }
}
