//! A znode as one looks at it.

use crate::ephemeral_type::EphemeralType;
use crate::tree::Tree;
use alloc::string::String;
use grevy_proto::{Acl, Stat, StatPersisted};

/// The number of an access control list in this tree. Equal numbers mean equal lists, as long
/// as no transaction is applied in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclId(pub i64);

impl AclId {
    /// Everybody may do everything; what built-in znodes have.
    pub const OPEN: Self = Self(-1);
}

/// A znode of a tree.
#[derive(Clone, Copy)]
pub struct Znode<'a> {
    tree: &'a Tree,
    id: u32,
}

impl<'a> Znode<'a> {
    /// Its data; null and empty are different things.
    pub fn data(&self) -> Option<&'a [u8]> {
        let _ = (self.tree, self.id);
        todo!()
    }

    /// Its metadata as clients see it.
    pub fn stat(&self) -> Stat {
        todo!()
    }

    /// Its metadata as it is kept.
    pub fn persisted(&self) -> StatPersisted {
        todo!()
    }

    /// Its access control list. Empty, which lets nobody do anything, if the list is missing
    /// from the snapshot that the tree was loaded from (ZOOKEEPER-4689).
    pub fn acl(&self) -> &'a [Acl] {
        todo!()
    }

    /// The number of its access control list.
    pub fn acl_id(&self) -> AclId {
        todo!()
    }

    /// Its children's names, in an order that the history of the tree defines.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        core::iter::empty()
    }

    /// How many children it has.
    pub fn child_count(&self) -> usize {
        todo!()
    }

    /// How many znodes are below it.
    pub fn descendant_count(&self) -> usize {
        todo!()
    }

    /// The CRC-32 that stands for it in the tree's digest; 0 below `/zookeeper` and if digests
    /// are off.
    pub fn node_digest(&self) -> u32 {
        todo!()
    }

    /// What kind of znode it is.
    pub fn kind(&self) -> EphemeralType {
        todo!()
    }

    /// Its name, the last part of its path; empty for the root.
    pub fn name(&self) -> &'a str {
        todo!()
    }

    /// Its path; `/` for the root.
    pub fn path(&self) -> String {
        todo!()
    }
}
