//! What a transaction changed, for watches to hear of.

use grevy_proto::Acl;

/// What happened to a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came into being; its parent's children changed.
    Created,
    /// It is gone; its parent's children changed.
    Deleted,
    /// It has new data.
    DataChanged,
}

/// One change of the tree, told in the order in which the Java server triggers its watches.
/// A transaction that is replayed and finds nothing to do tells none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// The znode's path.
    pub path: &'a str,
    /// The znode's list; as it was, if the znode is gone. Events go only to those who may read.
    pub acl: &'a [Acl],
    /// The parent's list; for the root, which has no parent, its own.
    pub parent_acl: &'a [Acl],
}
