//! From batches to a tree.

use super::LoadError;
use super::batch::{Batch, Record};
use crate::acl_table;
use crate::arena::NO_PARENT;
use crate::tree::{Tree, TreeConfig, split_path};
use alloc::collections::BTreeMap;
use alloc::string::String;
use grevy_proto::Zxid;

/// How many znodes the index is prepared for at once.
const AHEAD: usize = 16;

/// Builds a tree from batches, in the order in which they were decoded.
pub struct Builder {
    tree: Tree,
    /// The tree's numbers for the file's.
    acls: BTreeMap<i64, u32>,
    /// The last parent, its path and its id: siblings come one after another.
    parent: (String, u32),
}

impl Builder {
    /// Begins with nothing. `zxid`: the last transaction that is wholly in the snapshot.
    pub fn new(config: TreeConfig, zxid: Zxid) -> Self {
        let mut tree = Tree::without_znodes(config);
        tree.last_zxid = zxid;
        Self {
            tree,
            acls: BTreeMap::new(),
            parent: (String::new(), NO_PARENT),
        }
    }

    /// Adds what is in the batch, which is empty afterwards. After an error the tree is of no use.
    pub fn build(&mut self, batch: &mut Batch) -> Result<(), LoadError> {
        let result = self.add(batch);
        batch.clear();
        result
    }

    fn add(&mut self, batch: &mut Batch) -> Result<(), LoadError> {
        for (session, timeout) in batch.sessions.drain(..) {
            self.tree.sessions.insert(session, timeout);
        }
        for (id, list) in batch.acls.drain(..) {
            let number = self.tree.acls.intern(&list);
            if let Some(old) = self.acls.insert(id, number) {
                self.tree.acls.release(old);
            }
        }
        for room in batch.rooms.drain(..) {
            self.tree.arena.supply(room);
        }
        if let Some(znodes) = batch.expected {
            self.tree.index.reserve(znodes);
        }
        let (mut paths, mut bytes) = (&*batch.paths, &*batch.data);
        for records in batch.znodes.chunks(AHEAD) {
            for record in records {
                self.tree.index.touch(record.sums.hash);
            }
            for record in records {
                let (path, data);
                (path, paths) = paths.split_at(record.path_len);
                (data, bytes) = bytes.split_at(record.data_len.unwrap_or(0));
                self.znode(path, record.data_len.map(|_| data), record)?;
            }
        }
        match batch.end.take() {
            Some(Ok(())) if self.tree.find("").is_none() => Err(LoadError::NoRoot),
            Some(end) => end,
            None => Ok(()),
        }
    }

    /// The tree, once the last batch has been built without an error.
    pub fn finish(mut self) -> Tree {
        // The table's lists were held for znodes to come; those that none uses go.
        for &number in self.acls.values() {
            self.tree.acls.release(number);
        }
        self.tree
    }

    fn znode(&mut self, path: &str, data: Option<&[u8]>, record: &Record) -> Result<(), LoadError> {
        let parent = match split_path(path) {
            // The root has the empty path.
            None if path.is_empty() => NO_PARENT,
            None => return Err(LoadError::NoParent(path.into())),
            Some((_, "")) => return Err(LoadError::NoParent(path.into())),
            Some((parent, _)) if self.parent.1 != NO_PARENT && self.parent.0 == parent => {
                self.parent.1
            }
            Some((parent, _)) => {
                let id = self.tree.find(parent);
                let id = id.ok_or_else(|| LoadError::NoParent(path.into()))?;
                self.parent.0.clear();
                self.parent.0.push_str(parent);
                self.parent.1 = id;
                id
            }
        };
        if self.tree.find_hashed(record.sums.hash, path).is_some() {
            return Err(LoadError::Duplicate(path.into()));
        }
        let acl = match record.acl {
            -1 => acl_table::OPEN,
            id => {
                let acls = &mut self.tree.acls;
                let number = *self.acls.entry(id).or_insert_with(|| acls.add_unknown());
                acls.retain(number);
                number
            }
        };
        self.tree
            .insert_summed(parent, path, data, acl, &record.stat, record.sums);
        Ok(())
    }
}
