//! Finds znodes by the hash of their paths.
//!
//! A table with linear probing that keeps 32 bits of the hash beside each id. A lookup mostly
//! touches one cache line of it, and it grows without looking at a single znode. It knows
//! neither paths nor znodes: who asks compares.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use foldhash::quality::FixedState;

/// Hashes paths for the table.
#[derive(Clone)]
pub(crate) struct PathHasher(FixedState);

impl PathHasher {
    pub(crate) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    pub(crate) fn hash(&self, path: &[u8]) -> u32 {
        let mut hasher = self.0.build_hasher();
        hasher.write(path);
        let hash = hasher.finish();
        (hash ^ (hash >> 32)) as u32
    }
}

/// The table.
#[derive(Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    id: u32,
}

const VACANT: Entry = Entry {
    hash: 0,
    id: u32::MAX,
};

impl Entry {
    fn is_vacant(self) -> bool {
        self.id == VACANT.id
    }
}

impl Index {
    /// The id with this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let entry = self.entries[at];
            if entry.is_vacant() {
                return None;
            }
            if entry.hash == hash && is_it(entry.id) {
                return Some(entry.id);
            }
            at = self.after(at);
        }
    }

    /// Brings the place of a hash into the processor's cache. Done for many hashes at once, the
    /// waits for memory overlap.
    pub(crate) fn touch(&self, hash: u32) {
        if !self.entries.is_empty() {
            core::hint::black_box(self.entries[self.home(hash)].id);
        }
    }

    /// An id with this hash, most likely the only one.
    pub(crate) fn guess(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds an id, which must not be in the table.
    pub(crate) fn insert(&mut self, hash: u32, id: u32) {
        if self.is_full(self.len) {
            self.resize(self.entries.len() + self.entries.len() / 2 + 16);
        }
        self.place(Entry { hash, id });
        self.len += 1;
    }

    /// Removes an id. Later members of its run move up, so that no marks of removed entries
    /// are needed.
    pub(crate) fn remove(&mut self, hash: u32, id: u32) {
        if self.entries.is_empty() {
            return;
        }
        let mut hole = self.home(hash);
        while self.entries[hole].id != id {
            if self.entries[hole].is_vacant() {
                return;
            }
            hole = self.after(hole);
        }
        let mut at = hole;
        loop {
            at = self.after(at);
            let entry = self.entries[at];
            if entry.is_vacant() {
                break;
            }
            // It may move up to the hole if that is not before its home.
            if self.distance(self.home(entry.hash), at) >= self.distance(hole, at) {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole] = VACANT;
        self.len -= 1;
    }

    /// Makes room for so many ids in all.
    pub(crate) fn reserve(&mut self, ids: usize) {
        if self.is_full(ids) {
            self.resize(ids + ids / 3 + 16);
        }
    }

    /// Whether there is no room for another one beside so many: three quarters full at most, so
    /// that runs stay short.
    fn is_full(&self, ids: usize) -> bool {
        (ids + 1) * 4 > self.entries.len() * 3
    }

    fn resize(&mut self, len: usize) {
        let old = core::mem::replace(&mut self.entries, vec![VACANT; len]);
        for entry in old.into_iter().filter(|entry| !entry.is_vacant()) {
            self.place(entry);
        }
    }

    fn place(&mut self, entry: Entry) {
        let mut at = self.home(entry.hash);
        while !self.entries[at].is_vacant() {
            at = self.after(at);
        }
        self.entries[at] = entry;
    }

    /// Scales the hash to the table: any table size will do, and growing keeps the order.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.entries.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() {
            0
        } else {
            at + 1
        }
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.entries.len() - from
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    #[test]
    fn what_is_reserved_is_there() {
        for ids in 0..100 {
            let mut index = Index::default();
            index.reserve(ids);
            let len = index.entries.len();
            (0..ids as u32).for_each(|id| index.insert(id << 20, id));
            assert_eq!(index.entries.len(), len);
        }
    }

    proptest! {
        /// Few hashes, at both ends, so that runs form, collide and wrap around.
        #[test]
        fn behaves_like_a_map(
            steps in prop::collection::vec((any::<bool>(), 0..60u32), 0..300),
            high in any::<bool>(),
            reserve in 0..100usize,
        ) {
            let hash = |id: u32| if high { u32::MAX - id / 3 } else { (id / 3).wrapping_mul(0x0800_0000) };
            let mut index = Index::default();
            let mut model = BTreeMap::new();
            for (step, (insert, id)) in steps.into_iter().enumerate() {
                if step == reserve {
                    index.reserve(reserve);
                }
                match (insert, model.contains_key(&id)) {
                    (true, false) => {
                        index.insert(hash(id), id);
                        model.insert(id, ());
                    }
                    (false, _) => {
                        index.remove(hash(id), id);
                        model.remove(&id);
                    }
                    _ => {}
                }
                for id in 0..60 {
                    let found = index.find(hash(id), |other| other == id);
                    prop_assert_eq!(found, model.contains_key(&id).then_some(id));
                }
                prop_assert_eq!(index.len, model.len());
            }
        }
    }
}
