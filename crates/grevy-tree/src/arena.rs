//! Where znodes are kept: in chunks that never move, named by small ids.

use crate::blobs::{Blob, Blobs, Room};
use crate::children::Children;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::black_box;
use grevy_proto::{StatPersisted, Zxid};

/// The root's id: the first that an arena gives out.
pub(crate) const ROOT: u32 = 0;
/// The root's parent.
pub(crate) const NO_PARENT: u32 = u32::MAX;
/// The parent of a place without a znode.
const VACANT: u32 = u32::MAX - 1;
/// The length of null data.
const NULL: u32 = u32::MAX;
const CHUNK: usize = 1024;
/// What memory brings at once, in bytes.
const CACHE_LINE: usize = 64;

/// A znode. 72 bytes, to which most znodes add only their name and data: see [`Extra`].
pub(crate) struct Node {
    pub(crate) czxid: Zxid,
    pub(crate) mzxid: Zxid,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    extra: Option<Box<Extra>>,
    pub(crate) version: i32,
    /// What it adds to the tree's digest.
    pub(crate) digest: u32,
    /// The parent's id.
    pub(crate) parent: u32,
    /// The place among the parent's children; in a vacant place the next vacant one.
    pub(crate) place: u32,
    /// The access control list's number.
    pub(crate) acl: u32,
    blob: Blob,
    name_len: u32,
    data_len: u32,
}

/// What a znode has that is not ephemeral and never had children nor another access control
/// list does not need.
struct Extra {
    children: Children,
    pzxid: Zxid,
    owner: i64,
    cversion: i32,
    aversion: i32,
}

impl Node {
    /// The ids of its children.
    pub(crate) fn children(&self) -> &[u32] {
        match &self.extra {
            Some(extra) => extra.children.ids(),
            None => &[],
        }
    }

    /// Its metadata.
    pub(crate) fn stat(&self) -> StatPersisted {
        let (pzxid, owner, cversion, aversion) = match self.extra.as_deref() {
            Some(extra) => (extra.pzxid, extra.owner, extra.cversion, extra.aversion),
            None => (self.czxid, 0, 0, 0),
        };
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion,
            aversion,
            ephemeral_owner: owner,
            pzxid,
        }
    }

    /// Sets the metadata.
    pub(crate) fn set_stat(&mut self, stat: &StatPersisted) {
        self.czxid = stat.czxid;
        self.mzxid = stat.mzxid;
        self.ctime = stat.ctime;
        self.mtime = stat.mtime;
        self.version = stat.version;
        let usual = (stat.czxid, 0, 0, 0);
        let rest = (
            stat.pzxid,
            stat.ephemeral_owner,
            stat.cversion,
            stat.aversion,
        );
        if self.extra.is_some() || rest != usual {
            let extra = self.extra();
            (extra.pzxid, extra.owner, extra.cversion, extra.aversion) = rest;
        }
    }

    /// The number of bytes of data; 0 for null.
    pub(crate) fn data_len(&self) -> usize {
        match self.data_len {
            NULL => 0,
            len => len as usize,
        }
    }

    fn blob_len(&self) -> usize {
        self.name_len as usize + self.data_len()
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(|| {
            Box::new(Extra {
                children: Children::default(),
                pzxid: self.czxid,
                owner: 0,
                cversion: 0,
                aversion: 0,
            })
        })
    }
}

/// All znodes of a tree.
pub(crate) struct Arena {
    chunks: Vec<Vec<Node>>,
    blobs: Blobs,
    /// The first vacant place.
    vacant: u32,
    live: usize,
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            blobs: Blobs::default(),
            vacant: NO_PARENT,
            live: 0,
        }
    }

    /// Takes memory for znodes to come.
    pub(crate) fn supply(&mut self, room: Room) {
        self.blobs.supply(room);
    }

    /// The number of znodes.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// All ids are below this.
    pub(crate) fn end(&self) -> u32 {
        match self.chunks.last() {
            Some(last) => ((self.chunks.len() - 1) * CHUNK + last.len()) as u32,
            None => 0,
        }
    }

    /// Whether there is a znode with this id.
    pub(crate) fn contains(&self, id: u32) -> bool {
        id < self.end() && self.node(id).parent != VACANT
    }

    /// A znode.
    pub(crate) fn node(&self, id: u32) -> &Node {
        &self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }

    /// A znode, to change it.
    pub(crate) fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }

    /// A znode's name; empty for the root.
    pub(crate) fn name(&self, id: u32) -> &[u8] {
        self.name_of(self.node(id))
    }

    fn name_of(&self, node: &Node) -> &[u8] {
        let bytes = self.blobs.get(node.blob, node.blob_len());
        &bytes[..node.name_len as usize]
    }

    /// A znode's data.
    pub(crate) fn data(&self, id: u32) -> Option<&[u8]> {
        let node = self.node(id);
        let bytes = self.blobs.get(node.blob, node.blob_len());
        (node.data_len != NULL).then(|| &bytes[node.name_len as usize..])
    }

    /// Brings a znode into the processor's cache; its name and data are left to
    /// [`Arena::touch_bytes`].
    pub(crate) fn touch(&self, id: u32) {
        let node = self.node(id);
        black_box((node.czxid, node.data_len));
    }

    /// Brings a znode's name and the beginning of its data into the processor's cache.
    pub(crate) fn touch_bytes(&self, id: u32) {
        let node = self.node(id);
        let bytes = self.blobs.get(node.blob, node.blob_len());
        for line in bytes.chunks(CACHE_LINE).take(4) {
            black_box(line.first().copied());
        }
    }

    /// Replaces a znode's data.
    pub(crate) fn set_data(&mut self, id: u32, data: Option<&[u8]>) {
        let node = &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK];
        let (len, keep) = (node.blob_len(), node.name_len as usize);
        let tail = data.unwrap_or_default();
        node.blob = self.blobs.replace_tail(node.blob, len, keep, tail);
        node.data_len = data.map_or(NULL, |data| data.len() as u32);
    }

    /// Adds a znode to its parent's children; [`NO_PARENT`] for the root, which comes first.
    pub(crate) fn insert(
        &mut self,
        parent: u32,
        name: &[u8],
        data: Option<&[u8]>,
        acl: u32,
        stat: &StatPersisted,
    ) -> u32 {
        let mut node = Node {
            czxid: Zxid::ZERO,
            mzxid: Zxid::ZERO,
            ctime: 0,
            mtime: 0,
            extra: None,
            version: 0,
            digest: 0,
            parent,
            place: 0,
            acl,
            blob: self.blobs.insert(name, data.unwrap_or_default()),
            name_len: name.len() as u32,
            data_len: data.map_or(NULL, |data| data.len() as u32),
        };
        node.set_stat(stat);
        let id = match self.vacant {
            NO_PARENT => self.end(),
            id => id,
        };
        if parent != NO_PARENT {
            node.place = self.node_mut(parent).extra().children.push(id);
        }
        self.live += 1;
        if id == self.vacant {
            self.vacant = self.node(id).place;
            *self.node_mut(id) = node;
            return id;
        }
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(node),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(node);
                self.chunks.push(chunk);
            }
        }
        id
    }

    /// Removes a znode without children, not the root.
    pub(crate) fn remove(&mut self, id: u32) {
        let node = self.node(id);
        let (parent, place, blob, len) = (node.parent, node.place, node.blob, node.blob_len());
        self.blobs.remove(blob, len);
        if let Some(moved) = self.node_mut(parent).extra().children.remove(place) {
            self.node_mut(moved).place = place;
        }
        let next = self.vacant;
        let node = self.node_mut(id);
        node.extra = None;
        node.parent = VACANT;
        node.place = next;
        self.vacant = id;
        self.live -= 1;
    }

    /// Whether a znode's path, empty for the root, is `path`.
    pub(crate) fn is_at(&self, mut id: u32, path: &str) -> bool {
        let mut rest = path.as_bytes();
        while id != ROOT {
            let node = self.node(id);
            let Some([head @ .., b'/']) = rest.strip_suffix(self.name_of(node)) else {
                return false;
            };
            rest = head;
            id = node.parent;
        }
        rest.is_empty()
    }

    /// Appends a znode's path, empty for the root, and returns its length.
    pub(crate) fn write_path(&self, id: u32, out: &mut Vec<u8>) -> usize {
        let len = self.path_len(id);
        let start = out.len();
        out.resize(start + len, b'/');
        let mut end = start + len;
        let mut at = id;
        while at != ROOT {
            let name = self.name(at);
            out[end - name.len()..end].copy_from_slice(name);
            end -= name.len() + 1;
            at = self.node(at).parent;
        }
        len
    }

    fn path_len(&self, mut id: u32) -> usize {
        let mut len = 0;
        while id != ROOT {
            let node = self.node(id);
            len += node.name_len as usize + 1;
            id = node.parent;
        }
        len
    }

    /// The ids of a znode and all below it, parents before their children.
    pub(crate) fn subtree(&self, id: u32) -> Vec<u32> {
        let mut ids = alloc::vec![id];
        let mut next = 0;
        while let Some(&id) = ids.get(next) {
            ids.extend_from_slice(self.node(id).children());
            next += 1;
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_small() {
        assert_eq!(size_of::<Node>(), 72);
    }

    #[test]
    fn places_are_used_again() {
        let stat = StatPersisted::default();
        let mut arena = Arena::new();
        let root = arena.insert(NO_PARENT, b"", Some(b""), 0, &stat);
        assert_eq!(root, ROOT);
        let a = arena.insert(root, b"a", None, 0, &stat);
        let b = arena.insert(root, b"b", Some(b"1"), 0, &stat);
        let c = arena.insert(b, b"c", Some(b"22"), 0, &stat);
        assert!(arena.is_at(c, "/b/c") && !arena.is_at(c, "/a/c") && !arena.is_at(c, "/c"));
        arena.remove(a);
        assert!(!arena.contains(a) && arena.contains(b));
        assert_eq!(arena.node(root).children(), [b]);
        let d = arena.insert(c, b"d", Some(b""), 0, &stat);
        assert_eq!((d, arena.end(), arena.len()), (a, 4, 4));
        let mut path = Vec::new();
        assert_eq!(arena.write_path(d, &mut path), 6);
        assert_eq!(path, b"/b/c/d");
        assert_eq!(arena.subtree(b), [b, c, d]);
        arena.set_data(c, None);
        assert_eq!((arena.name(c), arena.data(c)), (&b"c"[..], None));
        assert_eq!((arena.name(d), arena.data(d)), (&b"d"[..], Some(&b""[..])));
    }
}
