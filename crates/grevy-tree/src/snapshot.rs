//! Snapshots of exactly one zxid, taken in slices while transactions go on being applied.
//!
//! A cursor walks over the znodes. A znode that is about to change before the cursor came by is
//! written first, as it still is. In both cases its ancestors are written before it, because the
//! Java server wants parents before their children. Znodes born meanwhile are left out.
//!
//! What is made here is a snapshot's body: sessions, access control lists, znodes. The file
//! around it is not this crate's.

use crate::acl_table;
use crate::arena::{Arena, NO_PARENT};
use crate::tree::Tree;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use grevy_proto::{Encode, Zxid};

/// What a snapshot that was begun will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The last transaction in it.
    pub zxid: Zxid,
    /// The tree's digest after that transaction; 0 if digests are off.
    pub digest: i64,
    /// How many znodes it has, the root once.
    pub znodes: usize,
    /// How many sessions it has.
    pub sessions: usize,
}

impl Tree {
    /// Begins a snapshot of the tree as it is now. One that was under way is abandoned.
    pub fn start_snapshot(&mut self) -> SnapshotInfo {
        let mut buffer = Vec::new();
        (self.sessions.len() as i32).encode(&mut buffer);
        for (session, timeout) in self.sessions.iter() {
            session.encode(&mut buffer);
            timeout.encode(&mut buffer);
        }
        self.acls.encode(&mut buffer);
        self.snapshot = Some(Box::new(Progress {
            written: vec![0; self.arena.end().div_ceil(64) as usize],
            end: self.arena.end(),
            cursor: 0,
            buffer,
            line: Vec::new(),
        }));
        SnapshotInfo {
            zxid: self.last_zxid,
            digest: self.digest(),
            znodes: self.arena.len(),
            sessions: self.sessions.len(),
        }
    }

    /// Appends the next part of the body to `out`: about `max_znodes` znodes, and those that had
    /// to be written since the last slice because they changed. Returns whether there is more to
    /// come; `false` also if no snapshot is under way.
    pub fn snapshot_slice(&mut self, max_znodes: usize, out: &mut Vec<u8>) -> bool {
        let Some(progress) = &mut self.snapshot else {
            return false;
        };
        out.append(&mut progress.buffer);
        if progress.advance(max_znodes.max(1), &self.arena, out) {
            return true;
        }
        // Where a path would stand.
        "/".encode(out);
        self.snapshot = None;
        false
    }

    /// Whether a snapshot was begun and is not complete.
    pub fn is_taking_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Ends a snapshot before it is complete.
    pub fn abandon_snapshot(&mut self) {
        self.snapshot = None;
    }
}

/// How far a snapshot has come.
pub(crate) struct Progress {
    /// A bit for each id below `end`: its znode is written, or was born meanwhile. If a znode is
    /// written, so are its ancestors.
    written: Vec<u64>,
    /// Znodes from here on were born meanwhile.
    end: u32,
    /// Ids below this are done.
    cursor: u32,
    /// What waits for the next slice.
    buffer: Vec<u8>,
    /// Ancestors that are to be written, between uses empty.
    line: Vec<u32>,
}

impl Progress {
    /// Takes note of a new znode, which does not belong into the snapshot.
    pub(crate) fn born(&mut self, id: u32) {
        self.mark(id);
    }

    /// Writes the znode and its ancestors, if they are not written yet.
    pub(crate) fn preserve(&mut self, id: u32, arena: &Arena) {
        let mut buffer = core::mem::take(&mut self.buffer);
        self.write(id, arena, &mut buffer);
        self.buffer = buffer;
    }

    /// Writes up to `max` znodes, or a few more for the sake of their ancestors. Returns whether
    /// any may be left.
    fn advance(&mut self, max: usize, arena: &Arena, out: &mut Vec<u8>) -> bool {
        let mut count = 0;
        while count < max && self.cursor < self.end {
            let id = self.cursor;
            if self.written[id as usize / 64] == u64::MAX {
                self.cursor = (id / 64 + 1) * 64;
                continue;
            }
            if arena.contains(id) {
                count += self.write(id, arena, out);
            }
            self.cursor += 1;
        }
        self.cursor < self.end
    }

    fn write(&mut self, id: u32, arena: &Arena, out: &mut Vec<u8>) -> usize {
        let mut at = id;
        while at != NO_PARENT && !self.is_written(at) {
            self.line.push(at);
            at = arena.node(at).parent;
        }
        let count = self.line.len();
        while let Some(id) = self.line.pop() {
            write_znode(id, arena, out);
            self.mark(id);
        }
        count
    }

    fn is_written(&self, id: u32) -> bool {
        id >= self.end || self.written[id as usize / 64] & (1 << (id % 64)) != 0
    }

    fn mark(&mut self, id: u32) {
        if id < self.end {
            self.written[id as usize / 64] |= 1 << (id % 64);
        }
    }
}

/// Source: `DataTree.serializeNodeData`.
fn write_znode(id: u32, arena: &Arena, out: &mut Vec<u8>) {
    let start = out.len();
    0i32.encode(out);
    let len = arena.write_path(id, out) as i32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    arena.data(id).encode(out);
    let node = arena.node(id);
    acl_table::id(node.acl).0.encode(out);
    node.stat().encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::TreeConfig;

    fn tree() -> Tree {
        Tree::new(TreeConfig {
            hash_seed: 1,
            extended_types: false,
            emulate_353_ttl: false,
            digest: true,
        })
    }

    /// Byte for byte what the Java server writes for an empty server.
    #[test]
    fn an_empty_servers_snapshot() {
        let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        expected.extend(b"\0\0\0\x01\0\0\0\x05world\0\0\0\x06anyone");
        for (path, acl, aversion) in [
            ("", [0xff; 8], [0; 4]),
            ("/zookeeper", [0xff; 8], [0; 4]),
            ("/zookeeper/config", [0, 0, 0, 0, 0, 0, 0, 1], [0xff; 4]),
            ("/zookeeper/quota", [0xff; 8], [0; 4]),
        ] {
            expected.extend([0, 0, 0, path.len() as u8]);
            expected.extend(path.as_bytes());
            expected.extend([0; 4]);
            expected.extend(acl);
            expected.extend([0; 40]);
            expected.extend(aversion);
            expected.extend([0; 16]);
        }
        expected.extend(b"\0\0\0\x01/");
        // From behind the header up to the seal.
        assert_eq!(expected.len(), 0x19b - 0x10);

        let mut tree = tree();
        let info = tree.start_snapshot();
        assert_eq!((info.zxid, info.digest), (Zxid(0), 1_371_985_504));
        assert_eq!((info.znodes, info.sessions), (4, 0));
        let mut body = Vec::new();
        let mut slices = 1;
        while tree.snapshot_slice(1, &mut body) {
            slices += 1;
        }
        assert_eq!((slices, body), (4, expected));
    }

    #[test]
    fn slices_are_short_and_skip_what_is_done() {
        let mut tree = tree();
        tree.start_snapshot();
        let mut out = Vec::new();
        assert!(tree.snapshot_slice(0, &mut out));
        tree.set_config(b"new", Zxid(1), 1);
        let before = out.len();
        assert!(!tree.snapshot_slice(1, &mut out));
        let slice = alloc::string::String::from_utf8_lossy(&out[before..]).into_owned();
        // What had to be written for the change, and one of the cursor's.
        assert!(slice.contains("/zookeeper/config") && slice.contains("/zookeeper/quota"));
        assert!(!slice.contains("new"));
        assert!(out.ends_with(b"\0\0\0\x01/"));
        let len = out.len();
        assert!(!tree.snapshot_slice(1, &mut out) && out.len() == len);
    }
}
