//! Applying transactions.

use crate::change::Change;
use crate::tree::Tree;
use alloc::vec::Vec;
use grevy_proto::Stat;
use grevy_proto::txn::{Txn, TxnHeader};

/// What a reply needs to know of an applied transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Done, and there is nothing to add: deletes, checks, sessions.
    Done,
    /// Done; the znode's metadata afterwards: creates, setData, reconfig, setACL.
    Stat(Stat),
    /// A multi's parts, in order.
    Multi(Vec<AppliedOp>),
    /// Nothing was done, for this error code (a wire value, which a later leader may have made
    /// up): an error transaction, or a replayed one whose znode is there already or no longer.
    Error(i32),
}

/// The result of one part of a multi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedOp {
    /// An error code's wire value; 0 for success.
    pub error: i32,
    /// As in [`Applied::Stat`].
    pub stat: Option<Stat>,
}

impl Tree {
    /// Applies a transaction. Total: a transaction that does not fit the tree, as happens while
    /// a log is replayed over a fuzzy snapshot, leaves what the rules of replay say.
    pub fn apply(
        &mut self,
        header: &TxnHeader,
        txn: &Txn,
        changes: &mut dyn FnMut(Change<'_>),
    ) -> Applied {
        let _ = (header, txn, changes);
        todo!()
    }
}
