//! One file: what it reads as, and what a crash would leave of it.

use super::Random;
use std::collections::BTreeMap;

/// What a disk writes wholly or not at all, in bytes.
pub const SECTOR: usize = 512;

#[derive(Clone, Default)]
pub(super) struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    /// For each sector written since the last sync: all that it has held since then. The disk
    /// may have any of them, or what it had before.
    dirty: BTreeMap<usize, Vec<[u8; SECTOR]>>,
    /// Likewise for the length.
    lens: Vec<usize>,
}

impl Inode {
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.data.len() {
            self.data.resize(end, 0);
            self.lens.push(end);
        }
        self.data[offset..end].copy_from_slice(bytes);
        if offset < end {
            self.touch(offset / SECTOR, (end - 1) / SECTOR);
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let old = self.data.len();
        self.data.resize(len, 0);
        self.lens.push(len);
        if len < old {
            self.touch(len / SECTOR, (old - 1) / SECTOR);
        }
    }

    pub(super) fn sync(&mut self) {
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let Some(newest) = versions.last() {
                put(&mut self.durable, sector, newest);
            }
        }
        self.lens.clear();
        self.durable.resize(self.data.len(), 0);
    }

    /// A sync that failed: some sectors made it, none is dirty any more.
    pub(super) fn drop_dirty(&mut self, random: &mut Random) {
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let (true, Some(newest)) = (random.chance(), versions.last()) {
                put(&mut self.durable, sector, newest);
            }
        }
        let len = self.lens.drain(..).next_back();
        if let (true, Some(len)) = (random.chance(), len) {
            self.durable.resize(len, 0);
        }
    }

    pub(super) fn crash(&mut self, random: &mut Random) {
        let old_len = self.durable.len();
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            let survivor = random.below(versions.len() + 1);
            if let Some(version) = survivor.checked_sub(1).and_then(|i| versions.get(i)) {
                put(&mut self.durable, sector, version);
            }
        }
        let survivor = random.below(self.lens.len() + 1);
        let len = match survivor {
            0 => old_len,
            n => self.lens[n - 1],
        };
        self.lens.clear();
        self.durable.resize(len, 0);
        self.data = self.durable.clone();
    }

    /// Nothing that was not synced is left.
    pub(super) fn lose(&mut self) {
        self.dirty.clear();
        self.lens.clear();
        self.data = self.durable.clone();
    }

    pub(super) fn rot(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.data);
        self.durable = self.data.clone();
        self.dirty.clear();
        self.lens.clear();
    }

    fn touch(&mut self, first: usize, last: usize) {
        for sector in first..=last {
            let start = (sector * SECTOR).min(self.data.len());
            let end = ((sector + 1) * SECTOR).min(self.data.len());
            let mut version = [0; SECTOR];
            version[..end - start].copy_from_slice(&self.data[start..end]);
            self.dirty.entry(sector).or_default().push(version);
        }
    }
}

/// Puts a sector down, beyond the end as well: the length is another matter.
fn put(durable: &mut Vec<u8>, sector: usize, version: &[u8; SECTOR]) {
    let end = (sector + 1) * SECTOR;
    if durable.len() < end {
        durable.resize(end, 0);
    }
    durable[sector * SECTOR..end].copy_from_slice(version);
}
