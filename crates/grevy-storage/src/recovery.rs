//! Brings back the history of a server from its directories, or says why it must not.
//! Source: `FileTxnSnapLog.restore`, `FileSnap.deserialize`, `QuorumPeer.loadDataBase`.
//!
//! The newest snapshot that is whole, then every record behind it. What was never acknowledged
//! is cut away; what was, and is damaged or missing, is a [`RecoveryError`]: a server that went
//! on without it would vote with a history that it no longer has. Nothing is changed on disk
//! before it is certain that the server may start.

mod damage;
mod found;
mod repair;
mod replay;
mod start;

pub use damage::{Damage, RecoveryError};
pub use found::{Note, Recovered, Start};

pub(crate) use start::{Place, examine, recover};

use crate::snapshot::Fed;
use grevy_proto::Zxid;
use std::fmt;

/// Builds the state from what recovery finds.
pub trait Recover {
    /// A state begins, from nothing; what was built before is to be forgotten. `zxid` is that of
    /// the snapshot which follows, or `None` for an empty tree.
    fn begin(&mut self, zxid: Option<Zxid>);

    /// About how many bytes the body of the snapshot has that has just begun, if that can be told.
    fn snapshot_len(&mut self, _len: u64) {}

    /// The next bytes of the snapshot's body: sessions, ACL table, nodes. Chunks end anywhere.
    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected>;

    /// The next transaction, a [`TxnEntry`](grevy_proto::txn::TxnEntry). They come in order and
    /// without holes.
    fn txn(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Rejected>;
}

/// What the state's builder could not make sense of, in words that fit behind a colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected(pub String);

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Rejected {}
