//! A znode as one looks at it.

use crate::acl_table;
use crate::ephemeral_type::EphemeralType;
use crate::tree::Tree;
use alloc::string::String;
use alloc::vec::Vec;
use grevy_proto::{Acl, SessionId, Stat, StatPersisted};

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
    pub(crate) fn new(tree: &'a Tree, id: u32) -> Self {
        Self { tree, id }
    }

    /// Its data; null and empty are different things.
    pub fn data(&self) -> Option<&'a [u8]> {
        self.tree.arena.data(self.id)
    }

    /// How many bytes of data it has.
    pub(crate) fn data_len(&self) -> usize {
        self.tree.arena.node(self.id).data_len()
    }

    /// Its metadata as clients see it. Source: `DataNode.copyStat`.
    pub fn stat(&self) -> Stat {
        let node = self.tree.arena.node(self.id);
        let stat = node.stat();
        let num_children = node.children().len() as i32;
        let ephemeral_owner = match self.kind() {
            EphemeralType::Ephemeral(session) => session,
            _ => SessionId::NONE,
        };
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            // From creates to creates and deletes: every child was created, and deleted
            // unless it is still there.
            cversion: stat.cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion: stat.aversion,
            ephemeral_owner,
            data_length: node.data_len() as i32,
            num_children,
            pzxid: stat.pzxid,
        }
    }

    /// Its metadata as it is kept.
    pub fn persisted(&self) -> StatPersisted {
        self.tree.arena.node(self.id).stat()
    }

    /// Its access control list. One that grants nothing, if the list is missing
    /// from the snapshot that the tree was loaded from (ZOOKEEPER-4689).
    pub fn acl(&self) -> &'a [Acl] {
        self.tree.acls.list(self.acl_number())
    }

    /// The number of its access control list.
    pub fn acl_id(&self) -> AclId {
        acl_table::id(self.acl_number())
    }

    pub(crate) fn acl_number(&self) -> u32 {
        self.tree.arena.node(self.id).acl
    }

    /// Its children's names, in an order that the history of the tree defines.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let tree = self.tree;
        let ids = tree.arena.node(self.id).children().iter();
        ids.map(|&id| Znode { tree, id }.name())
    }

    /// How many children it has.
    pub fn child_count(&self) -> usize {
        self.tree.arena.node(self.id).children().len()
    }

    /// How many znodes are below it.
    pub fn descendant_count(&self) -> usize {
        match self.name() {
            "" => self.tree.arena.len() - 1,
            _ => self.tree.arena.subtree(self.id).len() - 1,
        }
    }

    /// The CRC-32 that stands for it in the tree's digest; 0 below `/zookeeper` and if digests
    /// are off.
    pub fn node_digest(&self) -> u32 {
        self.tree.arena.node(self.id).digest
    }

    /// What kind of znode it is.
    pub fn kind(&self) -> EphemeralType {
        let owner = self.persisted().ephemeral_owner;
        self.tree.ephemeral_type(owner)
    }

    /// Its name, the last part of its path; empty for the root.
    pub fn name(&self) -> &'a str {
        // Names were cut from strings, so they are always well-formed.
        core::str::from_utf8(self.tree.arena.name(self.id)).unwrap_or_default()
    }

    /// Its path; `/` for the root.
    pub fn path(&self) -> String {
        let mut path = Vec::new();
        if self.tree.arena.write_path(self.id, &mut path) == 0 {
            path.push(b'/');
        }
        String::from_utf8(path).unwrap_or_default()
    }
}
